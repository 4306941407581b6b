/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* inline.h: how the functions of the path are compiled.
 *
 * Why:        a BPF program has five registers for arguments and 512 bytes of stack for a whole chain of
 *             calls, so that the path is one function there, but for what a target runs apart. A native
 *             compiler judges better by itself: forced, a sanitized build of native.c takes 84 s instead
 *             of 7.
 */
#pragma once

#ifdef __bpf__
#define tw_inline static inline __attribute__((always_inline))
#else
#define tw_inline static inline __attribute__((unused))
#endif
