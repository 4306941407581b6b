/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conns.h: the kernel's connection table in user space: mapped, read without a system call.
 *
 * Invariants: 1. Reading takes no lock and delays no packet: a record is copied, and valid only if
 *                its tag was the same before and after.
 *             2. Only the programs open and end records (fastpath/path/conntrack/conns.h).
 *                tw_conns_expire() sets two fields of a record; tw_conns_clear() is for tests.
 * Callers:    the agent, tests. A view belongs to one thread; any number of views may be open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/types.h"

struct tw_kernel;

struct tw_conns {
	struct tw_bucket *buckets;
	struct tw_conn *records; /* by tw_record_number() */
	uint32_t n_buckets;
};

/* Maps the table of the handle until tw_conns_close(). 0 or negative errno. */
int tw_conns_open(struct tw_conns *ret, const struct tw_kernel *kernel);
/* As tw_conns_open(), for a table known only by the descriptors of its maps, `buckets` and
 * `conns`. */
int tw_conns_map(struct tw_conns *ret, int buckets_fd, int conns_fd, uint32_t n_buckets);
void tw_conns_close(struct tw_conns *conns);
/* Copies the records of a bucket, live or ended, and their keys. Returns their number. */
size_t tw_conns_read(const struct tw_conns *conns, uint32_t bucket,
	struct tw_key keys[TW_BUCKET_SLOTS], struct tw_conn records[TW_BUCKET_SLOTS]);
/* Finds the record that was read as `read`, in the buckets from `bucket` to before `end`. Sets its
 * flag TW_CONN_F_GONE, and the tick when it was last seen to `seen`. False if the record is no
 * longer there, or if a packet was faster. */
bool tw_conns_expire(struct tw_conns *conns, uint32_t bucket, uint32_t end,
	const struct tw_conn *read, uint32_t seen);
/* Empties the table. No program may be running. */
void tw_conns_clear(struct tw_conns *conns);

/* Ends the expired records of the next `n_buckets` buckets by the programs, which report
 * TW_EVENT_CLOSE, and notes tick `now` as the agent's last sweep. 0 or negative errno. */
int tw_kernel_sweep(struct tw_kernel *kernel, uint32_t n_buckets, uint32_t now);

/* State of the stepwise walks that free empty sets of connections beyond their ports' half-open
 * quotas. Zeroed before the first walk. */
struct tw_overflow_walk {
	uint32_t key; /* key of the next set */
	bool begun;
	bool finding;			  /* the current walk has found a set */
	bool found;			  /* the last complete walk found one */
	uint8_t map;			  /* 0: `overflows`, 1: `overflow_few` */
	uint32_t ended;			  /* tick when the last walk was complete */
	uint32_t counting[TW_PORTS_MAX];  /* connections found in the current walk, by port */
	uint32_t untracked[TW_PORTS_MAX]; /* connections found in the last complete walk */
};

/* True if tw_kernel_sweep_overflows() has something to do at tick `now`: a walk is under way, the
 * last one found sets, or a port may have new ones (`in_use`). Ports do not show every set, so a
 * walk is also due every TW_OVERFLOW_TICKS. It is not due more often, because the kernel looks at
 * each bucket of a hash map to find that the map is empty. */
bool tw_overflow_walk_due(const struct tw_overflow_walk *walk, bool in_use, uint32_t now);

/* Checks the next `n` sets at tick `now`. 0 or negative errno. */
int tw_kernel_sweep_overflows(
	struct tw_kernel *kernel, struct tw_overflow_walk *walk, uint32_t n, uint32_t now);
