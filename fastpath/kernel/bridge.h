/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bridge.h: where in the kernel's memory a bridge says what it knows of its ports.
 *
 * Why:        what the agent hears of a port's bridge and VLAN it hears late, and not at all when it
 *             is dead. Cut-through goes past the bridge, and must not go where the bridge would not:
 *             so the programs ask the bridge's own records, for each frame (bridge_port.bpf.h).
 * How:        bridge.c finds offsets in the kernel's type information (BTF, also that of a bridge
 *             module, which libbpf's CO-RE would only find with CAP_SYS_ADMIN, and the agent has
 *             none) and the loader puts them into read-only data. How memory is read: memory.h.
 * Callers:    the loader, before load; tap.bpf.c.
 */
#pragma once

#include <linux/types.h>

struct btf;

/* Offsets in bytes. */
struct tw_bridge_view {
	__u32 known; /* everything below is; else the programs do not look at it */
	__u32 skb_dev;
	__u32 dev_flags; /* net_device.priv_flags */
	__u32 dev_port;	 /* net_device.rx_handler_data */
	__u32 dev_mtu;
	__u32 port_bridge;
	__u32 port_flags;
	__u32 port_state;
	__u32 vlans;	  /* the two below are known: this kernel has bridges that filter VLANs */
	__u32 port_vlans; /* net_bridge_port.vlgrp */
	__u32 vlans_pvid; /* net_bridge_vlan_group.pvid */
	__u32 bridge_options;
	/* Of the forwarding database, an rhashtable (include/linux/rhashtable.h). */
	__u32 database; /* everything below is known */
	__u32 dev_ifindex;
	__u32 port_dev;
	__u32 bridge_table;
	__u32 bridge_ageing; /* net_bridge.ageing_time, in jiffies */
	__u32 table_size;
	__u32 table_nest;
	__u32 table_secret;
	__u32 table_buckets;
	__u32 entry_node;
	__u32 entry_key;
	__u32 entry_port;
	__u32 entry_flags;
	__u32 entry_updated;
};

/* Finds out; leaves ret->known 0 where this kernel's type information does not tell. */
void tw_bridge_view_init(struct btf *kernel, struct tw_bridge_view *ret);
