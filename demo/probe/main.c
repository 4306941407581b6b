/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "demo/probe/probe.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
} verbs[] = {
	{"agent", tw_probe_agent, "TTY"},
	{"serve", tw_probe_serve, "[--seen FILE --on INTERFACE] {tcp|udp}:PORT…"},
	{"try", tw_probe_try,
		"[-w MILLISECONDS] [-k] ROW,{tcp|udp|ping},ADDRESS,PORT,SOURCE-PORT…"},
	{"send", tw_probe_send,
		"INTERFACE ROW,KIND,SRC-MAC,DST-MAC,SRC,DST,SOURCE-PORT,PORT,FLAGS…"},
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; argc > 1 && i < N_VERBS; i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 2, argv + 2);
	}
	for (size_t i = 0; i < N_VERBS; i++)
		fprintf(stderr, "%s probe %s %s\n", i ? "      " : "usage:", verbs[i].name,
			verbs[i].usage);
	return 2;
}
