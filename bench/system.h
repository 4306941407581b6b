/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* system.h: the measured systems: ways to connect and filter the ports of one host.
 *
 * What:       each system has its own namespaces and is started from the same rules. Most work in
 *             the context of the sender of a frame. For systems whose processes forward frames
 *             (`workers`), the CPU time of these is added.
 * Ends:       tw_bench_system_stop(), or with the process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "bench/frame.h"
#include "bench/net.h"

/* What the systems are made from; all may be NULL but `agent` and the three forms of the rules. */
struct tw_bench_files {
	const char *agent;     /* tapwalld */
	const char *policy;    /* the rules, for it */
	const char *ruleset;   /* the same for nft */
	const char *flows;     /* the same for Open vSwitch */
	const char *vm_kernel; /* what the virtual machine boots */
	const char *vm_image;
	const char *vm_accel; /* kvm or tcg */
	const char *vm_why;   /* why there is none */
	size_t vm_rules_max;  /* it is given no longer lists; 0: any */
	size_t n_rules;	      /* of the list; 0: it is bench/policy.yaml */
};

#define TW_BENCH_WORKERS 2

struct tw_bench_system {
	const char *name; /* as in results.json */
	bool filters;	  /* denies what the rules deny */
	bool essential;	  /* without it there is nothing to measure */
	/* Frames that may be on their way at once through the workers; 0: there are none. */
	size_t in_flight;
	int (*start)(struct tw_bench_system *system, const struct tw_bench_files *files,
		struct tw_err *err);

	/* From start to stop. */
	bool runs;
	struct tw_bench_net net;
	int inner; /* namespace of the filter where it has one of its own, else -1 */
	pid_t agent;
	pid_t workers[TW_BENCH_WORKERS];
	uint32_t n_conns; /* opened so far by frames */
	/* Frames of the connection that stays. */
	struct tw_bench_frame heartbeat[TW_BENCH_ENDS];
};

extern struct tw_bench_system tw_bench_systems[];
extern const size_t tw_bench_n_systems;

/* Sets the system up and opens the connection that stays. On failure it does not run. */
int tw_bench_system_start(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
void tw_bench_system_stop(struct tw_bench_system *system);
/* CPU time that the workers have used so far. */
uint64_t tw_bench_system_workers_ns(const struct tw_bench_system *system);

/* Starts of single systems, for the table. */
int tw_bench_start_tapwall(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_tapwall_vswitch(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_ovs(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_vm(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
/* The hosts of a firewall between two halves of a network: moves the b ports to a second bridge,
 * br1. */
int tw_bench_split(struct tw_bench_net *net, struct tw_err *err);
