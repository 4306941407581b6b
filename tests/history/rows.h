/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rows.h: random rows for tests of the history, and a plain scan as reference. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slowpath/history/history.h"
#include "slowpath/history/read.h"

#define NAMES 6u

/* Numbers of the names "w1" …, "r1" …, "t1" … and "h1" …; [0] is 0. */
struct row_names {
	uint32_t of[TW_HISTORY_NOUN__MAX][NAMES + 1];
};

/* Random numbers of one test, so that a failure can be repeated with its seed. */
struct random {
	uint64_t state;
};

uint64_t random_next(struct random *random);
uint32_t random_below(struct random *random, uint32_t n);

void names_make(struct tw_history *history, struct row_names *names);

/* Fills a row. `few`: with few addresses and services, so that totals have few keys. */
void row_make(struct random *random, const struct row_names *names, uint64_t time_us, bool few,
	struct tw_history_row *row);

/* True if a row matches a filter. */
bool row_matches(const struct row_names *names, const struct tw_history_row *row,
	const struct tw_history_filter *filter);

/* Makes a filter with random conditions. */
void filter_make(
	struct random *random, uint64_t from_us, uint64_t to_us, struct tw_history_filter *filter);
