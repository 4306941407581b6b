/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/run.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fastpath/abi/names.h"
#include "tests/run/play.h"

/* Reasons that occur in only one direction: a guest's identity is checked when it sends, and the
 * destination when a frame is delivered. */
static const struct {
	enum tw_reason reason;
	enum tw_dir dir;
} never[] = {
	{TW_R_NONE, TW_DIR_OUT},
	{TW_R_NONE, TW_DIR_IN},
	{TW_R_SPOOFED_MAC, TW_DIR_IN},
	{TW_R_SPOOFED_ADDRESS, TW_DIR_IN},
	{TW_R_SPOOFED_ARP, TW_DIR_IN},
	{TW_R_SPOOFED_ND, TW_DIR_IN},
	{TW_R_DHCP_SERVER, TW_DIR_IN},
	{TW_R_ROUTER_ADVERT, TW_DIR_IN},
	{TW_R_REDIRECT, TW_DIR_IN},
	{TW_R_NOT_FOR_PORT, TW_DIR_OUT},
	{TW_R_RATE_LIMIT, TW_DIR_IN}, /* rates limit what guests send */
	{TW_R_WORKLOAD_MAC, TW_DIR_IN},
	{TW_R_SPOOFED_DHCP, TW_DIR_IN},
	{TW_R_DHCP_UNASKED, TW_DIR_OUT},
	{TW_R_FOREIGN_LEASE, TW_DIR_IN},
	{TW_R_FOREIGN_PREFIX, TW_DIR_IN},
	{TW_R_SLAAC_LIMIT, TW_DIR_IN},
	{TW_R_MULTICAST_QUERY, TW_DIR_IN},
	/* A frame that is cut through has this reason at the port where it arrives. */
	{TW_R_CUT_THROUGH, TW_DIR_OUT},
	/* Occurs only with a real bridge: tests/e2e/cut-moves.sh. */
	{TW_R_ASTRAY, TW_DIR_OUT},
	{TW_R_ASTRAY, TW_DIR_IN},
	/* Occurs only with an agent, which knows the addresses beyond the ports:
	 * tests/e2e/beyond.sh. */
	{TW_R_FOREIGN_SOURCE, TW_DIR_OUT},
	{TW_R_FOREIGN_SOURCE, TW_DIR_IN},
	/* Occurs only with several CPUs: tests/unit/conns.c. */
	{TW_R_TABLE_BUSY, TW_DIR_OUT},
	{TW_R_TABLE_BUSY, TW_DIR_IN},
	/* Not the reason of a packet: the agent ends connections with it (tests/e2e/gone.sh). */
	{TW_R_PORT_GONE, TW_DIR_OUT},
	{TW_R_PORT_GONE, TW_DIR_IN},
	/* The agent ends connections with it on request (tests/e2e/sdk.sh). */
	{TW_R_REMOVED, TW_DIR_OUT},
	{TW_R_REMOVED, TW_DIR_IN},
	/* Compiled images are consistent; tests/unit uses corrupt ones. */
	{TW_R_BAD_IMAGE, TW_DIR_OUT},
	{TW_R_BAD_IMAGE, TW_DIR_IN},
};

static bool applies(unsigned int reason, unsigned int dir)
{
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (never[i].reason == reason && never[i].dir == dir)
			return false;
	return true;
}

static bool all_reasons_seen(const struct tw_play *play)
{
	bool all = true;

	for (unsigned int r = 0; r < TW_R__MAX; r++) {
		for (unsigned int d = 0; d < TW_DIR__MAX; d++) {
			if (applies(r, d) && !play->seen[r][d]) {
				printf("no case shows the reason %s %s\n", tw_reason_name(r),
					tw_dir_name(d));
				all = false;
			}
		}
	}
	return all;
}

static enum tw_played play_file(const char *path, struct tw_target *target, struct tw_play *play)
{
	tw_autofree char *text = NULL;
	tw_auto(tw_case) struct tw_case *c = NULL;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct tw_err err = {0};
	enum tw_played played;

	if (tw_case_slurp(path, &text, &err) || tw_case_read(name, text, &c, &err)) {
		tw_err_print(stdout, "case", &err);
		return TW_PLAYED_FAIL;
	}
	played = tw_case_play(name, c, target, play);
	if (played == TW_PLAYED_FAIL)
		printf("%s: FAILED: %s\n", name, c->about);
	else if (played == TW_PLAYED_SKIP)
		printf("%s: skipped: %s\n", name, c->native_only);
	return played;
}

static int find_files(const struct tw_run_options *options, glob_t *files)
{
	for (size_t i = 0; i < options->n_paths; i++) {
		char pattern[4096];
		struct stat st;

		if (stat(options->paths[i], &st)) {
			fprintf(stderr, "%s: %s\n", options->paths[i], strerror(errno));
			return -errno;
		}
		snprintf(pattern, sizeof(pattern), S_ISDIR(st.st_mode) ? "%s/*.case" : "%s",
			options->paths[i]);
		if (glob(pattern, i ? GLOB_APPEND : 0, NULL, files)) {
			fprintf(stderr, "%s: contains no cases\n", options->paths[i]);
			return -ENOENT;
		}
	}
	return 0;
}

int tw_run_cases(struct tw_target *target, const struct tw_run_options *options)
{
	struct tw_play play = {.out = stdout, .verbose = options->verbose};
	size_t n[3] = {0};
	glob_t files = {0};
	int failed = find_files(options, &files);
	bool complete = true;

	for (size_t i = 0; i < files.gl_pathc && !failed; i++)
		n[play_file(files.gl_pathv[i], target, &play)]++;
	globfree(&files);
	if (failed)
		return 5;
	if (options->all_reasons)
		complete = all_reasons_seen(&play);
	printf("%s%s%s: %zu cases, %zu judgements: %zu passed, %zu failed, %zu skipped\n",
		target->ops->name, options->ports ? ", ports by " : "",
		options->ports ? options->ports : "", n[0] + n[1] + n[2], play.n_judgements,
		n[TW_PLAYED_PASS], n[TW_PLAYED_FAIL], n[TW_PLAYED_SKIP]);
	return n[TW_PLAYED_FAIL] || !complete || !n[TW_PLAYED_PASS] ? 1 : 0;
}
