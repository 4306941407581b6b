/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* clock.h: what a jiffy is on this kernel (clock.c; inside this folder only).
 *
 * Why:        the path needs the time of every frame to a few milliseconds. A call for it costs more
 *             than a map lookup does; bpf_jiffies64() is no call but one load.
 */
#pragma once

#include <stdint.h>

struct tw_clock {
	uint64_t jiffy_ns; /* 0: not known, do not use jiffies */
	uint64_t start_ns; /* CLOCK_MONOTONIC at jiffy 0, modulo 2^64 */
};

/* Reads jiffies and CLOCK_MONOTONIC together and finds the tick rate that explains both. Leaves
 * *ret untouched where none does, or the kernel does not let a program read jiffies. */
void tw_clock_calibrate(struct tw_clock *ret);
