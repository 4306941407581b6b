/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bridge.h: finds where in kernel memory a bridge keeps what it knows about its ports.
 *
 * Why:        the agent learns a port's bridge and VLAN late, and not at all when it is dead.
 *             Cut-through must not send a frame where the bridge would not. So the programs read
 *             the bridge's own records for each frame (bridge_port.bpf.h).
 * How:        bridge.c finds offsets in the kernel's type information (BTF), and the loader puts
 *             them into read-only data. libbpf's CO-RE would find those of a bridge module only
 *             with CAP_SYS_ADMIN, which the agent does not have. memory.h tells how memory is read.
 * Callers:    the loader, before load; tap.bpf.c.
 */
#pragma once

#include <linux/types.h>

struct btf;

/* Offsets in bytes. */
struct tw_bridge_view {
	__u32 known; /* everything below is known; else the programs do not use it */
	__u32 skb_dev;
	__u32 dev_flags; /* net_device.priv_flags */
	__u32 dev_port;	 /* net_device.rx_handler_data */
	__u32 dev_mtu;
	__u32 port_bridge;
	__u32 port_flags;
	__u32 port_state;
	__u32 vlans;	  /* the two below are known: bridges of this kernel can filter VLANs */
	__u32 port_vlans; /* net_bridge_port.vlgrp */
	__u32 vlans_pvid; /* net_bridge_vlan_group.pvid */
	__u32 bridge_options;
	/* The forwarding database, an rhashtable (include/linux/rhashtable.h). */
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

/* Fills the view; ret->known stays 0 if this kernel's type information lacks something. */
void tw_bridge_view_init(struct btf *kernel, struct tw_bridge_view *ret);
