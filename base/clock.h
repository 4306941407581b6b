/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* clock.h: the monotonic clock, which the fast path uses too, and wall-clock time. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t tw_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Returns the Unix time in nanoseconds of a time of the monotonic clock. */
static inline uint64_t tw_clock_unix_ns(uint64_t ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - (tw_clock_ns() - ns);
}

/* Returns the Unix time in seconds of a time of the monotonic clock. */
static inline double tw_clock_unix(uint64_t ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9 -
	       (double)(int64_t)(tw_clock_ns() - ns) / 1e9;
}
