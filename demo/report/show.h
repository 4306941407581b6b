/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* show.h: the demo's table, and its judgement. */
#pragma once

#include "demo/report/facts.h"

/* Prints a row per path, a group per pair of guests, then a line of summary, then what is not as
 * expected, in words. `tried` is false when frames were only replayed. Returns 0 only if all is as
 * expected, else 1. */
int tw_lab_show(const struct tw_lab_paths *paths, const struct tw_lab_facts *facts, bool tried);
