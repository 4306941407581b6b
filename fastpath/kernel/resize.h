/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* resize.h: another size for a connection table that is in use, without losing a record.
 *
 * How:        tables do not grow: programs of another size come with a table of their own, and with
 *             `loads` of their own, so that what ports are charged is always the sum of one table.
 *             Records are taken over by a program (path/open.h) that inserts under the same locks as
 *             packets do: all of them before the new programs are attached, and what the old ones
 *             changed meanwhile right before the first is attached and after the last one is.
 * Pins:       maps/conns-new, maps/buckets-new and maps/usage-new until all is settled, then renamed over
 *             those of the old table, that of `conns` last: while maps/conns-new is there, a start goes on
 *             with it, whatever number it was told.
 * Invariants: a number that the live records do not fit changes nothing that is pinned.
 * Callers:    load.c, attach.c.
 */
#pragma once

#include "fastpath/kernel/conns.h"
#include "fastpath/kernel/load.h"

struct tw_kernel_resize {
	bool under_way;
	bool resumed;	      /* an earlier start began it */
	bool all_taken;	      /* … and came as far as to give the old table up */
	bool attaching;	      /* the first port has been attached */
	bool copied;	      /* all of the old table was gone through, at least once */
	uint32_t since;	      /* … and nothing was missed that was seen before this tick */
	struct tw_conns from; /* the old table, mapped */
};

/* Before maps are made: what number the table will be for (facts.max_conns), and whether it replaces
 * another. 0 or negative errno. */
int tw_resize_plan(struct tw_kernel *kernel, uint32_t max_conns, struct tw_err *err);
/* Where a map is pinned that is to be adopted, false: it is to be made anew. */
bool tw_resize_adopts(const struct tw_kernel *kernel, enum tw_map map, const char **ret_suffix);
/* Programs are loaded: takes over what the old table has, then pins. -ENOSPC when it does not fit. */
int tw_resize_begin(struct tw_kernel *kernel, struct tw_err *err);
/* A port is about to be attached. */
void tw_resize_attach(struct tw_kernel *kernel);
void tw_resize_done(struct tw_kernel *kernel);
