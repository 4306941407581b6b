/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* history_print.h: the tables of `tapwall history`.
 *
 * Callers:    history.c.
 */
#pragma once

#include "cli/cli.h"
#include "cli/sheet.h"
#include "link/link.h"

/* Sets up an empty table for this kind of answer. `uses` is true if rules are listed with their last use. */
void tw_history_print_begin(struct tw_sheet *sheet, enum tw_history_what what, bool uses);

/* Adds a row for a response, unless the response is not a row of the table. */
void tw_history_print_add(struct tw_sheet *sheet, const Tapwall__V1__Response *response);

/* Prints the state of the history, as lines before the table of its agents. */
void tw_history_print_state(const Tapwall__V1__HistoryState *state);
