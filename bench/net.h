/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* net.h: the host of one system: a namespace with a bridge and the guests' ports.
 *
 *	 frames built here                    namespaces with a TCP stack
 *	   tap-a     tap-b                      veth-a       veth-b
 *	     └──┬──────┴───────────── br0 ────────┴────────────┘
 *
 * Invariants: 1. Namespaces have no names: they end with the last descriptor and process.
 *             2. The settings of other namespaces do not change.
 */
#pragma once

#include "base/err.h"

/* The two guests of a pair; a's sends or connects, b's receives or listens. */
enum tw_bench_end { TW_BENCH_A, TW_BENCH_B, TW_BENCH_ENDS };

struct tw_bench_net {
	int ns;			  /* network namespace of the host */
	int tap[TW_BENCH_ENDS];	  /* non-blocking, with a virtio header before each frame */
	int stack[TW_BENCH_ENDS]; /* namespaces of the guests with a TCP stack */
};

#define TW_BENCH_NET_NONE ((struct tw_bench_net){.ns = -1, .tap = {-1, -1}, .stack = {-1, -1}})
#define TW_BENCH_N_PORTS  4

/* Makes the host and enters its namespace: all ports are up and on one bridge, without IPv6 and
 * bridge netfilter. */
int tw_bench_net_new(struct tw_bench_net *ret, struct tw_err *err);
void tw_bench_net_done(struct tw_bench_net *net);
/* Makes an empty namespace of the same kind, enters it and returns its descriptor. */
int tw_bench_ns_new(struct tw_err *err);
int tw_bench_ns_enter(int ns, struct tw_err *err);
/* Runs lines of `ip -batch` in the current namespace. */
int tw_bench_ip(const char *lines, struct tw_err *err);
/* Writes a sysctl of the current network namespace, `name` below /proc/sys/net. */
int tw_bench_sysctl(const char *name, const char *value, struct tw_err *err);
