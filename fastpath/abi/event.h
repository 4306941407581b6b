/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* event.h: what the fast path tells user space, through the ring buffer `events`. */
#pragma once

#include "fastpath/abi/types.h"

#define TW_EVENTS_POLL_MS 50 /* how often the reader looks without being woken */

enum tw_event_kind {
	TW_EVENT_OPEN, /* every gate seen so far is open, first packet let through */
	TW_EVENT_CLOSE, /* a record ended: reset, replaced after expiry (the agent's sweep tells its own) */
	TW_EVENT_DENY,	/* a frame was denied or rejected; limited per port by config.event_rate */
	TW_EVENT_CLAIM, /* a watched unclaimed port sent from a MAC listed in `macs` */
	TW_EVENT_LEASE, /* `leases` of the port changed; as limited as denials */
	TW_EVENT__MAX
};

/* The frame that an event is about. */
struct tw_event_frame {
	__u8 src_mac[6];
	__u8 dst_mac[6];
	__u32 len; /* bytes */
	union {
		/* On open, of a frame that is cut through to a port where the connection opens too: that end,
		 * of which all else here is true as well, its direction being in. Else 0. */
		struct {
			__u32 far_ifindex;
			__u32 far_decision;
		};
		/* On deny, of TCP: as they stand in the header, in host order. */
		struct {
			__u32 seq;
			__u32 ack;
		};
	};
	__u16 far_port_id; /* on open, as above; else 0 */
	__u16 window;	   /* on deny, of TCP: not scaled */
	__u32 origin;	   /* ifindex where the frame entered the host; 0: the host made it */
};

/* What a connection that ended had come to. */
struct tw_event_sums {
	__u64 packets[TW_WAY__MAX];
	__u64 bytes[TW_WAY__MAX];
	__u32 age; /* ticks */
	__u32 pad;
};

/* An event is short: whoever opens a connection writes one. */
struct tw_event {
	__u64 time_ns; /* monotonic */
	__u32 ifindex; /* port where it was seen */
	__u16 port_id;
	__u8 kind;	 /* enum tw_event_kind */
	__u8 conn_flags; /* TW_CONN_F_*; TW_CONN_F_ORIGIN_HI tells who sent the frame on deny */
	struct tw_outcome outcome;
	struct tw_key key; /* all zero when the frame has no tuple; see tw_event_tuple() */
	__u16 icmp_type;   /* type << 8 | code */
	__u16 vlan;
	__be16 ethertype;
	__u8 tcp_flags;
	__u8 pad;
	union {
		struct tw_event_frame frame; /* but for TW_EVENT_CLOSE */
		struct tw_event_sums sums;   /* of TW_EVENT_CLOSE */
	};
};

/* One captured frame, in the ring buffer of its port: this head, then `cap_len` bytes of the frame
 * as it was judged, before anything was changed in it; the rest of the record is undefined. */
struct tw_captured {
	__u64 time_ns; /* monotonic */
	__u32 ifindex; /* port where it was seen */
	__u32 len;     /* bytes of the frame */
	__u32 cap_len;
	__u16 port_id;
	__u16 vlan_tci;	  /* host order; of a tag kept outside the frame */
	__be16 vlan_type; /* its TPID; 0: there is none */
	__u16 pad[3];
	struct tw_outcome outcome;
};

_Static_assert(sizeof(struct tw_captured) % 8 == 0, "ring buffer records are 8-aligned");
_Static_assert(sizeof(struct tw_event) % 8 == 0, "ring buffer records are 8-aligned");
