/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* walk.h: iterates over the connection table in bounded steps.
 *
 * A record that exists from the first step to the last is visited once; one that comes or goes
 * meanwhile may be missed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/kernel/conns.h"

#define TW_WALK_STEP	     2048 /* records per step, at most */
#define TW_WALK_STEP_BUCKETS 4096 /* buckets per step, at most: most may be empty */

struct tw_walk {
	struct tw_conns table;
	bool ended;
	uint32_t bucket; /* next bucket */
	struct tw_key *keys;
	struct tw_conn *conns;
};

int tw_walk_init(struct tw_walk *walk, const struct tw_kernel *kernel); /* 0 or negative errno */
void tw_walk_done(struct tw_walk *walk);
void tw_walk_rewind(struct tw_walk *walk);
/* Reads the next records into walk->keys and walk->conns. Returns their number. walk->ended marks
 * the end, and may be set together with the last records. */
size_t tw_walk_step(struct tw_walk *walk);
