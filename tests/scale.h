/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* scale.h: the volume of random tests. The usual volume finds every known kind of fault many times
 * over; SCALE=full in the environment searches for unknown ones. */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TW_SCALE_FULL 50

/* Returns the factor by which a random test multiplies its usual volume. */
static inline size_t tw_scale(void)
{
	const char *scale = getenv("SCALE");

	return scale && !strcmp(scale, "full") ? TW_SCALE_FULL : 1;
}
