/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* pattern.h: which interfaces are ports: names, or beginnings of names followed by `*`.
 *
 * Only a trailing `*` is taken, because the latch has the kernel match the same patterns.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TW_PATTERNS_MAX 16

struct tw_pattern {
	char text[IFNAMSIZ]; /* without the star */
	bool prefix;	     /* there was a star */
};

struct tw_patterns {
	struct tw_pattern at[TW_PATTERNS_MAX];
	size_t n;
};

/* Reads a comma-separated list; 0 or -EINVAL with `ret` untouched. `option` is where it stood. */
int tw_patterns_parse(
	const char *option, const char *text, struct tw_patterns *ret, struct tw_err *err);
bool tw_patterns_match(const struct tw_patterns *patterns, const char *name);
