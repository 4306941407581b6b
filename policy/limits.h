/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* limits.h: the key `limits`: what a port's guest may take of what all share.
 *
 * Three places say it, the nearer one wins, key by key: a `ports:` entry, its workload, `options`. */
#pragma once

#include "policy/reader.h"

/* Reads a `limits` mapping into `ret`, which comes in empty. */
void tw_read_limits(struct tw_reader *r, const struct tw_node *map, struct tw_limits *ret);
/* `{packets: 50000/s, …}`: what was said, in the order of enum tw_limit. */
void tw_limits_print(const struct tw_limits *limits, struct tw_buf *out);
/* The same for a single rate, `1000/s` or `none`, which is 0. Returns false with the error told. */
bool tw_limits_read_rate(
	struct tw_reader *r, const struct tw_node *value, const char *name, uint32_t *ret);
void tw_limits_print_rate(uint32_t rate, struct tw_buf *out);
/* Takes from `wide` what `limits` does not say. */
void tw_limits_inherit(struct tw_limits *limits, const struct tw_limits *wide);
