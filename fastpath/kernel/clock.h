/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* clock.h: calibrates jiffies (clock.c; for this directory only).
 *
 * Why:        the path needs the time of every frame to a few milliseconds. A call for it costs
 *             more than a map lookup; bpf_jiffies64() is a single load.
 */
#pragma once

#include <stdint.h>

struct tw_clock {
	uint64_t jiffy_ns; /* 0: unknown, do not use jiffies */
	uint64_t start_ns; /* CLOCK_MONOTONIC at jiffy 0, modulo 2^64 */
};

/* Reads jiffies and CLOCK_MONOTONIC together and finds the tick rate that matches both. Leaves *ret
 * untouched if none does, or if the kernel lets no program read jiffies. */
void tw_clock_calibrate(struct tw_clock *ret);
