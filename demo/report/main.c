/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* main.c: plans the tries of the demo, and prints their results.
 *
 *	report POLICY PATHS guests | services | asks GUEST | frames GUEST | awaited | tuples
 *	report POLICY PATHS capture PCAP INDEX [GUEST]
 *	report POLICY PATHS table NAME=FILE…   names: answers seen log flows explained replayed index
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/style.h"
#include "demo/report/capture.h"
#include "demo/report/facts.h"
#include "demo/report/paths.h"
#include "demo/report/plan.h"
#include "demo/report/show.h"

#define EXIT_USAGE    2
#define EXIT_INTERNAL 5

static int read_sources(int argc, char **argv, struct tw_lab_sources *ret)
{
	const struct {
		const char *name;
		const char **at;
	} names[] = {
		{"answers", &ret->answers},
		{"seen", &ret->seen},
		{"log", &ret->log},
		{"flows", &ret->flows},
		{"explained", &ret->explained},
		{"replayed", &ret->replayed},
		{"index", &ret->index},
	};

	for (int i = 0; i < argc; i++) {
		size_t len = strcspn(argv[i], "=");
		size_t n = 0;

		while (n < sizeof(names) / sizeof(names[0]) &&
			(strlen(names[n].name) != len || strncmp(names[n].name, argv[i], len) != 0))
			n++;
		if (n == sizeof(names) / sizeof(names[0]) || !argv[i][len])
			return EXIT_USAGE;
		*names[n].at = argv[i] + len + 1;
	}
	return 0;
}

static int table(const struct tw_lab_paths *paths, int argc, char **argv)
{
	struct tw_lab_sources sources = {0};
	struct tw_lab_facts facts = {0};
	int code = read_sources(argc, argv, &sources);

	if (code)
		return code;
	if (tw_lab_facts_read(paths, &sources, &facts) < 0)
		return EXIT_INTERNAL;
	tw_style_init();
	code = tw_lab_show(paths, &facts, sources.answers != NULL);
	tw_lab_facts_done(&facts);
	return code;
}

static int run(const struct tw_lab_paths *paths, int argc, char **argv)
{
	const char *verb = argv[0];

	if (strcmp(verb, "guests") == 0)
		return tw_lab_plan_guests(paths);
	if (strcmp(verb, "services") == 0)
		return tw_lab_plan_services(paths);
	if (strcmp(verb, "tuples") == 0)
		return tw_lab_plan_tuples(paths);
	if (strcmp(verb, "awaited") == 0)
		return tw_lab_plan_awaited(paths);
	if (strcmp(verb, "asks") == 0 && argc == 2)
		return tw_lab_plan_asks(paths, argv[1]);
	if (strcmp(verb, "frames") == 0 && argc == 2)
		return tw_lab_plan_frames(paths, argv[1]);
	if (strcmp(verb, "capture") == 0 && (argc == 3 || argc == 4))
		return tw_lab_capture_write(paths, argv[1], argv[2], argc == 4 ? argv[3] : NULL);
	if (strcmp(verb, "table") == 0)
		return table(paths, argc - 1, argv + 1);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct tw_lab_paths paths = {0};
	int code;

	if (argc < 4) {
		fprintf(stderr, "usage: report POLICY PATHS VERB…\n");
		return EXIT_USAGE;
	}
	if (tw_lab_paths_read(argv[1], argv[2], &paths) < 0)
		return EXIT_INTERNAL;
	code = run(&paths, argc - 3, argv + 3);
	tw_lab_paths_done(&paths);
	if (code == EXIT_USAGE)
		fprintf(stderr, "report: wrong usage; see the top of demo/report/main.c\n");
	return code;
}
