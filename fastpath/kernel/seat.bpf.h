/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* seat.bpf.h: asks the bridge of the port that a frame is at, in the bridge's own memory (bridge.h).
 *
 * Out:        tw_frame_seat() and tw_frame_fits() of port.h.
 * Bounds:     six words read, eight on a kernel whose bridges can filter VLANs; no loop, no lookup.
 * Callers:    tap.bpf.c only, in its programs themselves and not in functions that it runs apart: the
 *             loader puts kernel functions in place there (object.c).
 */
#pragma once

#include "fastpath/kernel/bridge.h"

/* From the kernel's headers that are not for programs: linux/netdevice.h, linux/if_bridge.h and
 * net/bridge/br_private.h. */
#define IFF_BRIDGE_PORT	    (1u << 9)
#define BR_ISOLATED	    (1u << 16)
#define BR_STATE_FORWARDING 3
#define BROPT_VLAN_ENABLED  (1u << 0)

#define FRAME_OVER_MTU 18 /* Ethernet header and a tag */

/* Set before load: see bridge.h. */
const volatile struct tw_bridge_view tw_view = {0};

struct word {
	__u64 value;
};

static void *(*const kernel_context)(void *skb) = (void *)TW_CALL_CONTEXT;
static const struct word *(*const kernel_word)(const void *at, __u32 type) = (void *)TW_CALL_WORD;

/* The aligned word that holds the byte at `offset`, moved down so that the byte comes first. */
tw_inline __u64 word_at(__u64 base, __u32 offset)
{
	const struct word *word = kernel_word((void *)(base + (offset & ~7u)), tw_view.word_type);

	return word->value >> 8 * (offset & 7);
}

/* The interface that a frame is at, as an address. */
tw_inline __u64 device_of(const struct tw_frame *f)
{
	return word_at((__u64)kernel_context(f->target), tw_view.skb_dev);
}

/* The port of a bridge that an interface is, as an address; 0: it is none. */
tw_inline __u64 bridge_port_of(__u64 dev)
{
	if (!(word_at(dev, tw_view.dev_flags) & IFF_BRIDGE_PORT))
		return 0;
	return word_at(dev, tw_view.dev_port);
}

/* The VLAN of untagged frames, 0 on a bridge that does not tell VLANs apart. */
tw_inline __u16 pvid_of(__u64 port, __u64 bridge)
{
	if (!tw_view.vlans || !(word_at(bridge, tw_view.bridge_options) & BROPT_VLAN_ENABLED))
		return 0;
	return (__u16)word_at(word_at(port, tw_view.port_vlans), tw_view.vlans_pvid);
}

/* Kernel addresses differ in their lower 48 bits. */
tw_inline __u64 tw_frame_seat(const struct tw_frame *f)
{
	__u64 port, bridge, flags;

	if (tw_test_mode || !tw_view.known)
		return TW_SEAT_UNKNOWN;
	port = bridge_port_of(device_of(f));
	if (!port || (__u8)word_at(port, tw_view.port_state) != BR_STATE_FORWARDING)
		return 0;
	bridge = word_at(port, tw_view.port_bridge);
	flags = word_at(port, tw_view.port_flags);
	return bridge << 16 | (flags & BR_ISOLATED ? TW_SEAT_ISOLATED : 0) | pvid_of(port, bridge);
}

/* As is_skb_forwardable() has it: a tag on top of the MTU is allowed, and super-frames are taken
 * apart where they leave. */
tw_inline int tw_frame_fits(const struct tw_frame *f)
{
	return f->gso_size ||
	       f->len <= (__u32)word_at(device_of(f), tw_view.dev_mtu) + FRAME_OVER_MTU;
}
