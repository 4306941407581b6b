/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* mend.h: notices that files of the state folder are missing or not those that were written, tells of it,
 * and has them written again.
 *
 * Why:        Otherwise an agent that starts later finds out, when what they said is lost.
 * Callers:    At start after what the kernel enforces was read, and each tick.
 */
#pragma once

struct tw_enforcement;

/* Tells of files that are missing though the kernel has what goes with them. */
void tw_mend_begin(struct tw_enforcement *enforcement);
/* Looks, once a second, whether the files are those that were written. */
void tw_mend_tick(struct tw_enforcement *enforcement);
