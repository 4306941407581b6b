/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stats.h: the size of a policy's images, for `check --stats`. */
#pragma once

#include <jansson.h>

#include "base/vec.h"
#include "policy/policy.h"

/* One image, and the workloads' ports that share it. */
struct tw_stats_image {
	struct tw_image_key key;
	TW_VEC(const char *) workloads;
	double compile_ms;
	size_t bytes;
	size_t n_entries[TW_DIR__MAX];
	struct tw_image_facts *views;
	size_t n_views;
};

struct tw_stats {
	TW_VEC(struct tw_stats_image) images;
	size_t n_members; /* addresses in the table of group members, apart from the images */
};

/* Compiles the images of all ports, equal ones only once. Returns 0, -E2BIG with `diags` filled, or
 * -ENOMEM. */
int tw_stats_make(struct tw_stats *stats, const struct tw_policy *policy, struct tw_diags *diags);
void tw_stats_done(struct tw_stats *stats);

int tw_stats_print(const struct tw_stats *stats); /* returns an exit code */
json_t *tw_stats_json(const struct tw_stats *stats);
