/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* wire.h: sends frames, and connections of TCP stacks, through a system and measures their cost.
 *
 * Why:        write() on a tap processes a frame on its whole path (tap, bridge, filter, queue of
 *             the far tap) in the caller's context. So the CPU time of the writing thread is the
 *             cost of the path, without scheduler and other processes. If a system forwards frames
 *             in processes, a bounded number of frames is sent at once, and the CPU time of all
 *             threads of these processes is added, from the first frame to the arrival of the last.
 * Invariants: 1. A run is an error if frames did not arrive, or if frames that must be denied did.
 *             2. The cost of reading at the far end is part of wall time only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/system.h"

#define TW_BENCH_CLIENT_PORT 40000 /* port of the permanent connection's client */
#define TW_BENCH_BATCH	     256   /* frames written at once; the far tap's queue holds 1000 */

struct tw_bench_cost {
	uint64_t cpu_ns;
	uint64_t wall_ns; /* includes reading at the far end */
};

/* Opens the permanent connection with its three segments. Bridges learn both MACs from them. */
int tw_bench_wire_open(struct tw_bench_system *system, struct tw_err *err);
/* Sends `n` frames of `from`, at most TW_BENCH_BATCH: frames[i], or frames[0] each time if `same`.
 * Waits until they have arrived or, if not `arrive`, were denied. Adds to `cost` all but the
 * workers' CPU time. */
int tw_bench_wire_send(struct tw_bench_system *system, enum tw_bench_end from,
	const struct tw_bench_frame *frames, bool same, size_t n, bool arrive,
	struct tw_bench_cost *cost, struct tw_err *err);
/* Discards the frames that wait at both taps. */
void tw_bench_wire_clear(struct tw_bench_system *system);
/* Measures the wall time of one frame of guest a, from its write to its read. */
int tw_bench_wire_ping(struct tw_bench_system *system, const struct tw_bench_frame *frame,
	uint64_t *ret_ns, struct tw_err *err);
/* Sets *ret_arrived to true if the frame arrives. With workers, the arrival of a later frame
 * proves that this one was lost. */
int tw_bench_wire_try(struct tw_bench_system *system, enum tw_bench_end from,
	const struct tw_bench_frame *frame, bool *ret_arrived, struct tw_err *err);

/* Opens `n` TCP connections between the two guests with a stack, one after the other, with a
 * request, a response and a close each. Both stacks run in this thread. In crr.c. */
int tw_bench_connections(
	struct tw_bench_system *system, size_t n, struct tw_bench_cost *ret, struct tw_err *err);

uint64_t tw_bench_thread_ns(void); /* CPU time of this thread */
uint64_t tw_bench_wall_ns(void);
