/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conns.h: the kernel's connection table as user space sees it: mapped, read without a system call.
 *
 * Invariants: 1. Reading takes no lock and holds up no packet: a record is copied, and taken only if
 *                its tag was the same before and after.
 *             2. Nothing is written but when a record was seen last, by tw_conns_expire(), and all by
 *                tw_conns_clear(), which is for tests: records are opened and ended by the programs
 *                alone (fastpath/path/conntrack/conns.h).
 * Callers:    the agent, tests. A view is one thread's; any number of views may be open.
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

/* 0 or negative errno. The table of the handle is mapped until tw_conns_close(). */
int tw_conns_open(struct tw_conns *ret, const struct tw_kernel *kernel);
/* The same of a table of which nothing but the descriptors of its maps, `buckets` and `conns`, is known. */
int tw_conns_map(struct tw_conns *ret, int buckets_fd, int conns_fd, uint32_t n_buckets);
void tw_conns_close(struct tw_conns *conns);
/* Copies the records of a bucket, live or ended, and their keys; how many. */
size_t tw_conns_read(const struct tw_conns *conns, uint32_t bucket,
	struct tw_key keys[TW_BUCKET_SLOTS], struct tw_conn records[TW_BUCKET_SLOTS]);
/* Gives a record of the buckets from `bucket` to before `end`, which was read as `read`, the flag TW_CONN_F_GONE,
 * and has it be seen last at tick `seen`. False if it is not there any more, or a packet was faster. */
bool tw_conns_expire(struct tw_conns *conns, uint32_t bucket, uint32_t end,
	const struct tw_conn *read, uint32_t seen);
/* Empties the table. No program may be running. */
void tw_conns_clear(struct tw_conns *conns);

/* Has the programs end what has expired in the next `n_buckets` buckets, which they tell as TW_EVENT_CLOSE,
 * and notes that at tick `now` somebody saw to it. 0 or negative errno. */
int tw_kernel_sweep(struct tw_kernel *kernel, uint32_t n_buckets, uint32_t now);

/* Gives back sets of connections beyond their ports' half-open quotas that nothing is left in. Goes through them
 * in steps; zeroed to begin with. */
struct tw_overflow_walk {
	uint32_t key; /* of the next set */
	bool begun;
	uint8_t map;			  /* 0: `overflows`, 1: `overflows_few` */
	uint32_t counting[TW_PORTS_MAX];  /* connections met in the walk at hand, by port */
	uint32_t untracked[TW_PORTS_MAX]; /* … and in the last whole one */
};

/* Looks at the next `n` sets at tick `now`. 0 or negative errno. */
int tw_kernel_sweep_overflows(
	struct tw_kernel *kernel, struct tw_overflow_walk *walk, uint32_t n, uint32_t now);
