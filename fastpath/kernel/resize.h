/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* resize.h: changes the size of a connection table in use without losing a record.
 *
 * How:        tables do not grow: programs for another size have their own table and `usage` map,
 *             so that ports' charges are always the sum of one table. A program
 *             (path/conntrack/open.h) takes over records under the same locks as packets. It takes
 *             all of them before the new programs are attached. It takes later changes right before
 *             the first attachment and again after the last one.
 * Pins:       maps/conns-new, maps/buckets-new and maps/usage-new until the change is complete,
 *             then renamed over those of the old table, `conns` last. While maps/conns-new exists,
 *             a start continues with it, whatever size was requested.
 * Invariants: if the live records do not fit the new size, nothing that is pinned changes.
 * Callers:    load.c, attach.c.
 */
#pragma once

#include "fastpath/kernel/conns.h"
#include "fastpath/kernel/load.h"

struct tw_kernel_resize {
	bool under_way;
	bool resumed;	      /* an earlier start began it */
	bool all_taken;	      /* an earlier start has also begun to give up the old table */
	bool attaching;	      /* the first port has been attached */
	bool copied;	      /* all of the old table was read at least once */
	uint32_t since;	      /* no record last seen before this tick was missed */
	struct tw_conns from; /* the old table, mapped */
};

/* Before maps are created: decides the table's capacity (facts.max_conns), and whether it
 * replaces another table. 0 or negative errno. */
int tw_resize_plan(struct tw_kernel *kernel, uint32_t max_conns, struct tw_err *err);
/* Returns the pin suffix of a map to adopt in *ret_suffix. False: the map is to be created. */
bool tw_resize_adopts(const struct tw_kernel *kernel, enum tw_map map, const char **ret_suffix);
/* After programs are loaded: takes over the old table, then pins. -ENOSPC if it does not fit. */
int tw_resize_begin(struct tw_kernel *kernel, struct tw_err *err);
/* Called before a port is attached. */
void tw_resize_attach(struct tw_kernel *kernel);
void tw_resize_done(struct tw_kernel *kernel);
