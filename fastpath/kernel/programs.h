/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* programs.h: makes the object's maps, and loads its programs with several threads.
 *
 * Why:        the verifier takes most of a second for the full path of each direction. libbpf loads
 *             the programs of an object one after the other.
 * What:       the handle's object makes the maps. For each thread, the object is opened again with
 *             these maps, and loads the programs of one share.
 * Callers:    load.c, once the object uses the pinned maps and keep.h has found what is kept. The
 *             threads end before the call returns.
 */
#pragma once

#include "base/err.h"

struct tw_kernel;

/* Fills `programs` with the fds of the loaded programs, unless programs are kept, and sets
 * facts.verified. 0 or negative errno with `err` filled. */
int tw_programs_load(struct tw_kernel *kernel, struct tw_err *err);
