/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* present.h: remembers in present.json which files the state directory must have.
 *
 * Why:        quarantines, and the policy to return to, exist only in their files. Without a note, a
 *             file that was deleted, or replaced by an older copy, while no agent ran could not be
 *             told from one that never existed.
 * Invariants: 1. A file is noted after it is written, and its note is removed before it is deleted.
 *                So a crash between the two causes no false alarm.
 *             Test: tests/agent/quarantine.c, tests/e2e/confirm.sh.
 * Callers:    agent/state, agent/publish; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/state/store.h"
#include "base/err.h"

/* Notes that a file exists, and the number of its contents. 0: it need not exist any more. Returns 0,
 * or a negative errno with `err` filled. */
int tw_present_note(struct tw_store *store, const char *name, uint64_t number, struct tw_err *err);
/* Returns the lowest number that a file's contents may have. 0: the file need not exist. If
 * present.json is damaged, returns 1. */
uint64_t tw_present_number(struct tw_store *store, const char *name);
