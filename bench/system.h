/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* system.h: the measured systems: ways to connect and filter the ports of one host.
 *
 * What:       each system has its own namespaces and is started from the same rules. Most run in
 *             the sender's context. If a system has processes that forward frames or decide about
 *             them (`workers`), their CPU time is added.
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

/* Files for the systems. Only `agent` and the three forms of the rules must be set. */
struct tw_bench_files {
	const char *agent;	/* tapwalld */
	const char *policy;	/* the rules for tapwall */
	const char *ruleset;	/* the rules for nft */
	const char *flows;	/* the rules for Open vSwitch */
	const char *ask_policy; /* policy that asks about every connection; NULL: none */
	const char *slowd;	/* tapwall-slowd; NULL: none */
	const char *decider;	/* tapwall-bench-decider, which answers */
	const char *vm_kernel;	/* kernel of the virtual machine */
	const char *vm_image;
	const char *vm_accel; /* kvm or tcg */
	const char *vm_why;   /* reason why there is no virtual machine */
	const char *
		vm_khz; /* rate of the time stamp counter for emulated machines; NULL: measured at boot */
	const char *appliance;	     /* the script tapwall-appliance; NULL: none */
	const char *appliance_image; /* directory of the service VM's image */
	const char *appliance_why;   /* reason why there is no service VM */
	size_t vm_rules_max;	     /* the virtual machine is skipped for longer lists; 0: never */
	size_t n_rules;		     /* rules in the list; 0: bench/policy.yaml */
};

#define TW_BENCH_WORKERS 2

struct tw_bench_system {
	const char *name; /* name in results.json */
	bool filters;	  /* denies what the rules deny */
	bool essential;	  /* if it cannot run, the benchmark ends */
	/* Maximum of frames in flight through the workers; 0: no workers. */
	size_t in_flight;
	int (*start)(struct tw_bench_system *system, const struct tw_bench_files *files,
		struct tw_err *err);

	/* Set while the system runs. */
	bool runs;
	struct tw_bench_net net;
	int inner; /* namespace of the filter, if it has its own; otherwise -1 */
	pid_t agent;
	pid_t slowd;
	pid_t workers[TW_BENCH_WORKERS];
	uint32_t n_conns; /* connections opened so far by frames */
	/* Frames of the permanent connection. */
	struct tw_bench_frame heartbeat[TW_BENCH_ENDS];
};

extern struct tw_bench_system tw_bench_systems[];
extern const size_t tw_bench_n_systems;

/* Sets up the system and opens the permanent connection. If this fails, the system does not run. */
int tw_bench_system_start(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
void tw_bench_system_stop(struct tw_bench_system *system);
/* Returns the CPU time that the workers have used so far. */
uint64_t tw_bench_system_workers_ns(const struct tw_bench_system *system);

/* Start functions of single systems, for the table. */
int tw_bench_start_tapwall(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_tapwall_vswitch(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_slow(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_ask(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_ask_vm(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_ovs(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
int tw_bench_start_vm(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
/* Moves the b ports to a second bridge, br1, for systems with a firewall between two halves of a
 * network. */
int tw_bench_split(struct tw_bench_net *net, struct tw_err *err);
