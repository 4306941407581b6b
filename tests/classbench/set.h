/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* set.h: a ClassBench filter set with its header trace, and a linear search for the matching
 * rule. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"

struct set_rule {
	uint32_t addr[2], mask[2]; /* source, destination; host order */
	uint16_t low[2], high[2];  /* source and destination ports */
	uint8_t proto;
	uint8_t proto_mask; /* 0: any */
	uint8_t len[2];
};

struct set_header {
	uint32_t addr[2];
	uint16_t port[2];
	uint8_t proto;
	uint32_t first; /* number of the first rule that matches; n_rules: none */
};

struct set {
	TW_VEC(struct set_rule) rules;
	TW_VEC(struct set_header) headers;
};

/* Reads both files; exits with a message if one cannot be read. */
void set_read(struct set *set, const char *rules, const char *headers);
void set_done(struct set *set);

/* Finds each header's first rule by a linear search. */
void set_match(struct set *set);

/* Prints the rules as policy text, in order, as a list for `rules:`. */
void set_print_rules(const struct set *set, struct tw_buf *out);
