/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* event.h: events that the fast path sends to user space through the ring buffer `events`. */
#pragma once

#include "fastpath/abi/types.h"

#define TW_EVENTS_POLL_MS 50 /* interval at which the reader polls without being woken */

enum tw_event_kind {
	TW_EVENT_OPEN,	/* every gate seen so far is open; first packet passed */
	TW_EVENT_CLOSE, /* a record ended: reset or replaced (the agent itself reports swept ones) */
	TW_EVENT_DENY,	/* a frame was denied or rejected; limited per port by config.event_rate */
	TW_EVENT_CLAIM, /* a watched unclaimed port sent from a MAC listed in `macs` */
	TW_EVENT_LEASE, /* `leases` of the port changed; rate-limited like denials */
	/* The port has announced the shared address key.lo, in place of port frame.far_port_id (0:
	 * none). frame.window is 1 if both claim it. Rate-limited like denials. */
	TW_EVENT_HOLDER,
	TW_EVENT__MAX
};

/* The frame that an event is about. */
struct tw_event_frame {
	__u8 src_mac[6];
	__u8 dst_mac[6];
	__u32 len; /* bytes */
	union {
		/* On open: the far port of a cut-through, if the connection opens there, too;
		 * otherwise 0. The event's other fields then also apply to the far port, with
		 * direction in. */
		struct {
			__u32 far_ifindex;
			__u32 far_decision;
		};
		/* On deny, for TCP: header fields in host order. */
		struct {
			__u32 seq;
			__u32 ack;
		};
	};
	__u16 far_port_id; /* on open: id of the far port, if there is one; otherwise 0 */
	__u16 window;	   /* on deny, for TCP: unscaled */
	__u32 origin;	   /* ifindex where the frame entered the host; 0: host-made */
};

/* Totals of an ended connection. */
struct tw_event_sums {
	__u64 packets[TW_WAY__MAX];
	__u64 bytes[TW_WAY__MAX];
	__u32 age;  /* ticks since the first packet */
	__u32 idle; /* ticks since the last packet, signed; < 0 if another CPU saw one meanwhile */
};

/* An event. It is short, as every new connection writes one. */
struct tw_event {
	__u64 time_ns; /* monotonic */
	union {
		__u32 ifindex; /* port where it was seen */
		__u32 ports;   /* TW_EVENT_CLOSE: the ports of both ends, as in struct tw_conn */
	};
	__u16 port_id;
	__u8 kind;	 /* enum tw_event_kind */
	__u8 conn_flags; /* TW_CONN_F_*; on deny, TW_CONN_F_ORIGIN_HI gives the sender */
	struct tw_outcome outcome;
	struct tw_key key; /* all zero if the frame has no tuple; see tw_event_tuple() */
	__u16 icmp_type;   /* type << 8 | code */
	__u16 vlan;
	__be16 ethertype;
	__u8 tcp_flags;
	__u8 pad;
	union {
		struct tw_event_frame frame; /* all kinds but TW_EVENT_CLOSE */
		struct tw_event_sums sums;   /* TW_EVENT_CLOSE */
	};
};

/* A captured frame in its port's ring buffer: this head, then `cap_len` bytes of the frame as it
 * was judged, before any change; the rest of the record is undefined. */
struct tw_captured {
	__u64 time_ns; /* monotonic */
	__u32 ifindex; /* port where it was seen */
	__u32 len;     /* bytes of the frame */
	__u32 cap_len;
	__u16 port_id;
	__u16 vlan_tci;	  /* host order; tag kept outside the frame */
	__be16 vlan_type; /* TPID of that tag; 0: none */
	__u16 pad[3];
	struct tw_outcome outcome;
};

_Static_assert(sizeof(struct tw_captured) % 8 == 0, "ring buffer records are 8-aligned");
_Static_assert(sizeof(struct tw_event) % 8 == 0, "ring buffer records are 8-aligned");
