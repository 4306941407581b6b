/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* wire.h: carries frames, and connections of TCP stacks, through a system and tells what it cost.
 *
 * Why:        write() on a tap runs a frame's whole way (tap, bridge, filter, far tap's queue) in
 *             the caller's context, so the CPU time of the writing thread is the cost of the way:
 *             no scheduler and no other process is in the figure. A system whose processes carry
 *             frames on is given a bounded number of them at once, and the CPU time of all threads
 *             of these processes, from the first frame to the arrival of the last, is added.
 * Invariants: 1. A run whose frames did not all arrive (or, where they must not, did) is an error.
 *             2. What reading at the far end costs is in no figure but wall time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/system.h"

#define TW_BENCH_CLIENT_PORT 40000 /* of the connection that stays */
#define TW_BENCH_BATCH	     256   /* frames written in one go; the far tap's queue holds 1000 */

struct tw_bench_cost {
	uint64_t cpu_ns;
	uint64_t wall_ns; /* with reading at the far end */
};

/* Opens the connection that stays, by its three segments; a bridge learns both MACs. */
int tw_bench_wire_open(struct tw_bench_system *system, struct tw_err *err);
/* Sends `n` frames of `from` in one go: frames[i], or frames[0] over and over if `same`. At most
 * TW_BENCH_BATCH. Waits until they have arrived, or were denied if not `arrive`. Adds to `cost`, but
 * for the workers' part of it. */
int tw_bench_wire_send(struct tw_bench_system *system, enum tw_bench_end from,
	const struct tw_bench_frame *frames, bool same, size_t n, bool arrive,
	struct tw_bench_cost *cost, struct tw_err *err);
/* Reads away what waits at both taps. */
void tw_bench_wire_clear(struct tw_bench_system *system);
/* One frame of the connection that stays, there and read: wall time. */
int tw_bench_wire_ping(struct tw_bench_system *system, uint64_t *ret_ns, struct tw_err *err);
/* Sets *ret_arrived to true if a frame arrives; with workers, before a later one does. */
int tw_bench_wire_try(struct tw_bench_system *system, enum tw_bench_end from,
	const struct tw_bench_frame *frame, bool *ret_arrived, struct tw_err *err);

/* crr.c: opens `n` TCP connections, one after the other, between the two guests with a stack; on
 * each, a request, a response, and both close. Both stacks run in this thread. */
int tw_bench_connections(
	struct tw_bench_system *system, size_t n, struct tw_bench_cost *ret, struct tw_err *err);

uint64_t tw_bench_thread_ns(void); /* CPU time of this thread */
uint64_t tw_bench_wall_ns(void);
