/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* applied.h: what a policy changes against the one before, by name. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "policy/policy.h"

struct tw_inforce;
struct tw_plan;

struct tw_name_list {
	char **at; /* owned, as is each name */
	size_t n;
	size_t max;
};

struct tw_applied {
	struct tw_name_list rules[TW_CHANGE_CHANGED + 1];     /* by enum tw_change */
	struct tw_name_list workloads[TW_CHANGE_CHANGED + 1]; /* by enum tw_change */
	struct tw_name_list ports;			      /* whose image or identity changes */
	bool unchanged;					      /* the policies mean the same */
	bool failed;					      /* out of memory while filling */
	uint64_t generation;
	uint64_t compile_ns;
	uint64_t publish_ns;
};

/* `old` may be NULL. 0 or -ENOMEM. */
int tw_applied_fill(struct tw_applied *applied, const struct tw_inforce *old,
	const struct tw_inforce *now, const struct tw_plan *plan);
void tw_applied_done(struct tw_applied *applied);
