/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* limits.h: the key `limits`: a guest's share of common resources.
 *
 * A `ports:` entry, its workload and `options` may have it. For each limit, the most specific place
 * wins. */
#pragma once

#include "policy/reader.h"

/* Reads a `limits` mapping into `ret`, which must be empty. */
void tw_limits_read(struct tw_reader *r, const struct tw_node *map, struct tw_limits *ret);
/* Prints `{packets: 50000/s, …}`: the given limits, in the order of enum tw_limit. */
void tw_limits_print(const struct tw_limits *limits, struct tw_buf *out);
/* Reads a single rate, `1000/s` or `none` (0). Returns false after reporting an error. */
bool tw_limits_read_rate(
	struct tw_reader *r, const struct tw_node *value, const char *name, uint32_t *ret);
void tw_limits_print_rate(uint32_t rate, struct tw_buf *out);
/* Copies the limits from `wide` that `limits` does not give. */
void tw_limits_inherit(struct tw_limits *limits, const struct tw_limits *wide);
