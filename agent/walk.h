/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* walk.h: goes through the connection table in bounded steps.
 *
 * A record that is there from the first step to the last is met once; one that comes or goes
 * meanwhile may be missed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/types.h"

#define TW_WALK_STEP 2048 /* records a step */

struct tw_walk {
	int map_fd;
	bool started;
	bool ended;
	uint32_t bucket; /* where the kernel goes on */
	struct tw_key *keys;
	struct tw_conn *conns;
};

int tw_walk_init(struct tw_walk *walk, int conns_fd); /* 0 or -ENOMEM */
void tw_walk_done(struct tw_walk *walk);
void tw_walk_rewind(struct tw_walk *walk);
/* The next records, walk->keys[0 … *ret_n) and walk->conns. 0 or a negative errno; the end is
 * walk->ended, which may come with the last records. */
int tw_walk_step(struct tw_walk *walk, size_t *ret_n);
