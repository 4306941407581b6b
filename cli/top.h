/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* top.h: one interval of what goes through the firewall, and the ways to show it.
 *
 * What:       rows are gathered as the agent tells them until the sample that ends them; then they
 *             are sorted and laid out as tables, for paper (text), programs (JSON) or a screen.
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
	TW_VEC(Tapwall__V1__TopRow *) rows; /* of the interval, owned */
	Tapwall__V1__TopSample sample;
	enum tw_top_sort sort;
};

void tw_top_done(struct tw_top *top);
void tw_top_clear(struct tw_top *top);
/* Keeps a copy. 0 or -ENOMEM. */
int tw_top_add(struct tw_top *top, const Tapwall__V1__TopRow *row);
/* The interval is whole: rows are put in order. */
void tw_top_close(struct tw_top *top, const Tapwall__V1__TopSample *sample);
void tw_top_order(struct tw_top *top); /* again, after `sort` changed */
size_t tw_top_count(const struct tw_top *top, enum tw_top_view view);

/* Two lines: how much there is in all. */
void tw_top_head(const struct tw_top *top, FILE *out);
/* The table of a view: titles and rows from number `first` on, at most `limit` (0: all), in `width`
 * columns (0: any). 0 or -ENOMEM. */
int tw_top_table(const struct tw_top *top, enum tw_top_view view, size_t first, size_t limit,
	size_t width, FILE *out);
int tw_top_json(const struct tw_top *top); /* one line on stdout; an exit code */

/* The live screen. Begins: false when the terminal cannot. Shows an interval and takes keys
 * until `fd` can be read: true, or false when the user has enough. End gives the terminal back. */
bool tw_top_screen_begin(const struct tw_top_options *options);
bool tw_top_screen_show(struct tw_top *top, int fd);
void tw_top_screen_end(void);
