/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* packet.h: what parse learns of a frame, and the header layouts it reads.
 *
 * The layouts are those of the standards named at each; linux/ip.h and its kin are not used, as
 * their bit-fields depend on byte order.
 */
#pragma once

#include "fastpath/path/port.h"

#define TW_ETH_ARP    0x0806
#define TW_ETH_RARP   0x8035
#define TW_ETH_IPV4   0x0800
#define TW_ETH_IPV6   0x86dd
#define TW_ETH_8021Q  0x8100
#define TW_ETH_8021AD 0x88a8

#define TW_ARP_REVERSE 3 /* request reverse */

#define TW_IPPROTO_ICMP	  1
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
	__be16 sender[2]; /* two halves: not aligned to 4 */
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
	__be16 id; /* echo and its kin; elsewhere other things */
	__be16 sequence;
};

/* What a connection is known by, as one packet states it. */
struct tw_tuple {
	struct tw_addr src;
	struct tw_addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
};

enum tw_fragment { TW_FRAG_NONE, TW_FRAG_FIRST, TW_FRAG_LATER };

/* What kind of ICMP message, as far as tracking cares. */
enum tw_icmp_kind { TW_ICMP_OTHER, TW_ICMP_QUERY, TW_ICMP_ANSWER, TW_ICMP_ERROR };

/* A fragment's place in its datagram. */
struct tw_piece {
	__be32 id;
	__u16 from; /* bytes, `to` exclusive */
	__u16 to;
	__u16 vlan; /* that it travels on, said by a tag or not */
	__u8 more;  /* more are to come */
};

/* An IP header of either version, with its extension headers, while it is read. The packet may
 * be the frame's own, or one that an ICMP error quotes and that may be cut short. */
struct tw_ip {
	__u32 off; /* of the next header to read */
	__u32 end; /* of the packet, frame offset */
	struct tw_piece piece;
	__u8 quoted;
	__u8 fragment; /* enum tw_fragment */
	__u8 next;     /* protocol of the header at `off` */
	__u8 done;     /* `next` is no extension header, or lies in another fragment */
	__u8 inside;   /* a header was walked: hop-by-hop options may no longer come */
	__u8 hop_limit;
	__u8 atomic; /* a fragment header stands before a whole packet: RFC 6946 */
};

struct tw_packet {
	struct tw_tuple tuple;
	struct tw_tuple inner; /* of the packet that an ICMP error is about */
	__u32 inner_seq;       /* its sequence number, if it is TCP */
	struct tw_ip ip;       /* the walk along the frame's own IP header, then the quoted one's */
	struct tw_piece piece; /* of a fragment */
	__u32 seq;	       /* TCP, host order */
	__u32 seq_end;	       /* `seq` and all that the segment takes of the sequence space */
	__u32 ack;
	__u32 l3_len; /* bytes from the IP header to the end of its packet */
	__u16 l3_off;
	__u16 l4_off;
	__u16 ethertype; /* host order: what the frame carries, under tags and SNAP */
	__u16 vlan;
	__u16 inner_vlan;
	__u16 icmp;	/* type << 8 | code */
	__u16 window;	/* TCP, as it stands in the header */
	__u8 scale;	/* of a SYN, if it is tracked: TW_SCALE_* */
	__u8 icmp_kind; /* enum tw_icmp_kind */
	__u8 fragment;	/* enum tw_fragment */
	__u8 tcp_flags;
	__u8 tcp_header_len; /* bytes, with options */
	__u8 hop_limit;
	__u8 atomic;	/* IPv6, behind a fragment header all the same */
	__u8 snap;	/* carried in LLC/SNAP */
	__u8 lease;	/* enum tw_lease_state of the address that guard asked about last */
	__u8 multicast; /* L2 or L3 destination is a group or broadcast */
	__u8 dst_mac[6];
	__u8 src_mac[6];
};

/* Room to build one refusal in: the packet that goes back, from its IP header on. */
#define TW_QUOTE_MAX 96 /* IP header with options or extensions and at least 8 bytes behind it */
#define TW_REPLY_MAX (64 + 8 + TW_QUOTE_MAX) /* IPv4 with options, ICMP, quote */
struct tw_reply {
	union {
		__u8 b[TW_REPLY_MAX];
		__be16 h[TW_REPLY_MAX / 2];
	};
};

/* Where a key's walk through the connection table begins and how it goes on. */
struct tw_probe {
	__u64 tags; /* its tag, four times */
	__u32 hash;
	__u32 bucket;
	__u32 step; /* buckets from one to the next, modulo their number */
	__u32 pad;
};

/* What a TCP segment tells of its connection's windows, once it passes. */
enum tw_note {
	TW_NOTE_NOTHING, /* its receiver will not take it */
	TW_NOTE_MOVE,	 /* where its sender is now, and what that one takes */
	TW_NOTE_BEGIN,	 /* a SYN: where its sender begins */
	TW_NOTE_TWICE,	 /* another SYN-ACK than the first: where its sender may begin, too */
	TW_NOTE_BOTH,	 /* no SYN from the other end was seen: where both ends are */
};

/* What track finds out about a packet's connection. */
struct tw_flow {
	struct tw_key key;
	struct tw_tuple first; /* the connection's tuple as its originator sent it */
	struct tw_probe probe;
	/* What the packet leads to: worked out before the gates are asked, written to the record only
	 * when the packet is let through. */
	struct tw_progress progress;
	struct tw_progress found; /* the record's, before it */
	__u16 icmp;		  /* of the connection's first packet, type << 8 | code */
	__u8 way;		  /* enum tw_way of this packet */
	__u8 end;		  /* enum tw_dir: which gate is the port's */
	__u8 related;		  /* an ICMP error about the connection */
	__u8 seen;		  /* tracked at the near end already */
	__u8 note;		  /* enum tw_note */
	__u8 untracked;		  /* passes without a record: the port is over its quota */
	__u8 overflowed; /* … and is the first of its connection, as far as the port knows */
	__u8 resumed;	 /* goes on with one that passed so: enum tw_overflow_class + 1 */
	__u8 met;	 /* another CPU has opened it meanwhile */
	__u8 stale;	 /* a record stands under this key, ended: replace it */
	__u8 decided;	 /* the gate was decided by this packet */
	__u8 opened;	 /* … and had never been decided before */
	__u8 far_opened; /* as opened, of the far end's gate when cut-through asks it */
	__u16 far_id;	 /* of the far port, where it is cut through to one */
	__u32 decision;
	__u32 far_decision; /* of the far end's gate, 0: not asked here */
	__u32 far_ifindex;
	__u32 uplink_ifindex; /* where the frame is cut through to beyond our ports, 0: nowhere */
	__u64 bridge_port;    /* of the near end, where cut-through is thought of */
};

#define TW_DHCP6_IAS_MAX 4 /* identity associations of one message */

/* A DHCP message, or another one with options, while it is read. */
struct tw_dhcp {
	__u8 bytes[TW_QUOTE_MAX]; /* first: what was loaded last */
	__u32 off;		  /* of the next option */
	__u32 end;		  /* of the message */
	__u32 n_left;		  /* records of an MLDv2 report */
	/* Of a walk along ND options. */
	__u64 link_mac; /* that link-layer addresses must be; ~0: any */
	__u32 allowed;	/* options, as bits; ~0: any, of any length */
	__u32 reason;	/* enum tw_reason: what it has come to */
	__u32 seconds;	/* of the lease */
	__be32 xid;
	__be32 ciaddr;
	__be32 yiaddr;
	__be32 requested;
	__be32 server;
	__u32 id_off; /* of the client's name; 0: it gives none */
	__u8 mac[6];  /* of the client */
	__u8 id_len;
	__u8 type;
	__u8 n_types;
	__u8 overloaded;
	__u8 relayed;
	__u8 walked;   /* a walk along it came to its end */
	__u8 broken;   /* it is malformed */
	__u8 changed;  /* a lease began or ended */
	__u8 arriving; /* its guest may have a lease that nothing here knows of */
	/* Of DHCPv6. */
	__u8 failed; /* the answer as a whole is a refusal */
	__u8 n_addrs;
	__u8 n_beyond; /* 1: it lists more addresses than `addr` holds */
	__u8 n_ias;
	__u64 digest;		    /* hash of the client's DUID; 0: it has none */
	__u32 ia_end;		    /* of the identity association that `off` is in */
	__u64 ia[TW_DHCP6_IAS_MAX]; /* option code << 32 | IAID */
	__u32 valid[TW_LEASES_MAX]; /* seconds, of each address */
	struct tw_addr addr[TW_LEASES_MAX];
};

/* What the program at the port where a frame enters the host has done with it. */
enum tw_token_kind {
	TW_TOKEN_NONE,
	TW_TOKEN_CUT,	  /* asked every gate, and redirected it */
	TW_TOKEN_INBOUND, /* redirected it from an uplink, unjudged */
	TW_TOKEN_TRACKED, /* tracked it, and left it to the bridge */
	TW_TOKEN_REPLY,	  /* left a refusal of the firewall's own to the bridge */
};

#define TW_TOKEN_NS 100000000ull /* a bridge takes microseconds */

/* Tells the program at a frame's far port what the near one did. One for each CPU: a redirect and a
 * bridge call the far program on the CPU of the near one, before the next frame enters there. It is
 * kept beside the frame, not on it, so that neither the host nor an uplink sees anything of it. */
struct tw_token {
	__u64 bridge_port; /* of the near port; redirected frames only */
	__u32 near;	   /* interface where the frame entered */
	__u32 far;	   /* interface that it was redirected to */
	__u32 number;	   /* of the redirect; goes along with the frame */
	__u32 kind;	   /* enum tw_token_kind */
	/* Only of frames that are left to the bridge, which changes none of it. */
	__u64 left_ns;
	struct tw_key key; /* of what was tracked */
	__u8 macs[12];
	__u32 epoch;	/* of policy, that the near gate was asked in */
	__u32 decision; /* of the near gate: its rule has counted the frame */
	__u16 network;
	__u8 untracked; /* it passed without a record */
};

/* State of SipHash. */
struct tw_sip {
	__u64 v[4];
};

/* The scratch memory of one frame: what it needs beyond the 512 bytes of stack that a BPF program has.
 * One for each CPU, as one frame is judged at a time there. Being memory, it also keeps the
 * verifier from walking each stage once for every way through the stages before. */
struct tw_scratch {
	struct tw_packet packet;
	struct tw_flow flow;
	struct tw_outcome outcome;
	/* Up to here zeroed for every frame. */
	struct tw_conn conn; /* a record while it is made */
	struct tw_key key;   /* of a record that is taken out, and where it stood */
	struct tw_probe probe;
	__u32 spare_rank; /* of the record in a bucket that is the first to be given up so far */
	__u32 spare_slot;
	struct tw_overflow overflow; /* an entry that was found, or is made */
	struct tw_reply reply;
	__u64 none[sizeof(struct tw_fragq) / sizeof(__u64)]; /* always zero: new sets and holds */
	struct tw_frag_name name;			     /* of a fragment's datagram */
	struct tw_fragq first; /* a frame, while fragments that waited for it are sent */
	__u32 hold;	       /* where the frame is held */
	__u8 releasing;
	struct tw_token token;
	__u8 in_qdisc; /* the frame at hand is judged under the lock of its interface's root qdisc */
	struct tw_dhcp dhcp;
	__u8 summed[TW_SUM_BYTES + 4]; /* a part of a frame, and zeros up to a whole word */
	struct tw_sip sip;	       /* a hash while it is made */
	struct tw_addr about;	       /* the address or name that is asked about */
	struct tw_addr_key asked;      /* in `addrs` */
	__u64 mac;		       /* of the port that claims it */
	__u64 where;		       /* of a claim */
	__u64 tag;
	__u64 way; /* of a claim's owner: what stands there, and where */
	__u32 way_at;
	__u32 slot; /* where the claim stands, and the one that would give way */
	__u32 oldest;
};

/* Where and under what a frame is judged; the same for every stage. */
struct tw_ctx {
	const struct tw_config *config;
	const struct tw_port *port; /* NULL: the port has no entry */
	const struct tw_port *far;  /* where the frame is cut through to, NULL: to the vSwitch */
	struct tw_conn *conn;	    /* the packet's live record, NULL: none */
	__u32 epoch; /* the policy epoch this frame is judged in, from its first gate to its last */
	__u8 dir;    /* enum tw_dir */
	__u8 marked; /* the near end, on the same network, has tracked a frame like this */
	__u8 untracked; /* the near end let this very packet pass without a record */
	__u8 quiet;	/* not told of: its like were a moment ago, or too many are */
};

/* Ports that see other people's connections, and frames that have many destinations, are judged
 * under records of their own. */
tw_inline int tw_ctx_alone(const struct tw_ctx *s, const struct tw_packet *p)
{
	return s->port->flags & (TW_PORT_F_TRANSIT | TW_PORT_F_GUARD_ANY) || p->multicast;
}

/* A frame with many destinations at one of them: judged there each time, and no record is kept. Its sender pays
 * for the one that its own port keeps, and nothing answers to a group's address. */
tw_inline int tw_ctx_group_in(const struct tw_ctx *s, const struct tw_packet *p)
{
	return s->dir == TW_DIR_IN && p->multicast;
}

/* The mark of refusals on their way from one hook of a port to the other. */
tw_inline __u32 tw_mark_reply(const struct tw_config *config)
{
	return config->mark | TW_MARK_REPLY;
}
