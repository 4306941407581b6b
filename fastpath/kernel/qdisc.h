/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* qdisc.h: the queueing disciplines and filters of an interface, by rtnetlink.
 *
 * Why:        before Linux 6.6 the programs are tc filters, and users of tc change the same
 *             interfaces: the qdiscs must be read before a filter is added.
 * Callers:    attach.c and prove.c; for this directory only. Each call waits for its answer, which
 *             the kernel gives at once. Errors: 0 or a negative errno.
 */
#pragma once

#include <linux/pkt_sched.h>
#include <stdint.h>

#define TW_QDISC_KIND_MAX 16

/* linux/pkt_sched.h and linux/pkt_cls.h: the parents of filters of clsact, and of ingress. */
#define TW_QDISC_INGRESS_FILTERS 0xffff0000u
#define TW_QDISC_CLSACT_INGRESS	 0xfffffff2u
#define TW_QDISC_CLSACT_EGRESS	 0xfffffff3u

struct tw_qdisc {
	char kind[TW_QDISC_KIND_MAX]; /* empty: none was ever added */
	uint32_t handle;	      /* 0: default chosen by the kernel */
};

/* The first filter that runs on a packet. */
struct tw_qdisc_filter {
	uint32_t handle; /* 0: no filter */
	uint32_t priority;
	uint32_t prog_id; /* 0: no BPF program */
};

/* Reads the qdiscs at TC_H_INGRESS and TC_H_ROOT, from a dump of all: up to Linux 6.7, a request
 * for a single one notifies every listener. */
int tw_qdisc_look(uint32_t ifindex, struct tw_qdisc *ret_ingress, struct tw_qdisc *ret_root);
/* Adds "ingress" or "htb". -EEXIST if there is one, -ENOENT if the kernel does not have this
 * kind. */
int tw_qdisc_add(uint32_t ifindex, uint32_t parent, uint32_t handle, const char *kind);
int tw_qdisc_remove(uint32_t ifindex, uint32_t parent, uint32_t handle);
/* Reads the first filter below `parent`, of any priority; parent 0 is the root qdisc. A missing
 * qdisc or interface counts as no filter. */
int tw_qdisc_first_filter(uint32_t ifindex, uint32_t parent, struct tw_qdisc_filter *ret);
