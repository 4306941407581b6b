/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* show.h: prints the demo's table and compares it with the expectation. */
#pragma once

#include "demo/report/facts.h"

/* Prints a row per path, grouped by pair of guests, then a summary, then a description of each
 * result that was not expected. `tried` is false if frames were only replayed. Returns 0 if all is
 * as expected, otherwise 1. */
int tw_lab_show(const struct tw_lab_paths *paths, const struct tw_lab_facts *facts, bool tried);
