/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* top.h: one interval of traffic through the firewall, and how it is shown.
 *
 * What:       collects the rows that the agent sends until the sample that ends the interval.
 *             Then sorts them and prints them as text, as JSON or on a screen.
 */
#pragma once

#include <stdio.h>

#include "base/buf.h"
#include "base/vec.h"
#include "cli/cli.h"
#include "link/link.h"

enum tw_top_view { TW_TOP_PORTS, TW_TOP_FLOWS, TW_TOP_RULES, TW_TOP_REASONS, TW_TOP_VIEW__MAX };

enum tw_top_sort {
	TW_TOP_SORT_BYTES,
	TW_TOP_SORT_PACKETS,
	TW_TOP_SORT_NEW,
	TW_TOP_SORT_DENIED,
	TW_TOP_SORT_NAME,
	TW_TOP_SORT__MAX
};

extern const char *const tw_top_views[]; /* names, NULL-terminated */
extern const char *const tw_top_sorts[];

struct tw_top {
	TW_VEC(Tapwall__V1__TopRow *) rows; /* rows of the interval, owned */
	Tapwall__V1__TopSample sample;
	enum tw_top_sort sort;
};

void tw_top_done(struct tw_top *top);
void tw_top_clear(struct tw_top *top);
/* Adds a copy of the row. Returns 0 or -ENOMEM. */
int tw_top_add(struct tw_top *top, const Tapwall__V1__TopRow *row);
/* Ends the interval and sorts its rows. */
void tw_top_close(struct tw_top *top, const Tapwall__V1__TopSample *sample);
void tw_top_order(struct tw_top *top); /* sorts again after `sort` changed */
size_t tw_top_count(const struct tw_top *top, enum tw_top_view view);

/* Prints two lines of totals. */
void tw_top_head(const struct tw_top *top, FILE *out);
/* Prints the table of a view: titles, and at most `limit` rows (0: all) from number `first` on,
 * in `width` columns (0: no limit). Returns 0 or -ENOMEM. */
int tw_top_table(const struct tw_top *top, enum tw_top_view view, size_t first, size_t limit,
	size_t width, FILE *out);
int tw_top_json(const struct tw_top *top); /* prints one line; returns an exit code */

/* The live screen. Begin returns false if the terminal cannot show it. Show displays an interval
 * and handles keys until `fd` is readable; it returns false if the user quits. End restores the
 * terminal. */
bool tw_top_screen_begin(const struct tw_top_options *options);
bool tw_top_screen_show(struct tw_top *top, int fd);
void tw_top_screen_end(void);
