/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* keep.h: keeps the programs of an earlier agent if this one would load identical ones (for this
 * folder only).
 *
 * Why:        the verifier takes two seconds for programs that it has accepted before. A restarted
 *             or reconfigured agent need not load them again.
 * What:       every program is pinned in <bpffs>/progs. Maps that only programs use are pinned
 *             beside the others: `rodata`, with a fingerprint of the object and all decisions of
 *             the loader, and the scratch memory. Either all programs are kept, or none.
 * Invariants: 1. A program is kept only if it is of the same object, has the same read-only data,
 *                and uses the pinned maps and no others.
 *             2. If an agent ends while it pins, the next one keeps nothing that is incomplete.
 */
#pragma once

#include "base/err.h"

struct tw_kernel;

/* Sets facts.kept if there are programs to keep, and takes their fds. Called once the object uses
 * the pinned maps. */
void tw_keep_find(struct tw_kernel *kernel);

/* Sets the handle's fds of single programs, once all are kept or loaded. */
void tw_keep_take(struct tw_kernel *kernel);

/* Pins the loaded programs in place of the earlier ones. */
int tw_keep_pin(struct tw_kernel *kernel, struct tw_err *err);

void tw_keep_done(struct tw_kernel *kernel);
