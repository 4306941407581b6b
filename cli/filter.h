/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* filter.h: selects connections and events by protocol, ends and rule, on the client's side. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"
#include "policy/policy.h"

/* A selection. Texts are those of the options; NULL and 0 select everything. */
struct tw_filter {
	const char *proto;
	const char *address; /* address or CIDR of either end */
	const char *rule;    /* name of the rule that decided at either end */
	uint32_t port;	     /* port of either end */
	/* set by tw_filter_init() */
	char proto_name[8];
	bool has_prefix;
	struct tw_prefix prefix;
};

/* Reads the texts and prints errors. Returns an exit code. */
int tw_filter_init(struct tw_filter *filter);
/* True if the filter leaves anything out. */
bool tw_filter_is_set(const struct tw_filter *filter);
/* True if a connection or a frame is selected. Ends and gates may be NULL. `rule` is that of the end
 * that decided; "" if it is not known. */
bool tw_filter_has(const struct tw_filter *filter, const char *proto, const Tapwall__V1__End *from,
	const Tapwall__V1__End *to, const Tapwall__V1__Gate *out, const Tapwall__V1__Gate *in,
	const char *rule);
