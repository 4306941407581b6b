/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* mend.h: detects missing or changed files of the state directory, logs them, and causes them to be
 * written again.
 *
 * Why:        otherwise only the next agent would notice, and their contents would be lost.
 * Callers:    the agent, at its start after it has read the kernel's state, and at each tick.
 */
#pragma once

struct tw_enforcement;

/* Logs missing files for which the kernel has state. */
void tw_mend_begin(struct tw_enforcement *enforcement);
/* Checks once a second that no other program has changed the files. */
void tw_mend_tick(struct tw_enforcement *enforcement);
