/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* mend.h: detects missing or changed files of the state folder, logs them, and has them written
 * again.
 *
 * Why:        Otherwise an agent that starts later would find out, when their contents are lost.
 * Callers:    At start after what the kernel enforces was read, and each tick.
 */
#pragma once

struct tw_enforcement;

/* Logs missing files for which the kernel has state. */
void tw_mend_begin(struct tw_enforcement *enforcement);
/* Checks once a second that the files are those that were written. */
void tw_mend_tick(struct tw_enforcement *enforcement);
