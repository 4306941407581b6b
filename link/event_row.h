/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* event_row.h: one event as data: numbers, and names by their ids in a dictionary.
 *
 * Why:        about twenty words describe an event, and most are the same as in the previous event.
 *             As ids they need no allocation and no comparison of texts, and a reader looks up only
 *             the names that it needs.
 * In:         the agent fills rows from its journal (agent/observe/describe.h), and a reader from a
 *             stream (link/event_reader.h).
 * Invariants: names are ids of the dictionary that came with the row. 0 is "".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "link/dictionary.h"
#include "link/link.h"

/* These numbers are those of link.proto, and never change. */
enum tw_event_row_kind {
	TW_EVENT_ROW_OPEN = 1, /* a connection opened: its first packet passed */
	TW_EVENT_ROW_CLOSE,    /* a connection ended */
	TW_EVENT_ROW_DENY,     /* a frame was denied or rejected */
	TW_EVENT_ROW_LIVE,     /* a connection that goes on: its state and its counts until now */
};

/* Directions are seen from the workload: `out` leaves it. A field that does not apply to a kind of
 * row is 0. */
struct tw_event_row {
	uint64_t number;      /* number in the agent's journal */
	uint64_t lost_before; /* events lost between the previous row and this one */
	uint64_t time_ns;     /* Unix time */

	uint8_t kind;	   /* enum tw_event_row_kind; newer peers may send other values */
	uint8_t verdict;   /* enum tw_verdict */
	uint8_t direction; /* enum tw_dir */
	uint8_t notable;   /* 1: `tapwall log` shows it without --all */
	uint32_t reason;   /* name */
	uint32_t rule;	   /* name of the rule that decided; 0: none */
	uint32_t port;	   /* name of the interface where it was seen */
	uint32_t workload; /* name of the port's workload; 0: none */

	uint8_t has_ends; /* 0: the frame has no addresses, or they were not parsed */
	uint8_t proto;	  /* IPPROTO_* */
	uint8_t from
		[16]; /* originator of a connection, sender of a denied frame; IPv4 as ::ffff:a.b.c.d */
	uint8_t to[16];
	uint16_t from_port; /* host order; for ICMP queries the identifier */
	uint16_t to_port;
	uint16_t icmp_type; /* type << 8 | code */
	uint16_t ethertype; /* host order */
	uint16_t vlan;
	uint32_t from_workload; /* name; 0: the address belongs to none */
	uint32_t to_workload;

	uint32_t state;	     /* name; "untracked": it passed without a record; 0: none */
	uint8_t out_verdict; /* enum tw_verdict at the source's end; 0: none */
	uint8_t in_verdict;  /* enum tw_verdict at the destination's end; 0: none */
	uint32_t out_rule;   /* name of the rule that decided at the source's end */
	uint32_t in_rule;

	/* The frame of an open or a deny. */
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
	uint32_t len; /* bytes */

	/* The connection that ended (close) or goes on (live). `out`: sent by the originator. */
	uint64_t packets_out;
	uint64_t packets_in;
	uint64_t bytes_out;
	uint64_t bytes_in;
	uint64_t age_ns;   /* from its first packet to its end */
	uint64_t first_ns; /* Unix time of its first packet */
	uint64_t last_ns;  /* Unix time of its last packet */
	uint32_t out_port; /* name of the interface at the source's end; 0: none on this host */
	uint32_t in_port;  /* name of the interface at the destination's end */

	/* The frame of a deny. */
	uint32_t
		entered_by; /* name of the interface where a frame on its way in entered the host; 0: unknown */
	uint8_t tcp_flags;   /* 0: not TCP, or the TCP header was not parsed */
	uint16_t tcp_window; /* not scaled */
	uint32_t tcp_seq;
	uint32_t tcp_ack;
};

/* ---- rows and columns ---- */

/* Rows that have a value in a column. */
enum tw_event_rows_of {
	TW_EVENT_ROWS_ALL,
	TW_EVENT_ROWS_FRAMES, /* opens and denials */
	TW_EVENT_ROWS_CLOSES, /* closes and live connections */
	TW_EVENT_ROWS_DENIALS,
	TW_EVENT_ROWS__MAX
};

/* True if columns of `rows` have a value for a row of this kind. */
static inline bool tw_event_rows_have(enum tw_event_rows_of rows, uint8_t kind)
{
	switch (rows) {
	case TW_EVENT_ROWS_FRAMES:
		return kind == TW_EVENT_ROW_OPEN || kind == TW_EVENT_ROW_DENY;
	case TW_EVENT_ROWS_CLOSES:
		return kind == TW_EVENT_ROW_CLOSE || kind == TW_EVENT_ROW_LIVE;
	case TW_EVENT_ROWS_DENIALS:
		return kind == TW_EVENT_ROW_DENY;
	default:
		return true;
	}
}

/* ---- a row as text ---- */

#define TW_EVENT_PROTO_TEXT 4 /* "255" */

/* Returns "tcp", "udp", "icmp", "icmp6", or else the number, written to `text`. */
const char *tw_event_row_proto(uint8_t proto, char text[TW_EVENT_PROTO_TEXT]);

/* A row as a LogEntry. The entry points into this struct and into the dictionary, so it must not be
 * copied. */
struct tw_event_words {
	Tapwall__V1__LogEntry entry;
	Tapwall__V1__End from;
	Tapwall__V1__End to;
	Tapwall__V1__Gate out;
	Tapwall__V1__Gate in;
	Tapwall__V1__Segment segment;
	char from_text[46]; /* INET6_ADDRSTRLEN */
	char to_text[46];
	char proto[TW_EVENT_PROTO_TEXT];
	char src_mac[18];
	char dst_mac[18];
};

void tw_event_row_describe(const struct tw_event_row *row, const struct tw_dictionary *dictionary,
	struct tw_event_words *ret);
