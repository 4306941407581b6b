/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* samples.h: chooses connections that differing rules of two policies may decide. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"
#include "sim/tuple.h"

/* Calls `each` for at most `max` connections. Their vNICs are those of `old`. Sets *ret_n to their number, and
 * *ret_all to false if there were more. Returns 0 or -ENOMEM. */
int tw_samples_each(const struct tw_policy *old, const struct tw_policy *now, size_t max,
	void (*each)(void *arg, const struct tw_query *tuple), void *arg, size_t *ret_n,
	bool *ret_all);
