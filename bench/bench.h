/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bench.h: what a frame costs on its way between two taps of one bridge.
 *
 * Why:        write() on a tap runs a frame's whole way (tap, bridge, filter, far tap's queue) in
 *             the caller's context, so the CPU time of the writing thread is the cost of the way:
 *             no scheduler, no second CPU and no wall clock in the figure.
 * Systems:    each stands in a network namespace of its own, all at once, and they are measured in
 *             turn, so that what disturbs the machine disturbs all of them alike.
 * Invariants: 1. Nothing outlives the process: namespaces and mounts have no name, children are
 *                killed with their parent.
 *             2. A run whose frames did not all arrive (or, where they must not, did) is an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* The two guests; tap-a's sends, tap-b's receives. */
enum tw_bench_end { TW_BENCH_A, TW_BENCH_B, TW_BENCH_ENDS };

#define TW_BENCH_BATCH	   256 /* frames written in one go; the far tap's queue holds 1000 */
#define TW_BENCH_FRAME_MAX 2048
#define TW_BENCH_PORT_OPEN 5432 /* the policy allows 5432 … 5441 from a to b */
#define TW_BENCH_N_OPEN	   10
#define TW_BENCH_PORT_SHUT 23

/* ---- net.c: namespaces, taps, commands ---- */

struct tw_bench_net {
	int ns;			/* network namespace */
	int tap[TW_BENCH_ENDS]; /* non-blocking, with a virtio header before each frame */
};

/* Enters a mount namespace of its own with a scratch folder; once, before all else. */
int tw_bench_isolate(struct tw_err *err);
const char *tw_bench_scratch(void); /* holds bpf/ (a bpffs) */

/* A namespace with a bridge and two taps, up, without IPv6 and without bridge netfilter. */
int tw_bench_net_new(struct tw_bench_net *ret, struct tw_err *err);
void tw_bench_net_done(struct tw_bench_net *net);
int tw_bench_net_enter(const struct tw_bench_net *net, struct tw_err *err);
/* Writes a sysctl of the current network namespace, `name` below /proc/sys/net. */
int tw_bench_sysctl(const char *name, const char *value, struct tw_err *err);
/* Runs a command in the current namespaces with `input` (or nothing) on stdin; -EIO if it fails. */
int tw_bench_command(const char *const *argv, const char *input, struct tw_err *err);
/* Starts a command that ends with this process. Returns its pid or a negative errno. */
pid_t tw_bench_start(const char *const *argv, const char *log, struct tw_err *err);

/* ---- frame.c: frames of the two guests ---- */

struct tw_bench_frame {
	size_t len; /* with the virtio header */
	uint8_t data[TW_BENCH_FRAME_MAX];
};

#define TW_BENCH_VNET_LEN 10 /* struct virtio_net_hdr */

/* A TCP segment from `from` to the other guest, `frame_len` bytes from the Ethernet header; its
 * checksum is left to the receiver's side of the bridge, as a virtio guest does. */
struct tw_bench_tcp {
	enum tw_bench_end from;
	uint16_t sport;
	uint16_t dport;
	uint8_t flags; /* TH_* */
	uint32_t seq;
	uint32_t ack;
	size_t frame_len;
};

void tw_bench_frame_tcp(struct tw_bench_frame *frame, const struct tw_bench_tcp *tcp);
/* Whether a frame read from a tap (with virtio header) is one of ours, not the bridge's own. */
bool tw_bench_frame_is_ours(const uint8_t *data, size_t len);

/* ---- system.c: who is measured ---- */

/* What the systems are made from. */
struct tw_bench_files {
	const char *agent;   /* tapwalld */
	const char *policy;  /* for it */
	const char *ruleset; /* the same for nft */
};

struct tw_bench_system {
	const char *name; /* as in results.json */
	bool filters;	  /* denies what the policy denies */
	int (*start)(struct tw_bench_system *system, const struct tw_bench_files *files,
		struct tw_err *err);
	struct tw_bench_net net;
	pid_t agent;	  /* its user-space part, 0 without one */
	uint32_t n_conns; /* opened so far by new-connection */
};

extern struct tw_bench_system tw_bench_systems[];
extern const size_t tw_bench_n_systems;

/* Sets the system up in a namespace of its own and opens the connection that stays. */
int tw_bench_system_start(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err);
/* CPU time that the system's user-space part has used so far. */
uint64_t tw_bench_system_agent_ns(const struct tw_bench_system *system);
void tw_bench_system_stop(struct tw_bench_system *system);

/* ---- scenario.c: what is measured ---- */

struct tw_bench_scenario {
	const char *name; /* as in results.json */
	size_t frame_len;
	uint16_t dport;
	bool opens;  /* each frame opens a connection */
	bool denied; /* by every system but `bare` */
};

extern const struct tw_bench_scenario tw_bench_scenarios[];
extern const size_t tw_bench_n_scenarios;

/* Opens the connection that stays; the bridge learns both MACs. */
int tw_bench_shake_hands(struct tw_bench_net *net, struct tw_err *err);
/* Sends n_batches of the scenario's frames through the system. CPU ns per frame of this thread. */
int tw_bench_measure(struct tw_bench_system *system, const struct tw_bench_scenario *scenario,
	size_t n_batches, double *ret_ns, struct tw_err *err);

/* ---- series.c: repeated figures ---- */

struct tw_bench_series {
	double *at;
	size_t n;
	size_t max;
};

int tw_bench_series_add(struct tw_bench_series *series, double value);
/* Sorts the series. 0 when it is empty. */
double tw_bench_series_median(struct tw_bench_series *series);
void tw_bench_series_done(struct tw_bench_series *series);

/* ---- program.c: ns inside the programs ---- */

enum tw_bench_case { TW_BENCH_ESTABLISHED, TW_BENCH_NEW, TW_BENCH_DENIED, TW_BENCH_CASES };

/* Adds `rounds` figures to each series: ns in both programs for one frame, less what two empty
 * programs take. */
int tw_bench_program(const char *policy_file, size_t rounds,
	struct tw_bench_series ret[static TW_BENCH_CASES], struct tw_err *err);
