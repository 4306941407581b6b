/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_net.h: asks nf_conntrack for the state of a packet.
 *
 * What:       a network namespace of the caller's own, which routes every packet from one tun
 *             device to another. nftables writes the packet's `ct state` into its DSCP, so that one
 *             write and one read return it. Nothing outside the namespace changes, and it ends with
 *             the process.
 * Settings:   nf_conntrack_tcp_loose=0, be_liberal=0, checksum=0, all for this namespace alone. The
 *             kernel uses real time, so a run must be shorter than the shortest idle limit it
 *             compares.
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
	TW_CT_LOST, /* the packet did not come out at the other end */
	TW_CT__MAX
};

/* Creates the namespace. -EPERM or -EOPNOTSUPP: not available on this host. */
int tw_ct_enter(struct tw_err *err);
/* Sends an IP packet, whose DSCP must be 0, and stores its class. 0 or negative errno. */
int tw_ct_ask(const uint8_t *packet, size_t len, enum tw_ct_class *ret);
/* Returns the TCP state (enum tcp_conntrack of linux/netfilter/nf_conntrack_tcp.h) of the
 * connection to which a TCP packet without extension headers belongs; -1 if there is none. */
int tw_ct_tcp_state(const uint8_t *packet);
/* Forgets every connection. */
int tw_ct_forget(void);
