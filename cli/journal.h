/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* journal.h: reads the agent's journal.
 *
 * Callers:    gather.c, rights.c.
 */
#pragma once

#include <stdint.h>

#include "link/link.h"

struct tw_journal_call {
	/* Called for each entry about a connection or a frame. Returns 0 to go on, or an exit code. */
	int (*take)(void *arg, const Tapwall__V1__LogEntry *entry);
	void *arg;
	double since;  /* output: Unix time before which no events are kept */
	uint64_t lost; /* output: number of missing events */
};

/* Reads the whole journal, and prints errors. Returns an exit code. */
int tw_journal_read(const char *socket, struct tw_journal_call *journal);
