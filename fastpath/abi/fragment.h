/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fragment.h: a port's fragmented datagrams and fragment queues, as used by
 * fastpath/path/fragment.h.
 *
 * Why:        separate from types.h, as <linux/bpf.h> and <pcap.h> cannot be included together.
 */
#pragma once

#include <linux/bpf.h>

#include "fastpath/abi/types.h"

#define TW_FRAG_SETS   16 /* sets of a port; datagrams between two addresses use a quarter of them */
#define TW_FRAG_WAYS   8  /* datagrams in a set */
#define TW_FRAG_RANGES 32 /* separate pieces of a datagram */

/* Time that a datagram has to become complete, as for receivers (Linux: 30 s, RFC 8200 §4.5: 60
 * s). */
#define TW_FRAG_SECONDS_V4 30
#define TW_FRAG_SECONDS_V6 60

enum tw_frag_state {
	TW_FRAG_FREE,
	TW_FRAG_OPEN, /* its first fragment was allowed */
	TW_FRAG_DEAD, /* fragments contradicted each other: no more pass */
};

struct tw_frag_range { /* bytes of the datagram, `to` exclusive; 0, 0: none */
	__u16 from;
	__u16 to;
};

/* Identity of a datagram by RFC 791 and RFC 8200 §4.5. */
struct tw_frag_name {
	struct tw_addr src;
	struct tw_addr dst;
	__be32 id;
	__u16 vlan;
	__u16 inner_vlan;
	__u8 proto; /* IPv4 only: RFC 8200 leaves it out */
	__u8 pad;
	__u8 sender[6]; /* source MAC: not part of the identity; counts the sender's datagrams */
};

struct tw_frag {
	struct tw_frag_name name;
	__u32 seen; /* tick of the first fragment */
	__be16 sport;
	__be16 dport;
	__u16 total;	/* bytes; 0: the last fragment was not seen */
	__u8 transport; /* protocol behind all extension headers */
	__u8 state;	/* enum tw_frag_state */
	__u8 found;	/* TW_FRAG_* of the ranges, while a piece is judged */
	__u8 n_same;	/* datagrams of its sender in the set, while a place is chosen */
	__u8 pad[2];
	struct tw_frag_range range[TW_FRAG_RANGES];
};

/* Datagrams of one set. Created with a port's first fragment, so that only ports with fragments use
 * memory. */
struct tw_frag_set {
	struct bpf_spin_lock lock;
	__u32 ifindex;	/* interface of the port; datagrams of another one do not count */
	__u32 way;	/* best place found, under the lock */
	__u32 rank;	/* rank of that place, under the lock */
	__u32 rank_now; /* rank of the place being compared, under the lock */
	__u32 queued;	/* tick of the last fragment queued for this set; 0: none */
	__u32 pad;
	struct tw_frag way_of[TW_FRAG_WAYS];
};

/* Returns a key of `frags`. */
static inline __u32 tw_frag_key(__u32 port_id, __u32 set)
{
	return port_id * TW_FRAG_SETS + set;
}

/* ---- fragments that arrived before the first one ---- */

#define TW_FRAGQS      16   /* queue entries of a port */
#define TW_FRAGQ_BYTES 1536 /* longest queued frame: 1500 bytes of IP, and two tags */

enum tw_fragq_state {
	TW_FRAGQ_FREE,
	TW_FRAGQ_KEPT,
	TW_FRAGQ_SENT, /* sent, so the entry is free; tests look for this state */
};

struct tw_fragq {
	struct tw_frag_name name;
	__u32 seen; /* tick */
	__u32 ifindex;
	__u32 mark;
	__u16 vlan_tci; /* TCI of the tag kept outside the frame */
	__u8 has_vlan;
	__u8 state; /* enum tw_fragq_state */
	__u32 len;
	__u32 n_queued; /* in a port's first entry: fragments queued so far in all its entries */
	__u8 bytes[TW_FRAGQ_BYTES];
};

/* Returns a key of `fragqs`. */
static inline __u32 tw_fragq_key(__u32 port_id, __u32 n)
{
	return port_id * TW_FRAGQS + n;
}

_Static_assert(sizeof(struct tw_frag_name) == 48, "names are compared and pinned");
_Static_assert(sizeof(struct tw_frag_set) == 32 + TW_FRAG_WAYS * (64 + 4 * TW_FRAG_RANGES),
	"frags value is pinned");
_Static_assert(sizeof(struct tw_fragq) == 72 + TW_FRAGQ_BYTES, "the layout of `fragqs` is pinned");
