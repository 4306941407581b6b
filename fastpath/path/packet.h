/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* packet.h: results of parse, and the header layouts it reads.
 *
 * Each layout names its standard. linux/ip.h and the like are not used, as their bit-fields depend
 * on byte order.
 */
#pragma once

#include "fastpath/abi/special.h"
#include "fastpath/path/app/head.h"
#include "fastpath/path/port.h"

#define TW_ETH_ARP    0x0806
#define TW_ETH_RARP   0x8035
#define TW_ETH_IPV4   0x0800
#define TW_ETH_IPV6   0x86dd
#define TW_ETH_8021Q  0x8100
#define TW_ETH_8021AD 0x88a8

#define TW_ARP_REVERSE 3 /* request reverse */

#define TW_IPPROTO_ICMP	  1
#define TW_IPPROTO_IGMP	  2
#define TW_IPPROTO_TCP	  6
#define TW_IPPROTO_UDP	  17
#define TW_IPPROTO_ICMPV6 58

struct tw_ethernet { /* IEEE 802.3 */
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
};

struct tw_vlan_tag { /* IEEE 802.1Q */
	__be16 tci;
	__be16 type;
};

struct tw_snap { /* IEEE 802 §9.2.3 */
	__be16 length;
	__u8 llc[3];
	__u8 oui[3];
	__be16 type;
};

struct tw_arp { /* RFC 826, Ethernet and IPv4 */
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_len;
	__u8 protocol_len;
	__be16 operation;
	__u8 sender_mac[6];
	__be16 sender[2]; /* two halves: only 2-byte aligned */
	__u8 target_mac[6];
	__be16 target[2];
};

struct tw_ipv4 { /* RFC 791 */
	__u8 version_ihl;
	__u8 tos;
	__be16 total_len;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 proto;
	__be16 csum;
	__be32 src;
	__be32 dst;
};

struct tw_ipv6 { /* RFC 8200 */
	__be32 version_flow;
	__be16 payload_len;
	__u8 next;
	__u8 hop_limit;
	__be32 src[4];
	__be32 dst[4];
};

struct tw_ipv6_fragment { /* RFC 8200 §4.5 */
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

struct tw_tcp { /* RFC 9293 */
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	__u8 data_offset;
	__u8 flags;
	__be16 window;
	__be16 csum;
	__be16 urgent;
};

#define TW_TCP_FIN 0x01
#define TW_TCP_SYN 0x02
#define TW_TCP_RST 0x04
#define TW_TCP_PSH 0x08
#define TW_TCP_ACK 0x10
#define TW_TCP_URG 0x20

struct tw_udp { /* RFC 768 */
	__be16 sport;
	__be16 dport;
	__be16 len;
	__be16 csum;
};

struct tw_icmp { /* RFC 792, RFC 4443 */
	__u8 type;
	__u8 code;
	__be16 csum;
	__be16 id; /* identifier of echo and other queries; other types use these bits differently */
	__be16 sequence;
};

/* The 5-tuple of a connection, as one packet states it. */
struct tw_tuple {
	struct tw_addr src;
	struct tw_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
};

enum tw_fragment { TW_FRAG_NONE, TW_FRAG_FIRST, TW_FRAG_LATER };

/* Kind of an ICMP message, for tracking. */
enum tw_icmp_kind { TW_ICMP_OTHER, TW_ICMP_QUERY, TW_ICMP_ANSWER, TW_ICMP_ERROR };

/* Position of a fragment in its datagram. */
struct tw_piece {
	__be32 id;
	__u16 from; /* bytes, `to` exclusive */
	__u16 to;
	__u16 vlan; /* VLAN of the datagram, tagged or not */
	__u8 more;  /* more fragments follow */
};

/* State of the parser of an IP header of either version, with extension headers. The packet is the
 * frame's own, or one that an ICMP error quotes, which may be truncated. */
struct tw_ip {
	__u32 off; /* frame offset of the next header to read */
	__u32 end; /* frame offset of the packet's end */
	struct tw_piece piece;
	__u8 quoted;
	__u8 fragment; /* enum tw_fragment */
	__u8 next;     /* protocol of the header at `off` */
	__u8 done;     /* `next` is no extension header, or lies in another fragment */
	__u8 inside;   /* an extension header was read: hop-by-hop options are no longer allowed */
	__u8 hop_limit;
	__u8 atomic; /* an unfragmented packet has a fragment header: RFC 6946 */
};

struct tw_packet {
	struct tw_tuple tuple;
	struct tw_tuple inner; /* tuple of the packet that an ICMP error quotes */
	__u32 inner_seq;       /* sequence number of the quoted packet, if it is TCP */
	struct tw_ip ip;       /* parser state: the frame's own IP header, then the quoted one */
	struct tw_piece piece; /* position of a fragment */
	__u32 seq;	       /* TCP, host order */
	__u32 seq_end;	       /* `seq` plus the sequence space that the segment takes */
	__u32 ack;
	__u32 l3_len; /* bytes from the IP header to the end of its packet */
	__u16 l3_off;
	__u16 l4_off;
	__u16 ethertype; /* host order: payload type, under tags and SNAP */
	__u16 vlan;
	__u16 inner_vlan;
	__u16 icmp;	/* type << 8 | code */
	__u16 window;	/* TCP, unscaled */
	__u8 scale;	/* scale of a tracked SYN */
	__u8 icmp_kind; /* enum tw_icmp_kind */
	__u8 fragment;	/* enum tw_fragment */
	__u8 tcp_flags;
	__u8 tcp_header_len; /* bytes, with options */
	__u8 hop_limit;
	__u8 atomic;	/* IPv6, unfragmented packet with a fragment header */
	__u8 snap;	/* carried in LLC/SNAP */
	__u8 lease;	/* enum tw_lease_state of the last address that guard checked */
	__u8 multicast; /* L2 or L3 destination is a group or broadcast */
	__u8 tagged;	/* has a tag that the port may not use: guard.h */
	__u8 dst_mac[6];
	__u8 src_mac[6];
	__u8 metered; /* charged against a default rate: limit.h */
	__u8 quiet;   /* beyond that rate, and not to be reported */
};

/* Buffer for one refusal: the packet that goes back, from its IP header on. */
#define TW_QUOTE_MAX 96 /* IP header with options or extensions and at least 8 bytes behind it */
#define TW_REPLY_MAX (64 + 8 + TW_QUOTE_MAX) /* IPv4 with options, ICMP, quote */
struct tw_reply {
	union {
		__u8 b[TW_REPLY_MAX];
		__be16 h[TW_REPLY_MAX / 2];
	};
};

/* Probe sequence of a key through the connection table. */
struct tw_probe {
	__u64 tags; /* the key's tag, four times */
	__u32 hash;
	__u32 bucket;
	__u32 step; /* distance in buckets from one probe to the next */
	__u32 pad;
};

/* Update that a passing TCP segment makes to its connection's windows. */
enum tw_note {
	TW_NOTE_NOTHING, /* none: the receiver does not accept the segment */
	TW_NOTE_MOVE,	 /* the sender's position, and the window it offers */
	TW_NOTE_BEGIN,	 /* a SYN: the start of the sender's numbers */
	TW_NOTE_TWICE,	 /* a second SYN-ACK: another possible start of its sender's numbers */
	TW_NOTE_BOTH,	 /* the peer's SYN was not seen: both ends' positions */
};

/* Results of track for one packet. */
struct tw_flow {
	struct tw_key key;
	struct tw_tuple first; /* the connection's tuple as its originator sent it */
	struct tw_probe probe;
	/* State after the packet: computed before the gates are evaluated, written to the record
	 * only if the packet passes. */
	struct tw_progress progress;
	struct tw_progress found; /* the record's progress before the packet */
	__u16 icmp;		  /* type << 8 | code of the connection's first packet */
	__u8 way;		  /* enum tw_way of this packet */
	__u8 end;		  /* enum tw_dir: gate of this port */
	__u8 related;		  /* an ICMP error about the connection */
	__u8 seen;		  /* already tracked at the near end */
	__u8 note;		  /* enum tw_note */
	__u8 untracked;		  /* passes without a record: the port is over its quota */
	__u8 overflowed;	  /* untracked, and the first packet of its connection here */
	__u8 resumed;	 /* continues an overflowed connection: enum tw_overflow_class + 1 */
	__u8 met;	 /* another CPU has opened the connection meanwhile */
	__u8 stale;	 /* an ended record has this key: replace it */
	__u8 decided;	 /* the gate was decided by this packet */
	__u8 asked;	 /* enum tw_reason of a rule that asks and lets the packet pass */
	__u8 opened;	 /* this packet decided the gate for the first time */
	__u8 far_opened; /* cut-through: this packet decided the far gate for the first time */
	__u8 spared;	 /* enum tw_reason that an enforced port would give: the port is observed */
	__u8 far_spared; /* `spared` of the far end of a cut-through: TW_R_POLICY or TW_R_NONE */
	__u8 liberal;	 /* enum tw_reason that a strict port would give: the port is liberal */
	__u16 far_id;	 /* id of the far port of a cut-through, else 0 */
	__u32 decision;
	__u32 far_decision; /* decision of the far gate; 0: not evaluated here */
	__u32 far_ifindex;
	__u32 uplink_ifindex; /* interface of the uplink that the frame is sent to; 0: none */
	__u64 bridge_port;    /* bridge port id of the near port, if cut-through is considered */
};

#define TW_DHCP6_IAS_MAX 4 /* identity associations of one message */

/* Parser state of a DHCP message, or of another message with options. */
struct tw_dhcp {
	__u8 bytes[TW_QUOTE_MAX]; /* last bytes loaded */
	__u32 off;		  /* offset of the next option */
	__u32 end;		  /* end of the message */
	__u32 n_left;		  /* records left in an MLDv2 report */
	/* Used for ND options only. */
	__u32 listens;	   /* 1: prefixes are read from a router advertisement */
	__u64 link_mac;	   /* MAC that link-layer addresses must equal; ~0: any */
	__u32 bars_target; /* 1: a router's message may not name the MAC of a target */
	__u32 allowed;	   /* allowed options as bits; ~0: any, of any length */
	__u32 reason;	   /* enum tw_reason: result so far */
	__u32 seconds;	   /* duration of the lease */
	__be32 xid;
	__be32 ciaddr;
	__be32 yiaddr;
	__be32 requested;
	__be32 server;
	__u32 id_off; /* offset of the client's name; 0: none */
	__u8 mac[6];  /* MAC of the client */
	__u8 id_len;
	__u8 type;
	__u8 n_types;
	__u8 overloaded;
	__u8 relayed;
	__u8 walked;   /* parsed to its end */
	__u8 broken;   /* malformed */
	__u8 changed;  /* a lease began or ended */
	__u8 arriving; /* the guest may have a lease that is unknown here */
	/* For DHCPv6. */
	__u8 failed; /* the whole answer is a refusal */
	__u8 n_addrs;
	__u8 n_beyond; /* 1: more addresses are listed than `addr` holds */
	__u8 n_ias;
	__u64 digest;		    /* hash of the client's DUID; 0: none */
	__u32 ia_end;		    /* end of the identity association at `off` */
	__u64 ia[TW_DHCP6_IAS_MAX]; /* option code << 32 | IAID */
	__u32 valid[TW_LEASES_MAX]; /* valid lifetime of each address, in seconds */
	struct tw_addr addr[TW_LEASES_MAX];
};

/* Action of the program at the port where a frame enters the host. */
enum tw_token_kind {
	TW_TOKEN_NONE,
	TW_TOKEN_CUT,	  /* evaluated both gates and redirected it */
	TW_TOKEN_INBOUND, /* redirected it from an uplink, unjudged */
	TW_TOKEN_TRACKED, /* tracked it, and left it to the bridge */
	TW_TOKEN_REPLY,	  /* left a refusal that tapwall wrote to the bridge */
};

#define TW_TOKEN_NS 100000000ull /* age at which a token is void; a bridge takes microseconds */

/* Redirect token: tells the program at a frame's far port what the near one did. There is one per
 * CPU: a redirect and a bridge call the far program on the same CPU before the next frame enters
 * there. It is stored beside the frame, not in it, so neither the host nor an uplink sees it. */
struct tw_token {
	__u64 bridge_port; /* bridge port id of the near port; redirected frames only */
	__u32 near;	   /* interface where the frame entered */
	__u32 far;	   /* interface that the frame was redirected to */
	__u32 number;	   /* number of the redirect, also in the frame's cb */
	__u32 kind;	   /* enum tw_token_kind */
	/* Only for frames left to the bridge, which changes none of this. */
	__u64 left_ns;
	struct tw_key key; /* key that was tracked */
	__u8 macs[12];
	__u32 epoch;	/* policy epoch in which the near gate was evaluated */
	__u32 decision; /* decision of the near gate, whose rule has counted the frame */
	__u16 network;
	__u8 untracked; /* passed without a record */
};

/* State of SipHash. */
struct tw_sip {
	__u64 v[4];
};

/* Scratch memory of one frame, for what exceeds the 512 bytes of a BPF program's stack. There is
 * one per CPU, as a CPU judges one frame at a time. Because it is memory, the verifier does not
 * walk each stage once for every path through the stages before it. */
struct tw_scratch {
	struct tw_packet packet;
	struct tw_flow flow;
	struct tw_outcome outcome;
	/* Everything above is zeroed for every frame. */
	struct tw_conn conn; /* a record being built */
	struct tw_key key;   /* key and probe of a record being removed */
	struct tw_probe probe;
	__u32 spare_rank; /* rank and slot of the best record to give up so far */
	__u32 spare_slot;
	struct tw_overflow overflow; /* an entry found or being built */
	__u64 overflow_print;	     /* fingerprint of an entry that is looked up */
	struct tw_reply reply;
	__u64 none[sizeof(struct tw_fragq) / sizeof(__u64)]; /* always zero: for new entries */
	struct tw_frag_name name;			     /* name of a fragment's datagram */
	struct tw_fragq first; /* copy of the frame while queued fragments are sent */
	__u32 queued;	       /* index of the frame's queue entry */
	__u8 releasing;
	struct tw_token token;
	__u8 in_qdisc; /* the frame is judged under the lock of its interface's root qdisc */
	struct tw_dhcp dhcp;
	__u8 summed[TW_SUM_BYTES + 4]; /* part of a frame, zero-padded to a whole word */
	struct tw_sip sip;	       /* a hash being computed */
	struct tw_addr target;	       /* target of a neighbour message */
	struct tw_addr about;	       /* the address or name being looked up */
	struct tw_resident_key holder; /* shared address that the frame announces */
	struct tw_holder held;	       /* new holder of `holder.addr` */
	__u8 contested;		       /* 1: two ports claim `holder.addr` */
	struct tw_app_head head;       /* first bytes of a payload or a stream */
	__u64 wire[8];		       /* bytes loaded from a payload */
	__u64 stream[16];	       /* the same, at their place in a stream */
	__u32 args[3];		       /* arguments of a program that a subprogram tail-calls */
	struct tw_addr_key asked;      /* key in `addrs` */
	struct tw_resident_key resident;
	__u64 mac;   /* MAC of the claiming port */
	__u64 where; /* network and VLANs of a claim */
	__u64 tag;
	__u64 way; /* content of a claim's owner entry */
	__u32 way_at;
	__u32 slot; /* slot of the claim */
	__u32 oldest;
	__u32 age;		  /* age of `oldest`, in ticks */
	__u32 may_form;		  /* 1: the message may form an address */
	__u32 formed;		  /* 1: an address was formed or taken away */
	__u64 until_ns;		  /* end of a prefix that a guest may form addresses in; 0: none */
	struct tw_asked question; /* question being asked */
	struct tw_answer answer;  /* entry of a new question */
};

/* Context in which a frame is judged, for every stage. */
struct tw_ctx {
	const struct tw_config *config;
	const struct tw_port *port; /* NULL: no entry */
	const struct tw_port *far;  /* cut-through destination; NULL: to the vSwitch */
	struct tw_conn *conn;	    /* live record of the packet; NULL: none */
	__u32 epoch;		    /* policy epoch of this frame, at all its gates */
	__u8 dir;		    /* enum tw_dir */
	__u8 marked; /* according to its token, the near end on the same network has tracked the frame */
	__u8 untracked; /* the near end let this packet pass without a record */
	__u8 quiet;	/* report no event: rate-limited, or just reported */
};

/* True if the frame is judged under records that only its port uses: the port sees foreign
 * connections, or the frame has many destinations. */
tw_inline int tw_ctx_alone(const struct tw_ctx *s, const struct tw_packet *p)
{
	return s->port->flags & TW_PORT_FOREIGN || p->multicast;
}

/* True for a frame with many destinations at one of them. It is judged there each time, without a
 * record: the sender pays for its own port's record, and nothing answers from a group's address. */
tw_inline int tw_ctx_group_in(const struct tw_ctx *s, const struct tw_packet *p)
{
	return s->dir == TW_DIR_IN && p->multicast;
}

/* Returns the mark of a refusal on its way from one hook of a port to the other. */
tw_inline __u32 tw_mark_reply(const struct tw_config *config)
{
	return config->mark | TW_MARK_REPLY;
}
