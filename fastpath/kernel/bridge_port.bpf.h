/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bridge_port.bpf.h: reads the bridge of a frame's port in the bridge's own memory (bridge.h).
 *
 * Out:        tw_frame_bridge_port() and tw_frame_fits() of port.h.
 * Bounds:     six words read, eight if the kernel's bridges can filter VLANs; no loop, no lookup.
 * Callers:    tap.bpf.c, which includes it.
 */
#pragma once

#include "fastpath/kernel/bridge.h"
#include "fastpath/kernel/memory.bpf.h"

/* From kernel headers that programs cannot include: linux/netdevice.h, linux/if_bridge.h and
 * net/bridge/br_private.h. */
#define IFF_BRIDGE_PORT	    (1u << 9)
#define BR_ISOLATED	    (1u << 16)
#define BR_STATE_FORWARDING 3
#define BROPT_VLAN_ENABLED  (1u << 0)

#define FRAME_OVER_MTU 18 /* Ethernet header and a tag */

/* Set before load: see bridge.h. */
const volatile struct tw_bridge_view tw_view = {0};

/* Returns the address of a frame's interface. */
tw_inline __u64 device_of(const struct tw_frame *f)
{
	return read_word((__u64)kernel_context(f->target) + tw_view.skb_dev);
}

/* Returns the address of an interface's bridge port; 0: it is none. */
tw_inline __u64 bridge_port_of(__u64 dev)
{
	if (!(word_at(dev, tw_view.dev_flags) & IFF_BRIDGE_PORT))
		return 0;
	return read_word(dev + tw_view.dev_port);
}

tw_inline int filters_vlans(__u64 bridge)
{
	return tw_view.vlans && read_word(bridge + tw_view.bridge_options) & BROPT_VLAN_ENABLED;
}

/* A VLAN-filtering bridge drops untagged frames if the port has no PVID. */
tw_inline __u64 tw_frame_bridge_port(const struct tw_frame *f)
{
	__u64 port, bridge, flags;
	__u16 pvid = 0;

	if (tw_test_mode || !tw_view.known)
		return TW_BRIDGE_PORT_UNKNOWN;
	port = bridge_port_of(device_of(f));
	if (!port || (__u8)word_at(port, tw_view.port_state) != BR_STATE_FORWARDING)
		return 0;
	bridge = read_word(port + tw_view.port_bridge);
	if (filters_vlans(bridge)) {
		pvid = (__u16)word_at(read_word(port + tw_view.port_vlans), tw_view.vlans_pvid);
		if (!pvid)
			return 0;
	}
	flags = read_word(port + tw_view.port_flags);
	/* Kernel addresses differ only in their lower 48 bits. */
	return bridge << 16 | (flags & BR_ISOLATED ? TW_BRIDGE_PORT_ISOLATED : 0) | pvid;
}

/* ---- the forwarding database ---- */

#define BR_FDB_LOCAL  (1u << 0) /* an address of the host (net/bridge/br_private.h) */
#define CHAIN_MAX     8		/* longer chains are rare; the bridge handles them */
#define JHASH_INITVAL 0xdeadbeef

/* The upper bits of kernel addresses are ones. */
tw_inline __u64 bridge_at(__u64 bridge_port)
{
	return bridge_port >> 16 | 0xffffull << 48;
}

tw_inline __u32 rotate(__u32 word, int by)
{
	return word << by | word >> (32 - by);
}

/* jhash2() of two words (include/linux/jhash.h, after Bob Jenkins's lookup3). */
tw_inline __u32 hash_of(__u64 key, __u32 secret)
{
	__u32 a = JHASH_INITVAL + (2 << 2) + secret, b = a, c = a;

	a += (__u32)key;
	b += (__u32)(key >> 32);
	c = (c ^ b) - rotate(b, 14);
	a = (a ^ c) - rotate(c, 11);
	b = (b ^ a) - rotate(a, 25);
	c = (c ^ b) - rotate(b, 16);
	a = (a ^ c) - rotate(c, 4);
	b = (b ^ a) - rotate(a, 14);
	return (c ^ b) - rotate(b, 24);
}

/* Returns the address of a bridge's entry for a MAC outside of VLANs; 0: none. While the table
 * grows, its moving entries may be missed; then the bridge decides. */
tw_inline __u64 entry_of(__u64 bridge, const __u8 mac[6])
{
	__u64 table = read_word(bridge + tw_view.bridge_table), key = 0, at;
	__u32 bucket, i;

	__builtin_memcpy(&key, mac, 6);
	if ((__u32)word_at(table, tw_view.table_nest))
		return 0;
	bucket = hash_of(key, (__u32)word_at(table, tw_view.table_secret)) &
		 ((__u32)word_at(table, tw_view.table_size) - 1);
	/* The lowest bit of a bucket is its lock. */
	at = read_word(table + 8ull * bucket + tw_view.table_buckets) & ~1ull;
	for (i = 0; i < CHAIN_MAX; i++) {
		/* The end of a chain is odd. */
		if (!at || at & 1)
			return 0;
		at -= tw_view.entry_node;
		if (read_word(at + tw_view.entry_key) == key)
			return at;
		at = read_word(at + tw_view.entry_node);
	}
	return 0;
}

tw_inline __u32 tw_bridge_way(
	const struct tw_frame *f, __u64 bridge_port, const __u8 mac[6], __u32 len)
{
	__u64 entry, port, dev, flags;

	if (tw_test_mode || !tw_view.known || !tw_view.database)
		return 0;
	entry = entry_of(bridge_at(bridge_port), mac);
	if (!entry || read_word(entry + tw_view.entry_flags) & BR_FDB_LOCAL)
		return 0;
	port = read_word(entry + tw_view.entry_port);
	if (!port || (__u8)word_at(port, tw_view.port_state) != BR_STATE_FORWARDING)
		return 0;
	flags = read_word(port + tw_view.port_flags);
	dev = read_word(port + tw_view.port_dev);
	if ((bridge_port & TW_BRIDGE_PORT_ISOLATED && flags & BR_ISOLATED) ||
		len > (__u32)word_at(dev, tw_view.dev_mtu) + FRAME_OVER_MTU)
		return 0;
	return (__u32)word_at(dev, tw_view.dev_ifindex);
}

/* True if the bridge has a MAC at the frame's port. An entry is used for half of the ageing time,
 * so that the bridge sees a frame of the MAC before it forgets the MAC. */
tw_inline int tw_bridge_knows(const struct tw_frame *f, __u64 bridge_port, const __u8 mac[6])
{
	__u64 bridge = bridge_at(bridge_port), entry, age;

	if (tw_test_mode || !tw_view.known || !tw_view.database)
		return 0;
	entry = entry_of(bridge, mac);
	if (!entry || read_word(entry + tw_view.entry_flags) & BR_FDB_LOCAL ||
		read_word(entry + tw_view.entry_port) != bridge_port_of(device_of(f)))
		return 0;
	age = bpf_jiffies64() - read_word(entry + tw_view.entry_updated);
	return age < read_word(bridge + tw_view.bridge_ageing) / 2;
}

/* As in is_skb_forwardable(): a tag on top of the MTU is allowed, and super-frames are segmented
 * where they leave. */
tw_inline int tw_frame_fits(const struct tw_frame *f)
{
	return f->gso_size ||
	       f->len <= (__u32)word_at(device_of(f), tw_view.dev_mtu) + FRAME_OVER_MTU;
}
