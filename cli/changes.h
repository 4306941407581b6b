/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* changes.h: prints how two policies differ in what they mean.
 *
 * Callers:    diff, apply, policy diff.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

struct tw_changes_view {
	bool json;    /* one object per change instead of text */
	size_t limit; /* changes to print as text, after which only their number is printed; 0: all */
};

/* Prints the changes; a rule with its text before and after. Sets *ret_n to their number. `old` NULL:
 * everything is new. Returns an exit code. */
int tw_changes_print(const struct tw_policy *old, const struct tw_policy *now,
	const struct tw_changes_view *view, size_t *ret_n);
