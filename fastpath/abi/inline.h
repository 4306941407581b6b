/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* inline.h: inlining of the path's functions.
 *
 * Why:        a BPF program has five registers for arguments and 512 bytes of stack for a whole
 *             call chain, so the path is one function there, except for subprograms. A native
 *             compiler decides better by itself: with forced inlining, a sanitized build of
 *             native.c takes 84 s instead of 7.
 */
#pragma once

#ifdef __bpf__
#define tw_inline static inline __attribute__((always_inline))
#else
#define tw_inline static inline __attribute__((unused))
#endif
