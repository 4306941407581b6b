/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* pattern.h: patterns of interface names: a name, or the beginning of a name followed by `*`.
 *
 * Only a trailing `*` is accepted, because the latch gives the same patterns to netfilter.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define TW_PATTERNS_MAX 16

struct tw_pattern {
	char text[IFNAMSIZ]; /* without the `*` */
	bool prefix;	     /* true if a `*` followed */
};

struct tw_patterns {
	struct tw_pattern at[TW_PATTERNS_MAX];
	size_t n;
};

/* Reads a comma-separated list. `option` is the place for errors. Returns 0, or -EINVAL with
 * `ret` untouched. */
int tw_patterns_parse(
	const char *option, const char *text, struct tw_patterns *ret, struct tw_err *err);
bool tw_patterns_match(const struct tw_patterns *patterns, const char *name);
