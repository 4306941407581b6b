/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_net.h: asks nf_conntrack what it thinks of a packet.
 *
 * What:       a network namespace of the caller's own, which routes every packet from one tun to
 *             another. In between, nftables writes the packet's `ct state` into its DSCP, as one
 *             write and one read tell it. Nothing outside the namespace is touched, and it ends with
 *             the process.
 * Settings:   nf_conntrack_tcp_loose=0, be_liberal=0, checksum=0, all of this namespace alone; time
 *             goes by as it does, so that a run has to be shorter than the shortest idle limit of
 *             what it compares.
 * Callers:    conntrack_diff, in one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum tw_ct_class {
	TW_CT_NEW,
	TW_CT_ESTABLISHED,
	TW_CT_RELATED,
	TW_CT_INVALID,
	TW_CT_UNTRACKED,
	TW_CT_LOST, /* did not come out at the other end */
	TW_CT__MAX
};

/* -EPERM or -EOPNOTSUPP: cannot be had here. */
int tw_ct_enter(struct tw_err *err);
/* Sends an IP packet through; its DSCP must be 0. 0 or negative errno. */
int tw_ct_ask(const uint8_t *packet, size_t len, enum tw_ct_class *ret);
/* The TCP state (enum tcp_conntrack of linux/netfilter/nf_conntrack_tcp.h) of the connection that an
 * IP packet with TCP right behind its IP header belongs to; -1: there is none. */
int tw_ct_tcp_state(const uint8_t *packet);
/* Forgets every connection. */
int tw_ct_forget(void);
