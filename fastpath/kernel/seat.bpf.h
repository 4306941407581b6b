/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* seat.bpf.h: asks the bridge of the port that a frame is at, in the bridge's own memory.
 *
 * Out:        tw_frame_seat() and tw_frame_fits() of port.h.
 * Why:        what the agent hears of a port's bridge and VLAN it hears late, and not at all when it
 *             is dead. Cut-through goes past the bridge, and must not go where the bridge would not.
 * How:        through the kernel functions bpf_cast_to_kern_ctx() and bpf_rdonly_cast(), which Linux
 *             has from 6.2 on and which cost nothing; a read that faults gives 0. Where members stand
 *             is put in by libbpf at load, from the kernel's type information (CO-RE), also that of a
 *             bridge that is a module.
 * Bounds:     six words read, eight on a kernel whose bridges can filter VLANs; no loop, no lookup.
 * Callers:    tap.bpf.c, as a part of it.
 */
#pragma once

#include <bpf/bpf_core_read.h>

/* From the kernel's headers that are not for programs: linux/netdevice.h, linux/if_bridge.h and
 * net/bridge/br_private.h. */
#define IFF_BRIDGE_PORT	    (1u << 9)
#define BR_ISOLATED	    (1u << 16)
#define BR_STATE_FORWARDING 3
#define BROPT_VLAN_ENABLED  (1u << 0)

#define FRAME_OVER_MTU 18 /* Ethernet header and a tag */

/* ---- the kernel's memory: what is read here of its structures, by name ---- */

#define KERNEL_OWN __attribute__((preserve_access_index))

struct timespec64 {
	__s64 tv_sec;
} KERNEL_OWN; /* stands for all that begins with 64 bits */
struct net_bridge_vlan_group {
	__u16 pvid;
} KERNEL_OWN;
struct rhash_head {
	struct rhash_head *next;
} KERNEL_OWN;
struct bucket_table {
	__u32 size, nest, hash_rnd;
	struct rhash_head *buckets[];
} KERNEL_OWN;
struct rhashtable {
	struct bucket_table *tbl;
} KERNEL_OWN;
struct net_bridge {
	unsigned long options, ageing_time;
	struct rhashtable fdb_hash_tbl;
} KERNEL_OWN;
struct net_device {
	unsigned int priv_flags, mtu;
	int ifindex;
	void *rx_handler_data;
} KERNEL_OWN;
struct net_bridge_port {
	struct net_bridge *br;
	struct net_device *dev;
	unsigned long flags;
	struct net_bridge_vlan_group *vlgrp;
	__u8 state;
} KERNEL_OWN;
struct net_bridge_fdb_key {
	__u8 addr[6];
} KERNEL_OWN;
struct net_bridge_fdb_entry {
	struct rhash_head rhnode;
	struct net_bridge_port *dst;
	struct net_bridge_fdb_key key;
	unsigned long flags, updated;
} KERNEL_OWN;
struct sk_buff {
	struct net_device *dev;
} KERNEL_OWN;

extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;
extern void *bpf_rdonly_cast(const void *at, __u32 type) __ksym __weak;

/* Set before load: this kernel has both functions. */
const volatile __u8 tw_may_ask = 0;

#define KNOWN(type, member) bpf_core_field_exists(struct type, member)

/* Whether ports can be asked, and their bridge's forwarding database. Constants once the program is
 * loaded: the verifier does not look at what stands behind them in vain. */
tw_inline int seats_known(void)
{
	return TW_LITTLE && tw_may_ask && KNOWN(sk_buff, dev) && KNOWN(net_device, priv_flags) &&
	       KNOWN(net_device, rx_handler_data) && KNOWN(net_device, mtu) &&
	       KNOWN(net_bridge_port, br) && KNOWN(net_bridge_port, flags) &&
	       KNOWN(net_bridge_port, state) && KNOWN(net_bridge, options);
}

tw_inline int database_known(void)
{
	return seats_known() && KNOWN(net_device, ifindex) && KNOWN(rhashtable, tbl) &&
	       KNOWN(bucket_table, size) && KNOWN(bucket_table, nest) &&
	       KNOWN(bucket_table, hash_rnd) && KNOWN(bucket_table, buckets) &&
	       KNOWN(net_bridge_port, dev) && KNOWN(net_bridge, fdb_hash_tbl) &&
	       KNOWN(net_bridge, ageing_time) && KNOWN(net_bridge_fdb_entry, rhnode) &&
	       KNOWN(net_bridge_fdb_entry, key) && KNOWN(net_bridge_fdb_entry, dst) &&
	       KNOWN(net_bridge_fdb_entry, flags) && KNOWN(net_bridge_fdb_entry, updated);
}

/* The aligned word at an address; 0 where nothing can be read. */
tw_inline __u64 read_word(__u64 at)
{
	const __u64 *word = bpf_rdonly_cast((void *)at, bpf_core_type_id_kernel(struct timespec64));

	return *word;
}

/* The aligned word that holds the byte at `offset`, moved down so that the byte comes first. */
tw_inline __u64 word_at(__u64 base, __u32 offset)
{
	return read_word(base + (offset & ~7u)) >> 8 * (offset & 7);
}

/* A member that is a pointer or a long, and so aligned; and any other. */
#define LONG_AT(base, type, member) read_word((base) + bpf_core_field_offset(struct type, member))
#define WORD_AT(base, type, member) word_at(base, bpf_core_field_offset(struct type, member))

/* The interface that a frame is at, as an address. */
tw_inline __u64 device_of(const struct tw_frame *f)
{
	return LONG_AT((__u64)bpf_cast_to_kern_ctx(f->target), sk_buff, dev);
}

/* The port of a bridge that an interface is, as an address; 0: it is none. */
tw_inline __u64 bridge_port_of(__u64 dev)
{
	if (!(WORD_AT(dev, net_device, priv_flags) & IFF_BRIDGE_PORT))
		return 0;
	return LONG_AT(dev, net_device, rx_handler_data);
}

tw_inline int filters_vlans(__u64 bridge)
{
	return KNOWN(net_bridge_port, vlgrp) && KNOWN(net_bridge_vlan_group, pvid) &&
	       LONG_AT(bridge, net_bridge, options) & BROPT_VLAN_ENABLED;
}

/* A bridge that tells VLANs apart drops untagged frames where they belong to none. */
tw_inline __u64 tw_frame_seat(const struct tw_frame *f)
{
	__u64 port, bridge, flags;
	__u16 pvid = 0;

	if (tw_test_mode || !seats_known())
		return TW_SEAT_UNKNOWN;
	port = bridge_port_of(device_of(f));
	if (!port || (__u8)WORD_AT(port, net_bridge_port, state) != BR_STATE_FORWARDING)
		return 0;
	bridge = LONG_AT(port, net_bridge_port, br);
	if (filters_vlans(bridge)) {
		pvid = (__u16)WORD_AT(
			LONG_AT(port, net_bridge_port, vlgrp), net_bridge_vlan_group, pvid);
		if (!pvid)
			return 0;
	}
	flags = LONG_AT(port, net_bridge_port, flags);
	/* Kernel addresses differ in their lower 48 bits. */
	return bridge << 16 | (flags & BR_ISOLATED ? TW_SEAT_ISOLATED : 0) | pvid;
}

/* ---- the forwarding database ---- */

#define BR_FDB_LOCAL  (1u << 0) /* the host's own (net/bridge/br_private.h) */
#define CHAIN_MAX     8		/* longer chains are rare, and left to the bridge */
#define JHASH_INITVAL 0xdeadbeef

/* Kernel addresses begin with ones. */
tw_inline __u64 bridge_at(__u64 seat)
{
	return seat >> 16 | 0xffffull << 48;
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

/* A bridge's entry for a MAC outside of VLANs, as an address; 0: none. A table that grows meanwhile,
 * and whose entries are under way, may hide it: then the bridge decides. */
tw_inline __u64 entry_of(__u64 bridge, const __u8 mac[6])
{
	__u64 table = LONG_AT(bridge, net_bridge, fdb_hash_tbl.tbl), key = 0, at;
	__u32 bucket, i;

	__builtin_memcpy(&key, mac, 6);
	if ((__u32)WORD_AT(table, bucket_table, nest))
		return 0;
	bucket = hash_of(key, (__u32)WORD_AT(table, bucket_table, hash_rnd)) &
		 ((__u32)WORD_AT(table, bucket_table, size) - 1);
	/* The lowest bit of a bucket is its lock. */
	at = LONG_AT(table + 8ull * bucket, bucket_table, buckets) & ~1ull;
	for (i = 0; i < CHAIN_MAX; i++) {
		/* The end of a chain is odd. */
		if (!at || at & 1)
			return 0;
		at -= bpf_core_field_offset(struct net_bridge_fdb_entry, rhnode);
		if (LONG_AT(at, net_bridge_fdb_entry, key) == key)
			return at;
		at = LONG_AT(at, net_bridge_fdb_entry, rhnode);
	}
	return 0;
}

tw_inline __u32 tw_bridge_way(const struct tw_frame *f, __u64 seat, const __u8 mac[6], __u32 len)
{
	__u64 entry, port, dev, flags;

	if (tw_test_mode || !seats_known() || !database_known())
		return 0;
	entry = entry_of(bridge_at(seat), mac);
	if (!entry || LONG_AT(entry, net_bridge_fdb_entry, flags) & BR_FDB_LOCAL)
		return 0;
	port = LONG_AT(entry, net_bridge_fdb_entry, dst);
	if (!port || (__u8)WORD_AT(port, net_bridge_port, state) != BR_STATE_FORWARDING)
		return 0;
	flags = LONG_AT(port, net_bridge_port, flags);
	dev = LONG_AT(port, net_bridge_port, dev);
	if ((seat & TW_SEAT_ISOLATED && flags & BR_ISOLATED) ||
		len > (__u32)WORD_AT(dev, net_device, mtu) + FRAME_OVER_MTU)
		return 0;
	return (__u32)WORD_AT(dev, net_device, ifindex);
}

/* Half of what the bridge remembers a MAC for: so it will see a frame of it before it forgets. */
tw_inline int tw_bridge_knows(const struct tw_frame *f, __u64 seat, const __u8 mac[6])
{
	__u64 bridge = bridge_at(seat), entry, age;

	if (tw_test_mode || !seats_known() || !database_known())
		return 0;
	entry = entry_of(bridge, mac);
	if (!entry || LONG_AT(entry, net_bridge_fdb_entry, flags) & BR_FDB_LOCAL ||
		LONG_AT(entry, net_bridge_fdb_entry, dst) != bridge_port_of(device_of(f)))
		return 0;
	age = bpf_jiffies64() - LONG_AT(entry, net_bridge_fdb_entry, updated);
	return age < LONG_AT(bridge, net_bridge, ageing_time) / 2;
}

/* As is_skb_forwardable() has it: a tag on top of the MTU is allowed, and super-frames are taken
 * apart where they leave. */
tw_inline int tw_frame_fits(const struct tw_frame *f)
{
	return f->gso_size ||
	       f->len <= (__u32)WORD_AT(device_of(f), net_device, mtu) + FRAME_OVER_MTU;
}
