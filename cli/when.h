/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* when.h: reads points in time as people write them. */
#pragma once

#include <stdint.h>

/* Reads `now`, `today`, `yesterday` (their midnight, local time), a time ago such as 90s, 10m, 2h, 5d or 3w,
 * @UNIX-SECONDS, 14:05[:06] of today, or 2026-01-31[ 14:05[:06]] with a space or T, and Z for UTC. Seconds may
 * have a fraction. Sets `ret_us` to the Unix time in µs. Returns 0 or -EINVAL. `now_us` is the present time. */
int tw_when_read(const char *text, uint64_t now_us, uint64_t *ret_us);
/* Reads the value of an option, and prints an error if it is invalid. NULL leaves *ret_us as it is.
 * Returns an exit code. */
int tw_when_option(const char *option, const char *text, uint64_t *ret_us);
