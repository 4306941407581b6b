/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* clock.h: the clock of the fast path, read from user space. */
#pragma once

#include <stdint.h>
#include <time.h>

#include "fastpath/abi/types.h"

static inline uint64_t tw_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint32_t tw_clock_tick(void)
{
	return (uint32_t)(tw_clock_ns() >> TW_TICK_SHIFT);
}

static inline double tw_clock_tick_seconds(uint32_t ticks)
{
	return (double)((uint64_t)ticks << TW_TICK_SHIFT) / 1e9;
}

static inline uint64_t tw_clock_unix_ns(uint64_t ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - (tw_clock_ns() - ns);
}

/* Unix time of a moment of the monotonic clock. */
static inline double tw_clock_unix(uint64_t ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
	       (double)(int64_t)(tw_clock_ns() - ns) / 1e9;
}
