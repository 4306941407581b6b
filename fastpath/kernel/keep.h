/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* keep.h: programs that an earlier agent left in force stay, where this one would load the very same
 * (inside this folder only).
 *
 * Why:        the verifier takes two seconds for programs that it has allowed before; an agent that
 *             returns, or is configured anew, need not have them read again.
 * What:       every program is pinned in <bpffs>/progs, and beside the other maps those that only
 *             programs use: `rodata`, which holds a print of the object and all that the loader decides,
 *             and the scratch memory. Programs are kept all or none.
 * Invariants: 1. Kept are only programs of the same object, with the same read-only data, that use the
 *                pinned maps and no others.
 *             2. Whatever ends an agent while it pins, the next one finds nothing to keep that is not whole.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct tw_kernel;

/* Looks for them once the object's maps are those that are pinned: true if there are such, and then the
 * object is not to load programs of its own. */
bool tw_keep_find(struct tw_kernel *kernel);

/* Hands out the fds of the programs, once the object is loaded. */
void tw_keep_take(struct tw_kernel *kernel);

/* Pins what was loaded in place of what was pinned before. */
int tw_keep_pin(struct tw_kernel *kernel, struct tw_err *err);

void tw_keep_done(struct tw_kernel *kernel);
