/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* qdisc.h: the queueing disciplines and filters of an interface, by rtnetlink.
 *
 * Why:        below Linux 6.6 the programs are tc filters, and tc's own users come and go at the same
 *             interfaces: what is there has to be looked at before a filter is put into it.
 * Callers:    attach.c and prove.c; inside this folder only. Each call waits for its answer, which
 *             the kernel gives at once.
 * Errors:     0 or a negative errno.
 */
#pragma once

#include <linux/pkt_sched.h>
#include <stdint.h>

#define TW_QDISC_KIND_MAX 16

/* linux/pkt_sched.h and pkt_cls.h: the parents that filters of clsact, and of ingress, hang at. */
#define TW_QDISC_INGRESS_FILTERS 0xffff0000u
#define TW_QDISC_CLSACT_INGRESS	 0xfffffff2u
#define TW_QDISC_CLSACT_EGRESS	 0xfffffff3u

struct tw_qdisc {
	char kind[TW_QDISC_KIND_MAX]; /* empty: none that was ever added */
	uint32_t handle;	      /* 0: a default that the kernel chose */
};

/* The first filter that a packet meets. */
struct tw_qdisc_filter {
	uint32_t handle; /* 0: there is no filter */
	uint32_t priority;
	uint32_t prog_id; /* 0: no BPF program */
};

/* The qdiscs at TC_H_INGRESS and TC_H_ROOT, from a dump of all: asking for one of them tells every
 * listener of it, up to Linux 6.7. */
int tw_qdisc_look(uint32_t ifindex, struct tw_qdisc *ret_ingress, struct tw_qdisc *ret_root);
/* Adds "ingress" or "htb". -EEXIST if there is one, -ENOENT if the kernel does not have this kind. */
int tw_qdisc_add(uint32_t ifindex, uint32_t parent, uint32_t handle, const char *kind);
int tw_qdisc_remove(uint32_t ifindex, uint32_t parent, uint32_t handle);
/* The first filter below `parent`, of any priority; parent 0 is the root qdisc. No filter either if
 * there is no such qdisc, or no such interface. */
int tw_qdisc_first_filter(uint32_t ifindex, uint32_t parent, struct tw_qdisc_filter *ret);
