/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* types.h: facts shared by the fast path and user space; no functions but index arithmetic.
 *
 * Why:        the kernel side, the native side and the agent read the same bytes.
 * Invariants: 1. Sizes below are fixed by static_assert: maps are pinned and outlive programs.
 *             2. No padding the compiler could leave uninitialised: keys are compared bytewise.
 *             3. Multi-byte fields are host order unless named _be16/_be32.
 */
#pragma once

#include <linux/types.h>

#include "fastpath/abi/charge.h"

#define TW_PORTS_MAX 4096  /* port ids 1 … TW_PORTS_MAX - 1 */
#define TW_PORT_IDS  65536 /* ifindexes below it are looked up in an array, others in a hash */
#define TW_PORT_SLOTS \
	(4 * TW_PORTS_MAX)     /* entries: two epochs, and as many on their way in or out */
#define TW_RULES_MAX	131072 /* rule slots */
#define TW_IMAGES_MAX	8192   /* image slots 1 … TW_IMAGES_MAX - 1; 0 = no image */
#define TW_EVENTS_BYTES (1 << 20)

#define TW_CONNS_DEFAULT 262144 /* connections that the table holds, unless told otherwise */
#define TW_CONNS_MAX	 16777216

#define TW_MAP_F_NO_PREALLOC 1		/* BPF_F_NO_PREALLOC */
#define TW_MAP_F_MMAPABLE    (1u << 10) /* BPF_F_MMAPABLE */

/* One tick is 2^20 ns (1.05 ms). A 32-bit tick wraps after 52 days, so differences are taken modulo
 * 2^32. An age is a difference without a sign, so that it is right for nearly all of these 52 days; of two
 * CPUs' clocks one may be ahead, by less than TW_TICKS_AHEAD (69 s). Idle limits are below 26 days. */
#define TW_TICKS_AHEAD	    65536u
#define TW_TICK_SHIFT	    20
#define TW_TICKS_PER_SECOND 954 /* 1e9 >> 20, rounded */

enum tw_stage {
#define TW_STAGE(symbol, ...) TW_STAGE_##symbol,
#include "fastpath/abi/stages.def"
#undef TW_STAGE
	TW_STAGE__MAX
};

enum tw_reason {
#define TW_REASON(symbol, ...) TW_R_##symbol,
#include "fastpath/abi/reasons.def"
#undef TW_REASON
	TW_R__MAX
};

enum tw_state {
#define TW_STATE(symbol, ...) TW_S_##symbol,
#include "fastpath/abi/states.def"
#undef TW_STATE
	TW_S__MAX
};

/* Seen from the workload: `out` leaves the VM (a tap's kernel ingress), `in` enters it. Also names
 * the gates of a connection: the out gate is the source end's, the in gate the destination end's. */
enum tw_dir { TW_DIR_OUT, TW_DIR_IN, TW_DIR__MAX };

/* Which way along a connection a packet travels. */
enum tw_way { TW_WAY_ORIGINAL, TW_WAY_REPLY, TW_WAY__MAX };

enum tw_verdict { TW_V_NONE, TW_V_ALLOW, TW_V_DENY, TW_V_REJECT, TW_V_ASK, TW_V__MAX };

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), in wire order. */
struct tw_addr {
	union {
		__u8 b[16];
		__be32 w[4];
		__be64 d[2];
	};
};

/* The canonical 5-tuple: the end whose (address, port) is smaller, bytewise, is `lo`. An ICMP query
 * and its answer use the identifier as the asking end's port and, as the answering end's, the
 * identifier and a small number of the kind of query, added up: so no query of one end has the
 * ports of one of the other. Other ICMP uses 0 as the sender's and type << 8 | code as the
 * receiver's. `owner` is 0 for records that both ends share, else the id of the port that judges alone. */
struct tw_key {
	union {
		struct {
			struct tw_addr lo;
			struct tw_addr hi;
			__be16 lo_port;
			__be16 hi_port;
			__u16 network; /* the bridge, as numbered by the agent */
			__u16 owner;
			__u32 vlan : 12; /* outer VLAN id, 0 = none */
			__u32 inner_vlan : 12;
			__u32 proto : 8;
			__u32 pad; /* always 0; not kept in records */
		};
		__u64 d[6];
		__u32 w[12];
	};
};

#define TW_KEY_WORDS 11 /* of `w`, without the pad */

/* The word of a key that holds vlan, inner_vlan and proto. */
static inline __u32 tw_key_tags(__u32 vlan, __u32 inner_vlan, __u32 proto)
{
	const struct tw_key key = {
		.vlan = vlan & 0xfff, .inner_vlan = inner_vlan & 0xfff, .proto = proto & 0xff};

	return key.w[10];
}

/* What a rule says about a connection: verdict, log bit and rule slot in one word; 0 = undecided. */
#define TW_DECISION_VERDICT_SHIFT 29
#define TW_DECISION_LOG		  (1u << 28)
#define TW_DECISION_RULE_MASK	  ((1u << 28) - 1)

static inline __u32 tw_decision(enum tw_verdict verdict, int log, __u32 rule)
{
	return (__u32)verdict << TW_DECISION_VERDICT_SHIFT | (log ? TW_DECISION_LOG : 0) |
	       (rule & TW_DECISION_RULE_MASK);
}

static inline enum tw_verdict tw_decision_verdict(__u32 decision)
{
	return (enum tw_verdict)(decision >> TW_DECISION_VERDICT_SHIFT);
}

static inline __u32 tw_decision_rule(__u32 decision)
{
	return decision & TW_DECISION_RULE_MASK;
}

/* One gate: a decision and the policy epoch it was made in, read and written as one word so that
 * no CPU sees half of it. A gate of another epoch is decided anew at the next packet. */
static inline __u64 tw_gate(__u32 epoch, __u32 decision)
{
	return (__u64)epoch << 32 | decision;
}

static inline __u32 tw_gate_epoch(__u64 gate)
{
	return (__u32)(gate >> 32);
}

static inline __u32 tw_gate_decision(__u64 gate)
{
	return (__u32)gate;
}

#define TW_CONN_F_ORIGIN_HI 0x01 /* the originator is the key's hi end */
#define TW_CONN_F_ADOPTED   0x02 /* taken up mid-stream, in the adoption window */
#define TW_CONN_F_REPLIED   0x04 /* a packet was seen in the reply direction */
#define TW_CONN_F_FIN_ORIG  0x08 /* FIN seen from the originator */
#define TW_CONN_F_FIN_REPLY 0x10
#define TW_CONN_F_OPENED    0x20 /* its open event has been sent */
#define TW_CONN_F_GONE	    0x40 /* the agent ended it: a port of one of its ends is gone */
#define TW_CONN_F_SYN_AGAIN 0x80 /* the originator sent another SYN; it may have forgotten */

/* What one end of a TCP connection sends: RFC 9293 §3.3.1's SND.NXT and SND.UNA, the latter its
 * peer's RCV.NXT too, as far as a middlebox has seen. */
struct tw_window {
	__u32 end;   /* highest sequence number it sent, plus length */
	__u32 acked; /* highest acknowledgement of it; before the first one, its SYN */
};

/* What moves on with a connection's packets, as one word, so that a change is made as a whole or, when
 * another CPU was faster, not at all. */
struct tw_progress {
	union {
		struct {
			__u8 state; /* enum tw_state */
			__u8 flags; /* TW_CONN_F_* */
			union {
				__u16 icmp_type; /* for ICMP: type << 8 | code of the first packet */
				__u8 scale[TW_WAY__MAX]; /* for TCP: TW_SCALE_*, by sender */
			};
		};
		__u32 word;
	};
};

/* A connection, with its key. Counters and windows by enum tw_way of the sender, gates and ports by
 * enum tw_dir. The first half is what every packet reads, the second what it writes. */
struct tw_conn {
	__u64 key[5];  /* struct tw_key … */
	__u32 key_end; /* … without its pad */
	struct tw_progress progress;
	__u64 gate[TW_DIR__MAX];
	__u64 packets[TW_WAY__MAX];
	__u64 bytes[TW_WAY__MAX]; /* of whole frames, as the VM sees them */
	__u32 created;		  /* tick */
	__u32 seen;		  /* tick of the last packet */
	__u32 ports;		  /* tw_ports_…() */
	struct tw_window window[TW_WAY__MAX];
	/* What its peer takes beyond `acked`, in units of 1 << the peer's scale. */
	__u16 peer_window[TW_WAY__MAX];
};

/* The connection table is an array of buckets, and one of their records, so many for each bucket. A connection
 * stands in the first bucket of its walk that had room (path/conns.h); a bucket's tags, hashes of 16 bits, say
 * where in it. */
#define TW_BUCKET_SLOTS 16

struct tw_bucket {
	__u64 tags[TW_BUCKET_SLOTS / 4]; /* four a word; 0: free */
	__u32 lock;			 /* 1 while somebody changes tags */
	__u32 overflowed; /* connections that walked past this bucket, for want of room in it */
	__u32 pad[2];
	__u8 held[TW_BUCKET_SLOTS]; /* time of a packet's last hold (path/spare.h); 0: never */
};

/* Where a slot's record stands among all of them. */
static inline __u32 tw_record_number(__u32 bucket, __u32 slot)
{
	return bucket * TW_BUCKET_SLOTS + slot;
}

static inline __u16 tw_bucket_tag(const struct tw_bucket *bucket, __u32 slot)
{
	return (__u16)(bucket->tags[slot / 4 % 4] >> slot % 4 * 16);
}

/* Buckets for so many connections: at 84 % a walk of TW_PROBE_BUCKETS finds room. A prime number, so that a
 * walk of any step meets as many different buckets as it can. */
static inline __u32 tw_conn_buckets(__u32 max)
{
	__u32 buckets = (__u32)(((__u64)max * 25 / 21 + TW_BUCKET_SLOTS - 1) / TW_BUCKET_SLOTS),
	      divisor = 2;

	if (max <= TW_BUCKET_SLOTS)
		return 1;
	while (divisor * divisor <= buckets) {
		if (buckets % divisor++)
			continue;
		buckets++;
		divisor = 2;
	}
	return buckets;
}

/* Slots used of each. */
static inline __u32 tw_conn_slots(__u32 max)
{
	return max < TW_BUCKET_SLOTS ? max : TW_BUCKET_SLOTS;
}

/* What became of a record that was to be taken over from a table of another size. */
enum tw_taken {
	TW_TAKEN_BUSY, /* its bucket was locked: try again */
	TW_TAKEN_ENDED,
	TW_TAKEN_NEW,
	TW_TAKEN_MET, /* it was there already, and has caught up */
	TW_TAKEN_FULL,
};

#define TW_TAKE_AT 16 /* where it stands in the frame that brings it */

/* What a port's guest has opened of the connection table. */
struct tw_usage {
	__u64 half_open;   /* not answered yet; this and the next two are read by tw_usage_now() */
	__u64 established; /* answered, until they end */
	__u64 over; /* TCP connections that have ended, and make room where it is short (path/spare.h) */
	__u64 overflowed; /* connections that passed without a record: half_open_max was reached */
	__u64 refused;	  /* established_max was reached, or the table was full */
	__u32 overflow_until;	/* tick until which `overflows` may know of answers; 0: nothing */
	__u32 overflow_grown;	/* tick when a class last got more sets */
	__u8 overflow_level[4]; /* by enum tw_overflow_class: how many sets it has */
	__u32 vain_due; /* tick: when looks for one of them that find none would be due, were they even */
	__u32 pad[2]; /* to a cache line: ports do not share one */
};

/* ---- connections beyond a port's half-open quota ---- */

/* They pass without a record. So that their answers and the third packet of a handshake find their way, each
 * port they pass at remembers them in sets of its own, for as long as an answer takes (path/overflow.h). */
#define TW_OVERFLOW_WAYS       8      /* entries in a set */
#define TW_OVERFLOW_SETS_FIRST 256    /* of a port and class; twice as many at each level */
#define TW_OVERFLOW_LEVELS     6      /* beyond the first */
#define TW_OVERFLOW_SETS       16384  /* at the last level: 131,072 entries */
#define TW_OVERFLOW_SETS_FEW   4      /* of a port and class, when no others can be had */
#define TW_OVERFLOW_MAX	       262144 /* sets of all ports, at 256 bytes */

/* How long an entry is good for, at most. One that is displaced before it is young no more asks for the next
 * level. */
#define TW_OVERFLOW_TICKS (8 * TW_TICKS_PER_SECOND)
#define TW_OVERFLOW_YOUNG (TW_TICKS_PER_SECOND / 2)

/* Whose connections a set of a port remembers. Each class displaces entries of its own only. */
enum tw_overflow_class {
	TW_OVERFLOW_OWN,     /* opened by its guest, at its cost */
	TW_OVERFLOW_OUTSIDE, /* opened from beyond this host, at the port's cost */
	TW_OVERFLOW_LOCAL,   /* opened by a guest of this host, whose port pays */
	TW_OVERFLOW_GROUP,   /* to groups and broadcast: only whether it was told */
	TW_OVERFLOW__MAX
};

enum tw_overflow_stage {
	TW_OVERFLOW_NONE,
	TW_OVERFLOW_ASKED,    /* the originator has spoken; TCP: a SYN */
	TW_OVERFLOW_ANSWERED, /* TCP: and a SYN-ACK has answered it */
};

/* A connection, by a keyed fingerprint of 64 bits. Three words that are written one by one: the first is
 * the fingerprint XOR the others, so that a reader who meets two halves meets nothing. All zero: free. */
struct tw_overflow {
	__u64 check;
	union {
		struct {
			__u32 first; /* TCP asked: an answer acknowledges from here … */
			__u32 last; /* … to here. Answered: the originator's next number, and the other end's */
		};
		__u64 numbers;
	};
	union {
		struct {
			__u32 seen;		 /* tick */
			__u8 stage;		 /* enum tw_overflow_stage */
			__u8 scale[TW_WAY__MAX]; /* TCP: TW_SCALE_* */
			__u8 level;		 /* of its port and class when it was put */
		};
		__u64 rest;
	};
};

struct tw_overflow_set {
	struct tw_overflow way_of[TW_OVERFLOW_WAYS];
};

/* Key of `overflows` and `overflows_few`. */
static inline __u32 tw_overflow_key(__u32 port_id, __u32 class, __u32 set)
{
	return (port_id * TW_OVERFLOW__MAX + class) * TW_OVERFLOW_SETS + set;
}

/* What keeps the table in order when nobody else does. */
struct tw_gc {
	__u32 bucket;	   /* next to be swept */
	__u32 swept;	   /* tick of the last sweep in the agent's place */
	__u64 closes_lost; /* connections that ended and could not be told of */
};

#define TW_SCALE_SHIFT	0x0f /* RFC 7323 §2.3: 0 … 14 */
#define TW_SCALE_SEEN	0x10 /* its SYN was seen, so that the scale is known */
#define TW_SCALE_OPTION 0x20 /* its SYN had the option, or may have had */
#define TW_SCALE_BEHIND 0x40 /* its peer has acknowledged less than all that it had sent */
#define TW_SCALE_TWICE	0x80 /* SYN_RECV: it sent SYN-ACKs with different numbers */
#define TW_SCALE_RESET	0x80 /* CLOSED: its RST stood where it had sent to */
#define TW_SCALE_MAX	14 /* and what stands for an unknown scale: nothing that fits is refused */

#define TW_PORT_F_GUARD_ANY 0x01 /* `addresses: [any]`: no address guard */
#define TW_PORT_F_TRANSIT   0x02 /* sees other people's connections: records of its own */
#define TW_PORT_F_MORE	    0x04 /* more addresses in `addrs` than fit inline */
#define TW_PORT_F_UNCLAIMED 0x08 /* no workload: TW_PORT_F_OPEN passes, else denies */
#define TW_PORT_F_OPEN	    0x10
#define TW_PORT_F_WATCH	    0x20 /* unclaimed: may not send from the MACs of `macs` */

#define TW_PORT_F_CUT	0x40 /* cut-through may start and end here: a plain, forwarding bridge port */
#define TW_PORT_F_DHCP	0x80  /* what DHCP gave its guest is its own too: `leases` */
#define TW_PORT_F_LOCAL 0x100 /* unclaimed: of a device whose other end is on this host */

/* Values of `macs`. */
#define TW_MAC_FOUND  0 /* the workload has its port */
#define TW_MAC_SOUGHT 1 /* it has none: a port that sends from the MAC is told of */
#define TW_MACS_MAX   65536

#define TW_PORT_ADDRS 4 /* inline addresses */

/* What is true of a port in one policy epoch. A port without an entry, or with image 0 and not
 * unclaimed, is shut. Kept twice, by epoch parity, so that the flip of config.epoch changes every
 * port's identity and image in one instant. */
struct tw_port {
	__u16 id;
	__u16 network;
	__u16 pvid; /* the VLAN of untagged frames on a VLAN-filtering bridge, else 0 */
	__u16 flags;
	__u32 image;	   /* slot in `images` */
	__u32 adopt_until; /* tick: mid-stream TCP is taken up before it; 0 = never */
	__u8 mac[6];
	__u8 n_addrs; /* inline */
	__u8 pad;
	struct tw_addr addr[TW_PORT_ADDRS];
	__u32 ifindex; /* set by the loader */
	__u32 len_max; /* bytes of the longest frame that cut-through may send here; 0: ask `locals` */
	/* What its guest may take of what all share; 0: no limit. */
	__u32 packet_rate;     /* frames sent, a second */
	__u32 open_rate;       /* connections opened, a second */
	__u32 half_open_max;   /* connections opened and not answered yet */
	__u32 established_max; /* connections answered */
	__u32 broadcast_rate;  /* frames sent to a broadcast or multicast MAC, a second */
	__u32 pad2;
	/* Identifies the content of `image`: an agent that adopts the entry cannot read the image, and
	 * what is on its disk may speak of an older one. */
	__u64 image_key[2];
};

/* `id`: a port id, or in tables by interface an ifindex. */
static inline __u32 tw_port_key(__u32 id, __u32 epoch)
{
	return id << 1 | (epoch & 1);
}

/* Groups by number, from 1 on: those that an address is in, ascending, then zeros. */
#define TW_GROUP_SET_MAX 16
#define TW_MEMBERS_MAX	 65536 /* addresses */

struct tw_group_set {
	__u16 number[TW_GROUP_SET_MAX];
};

/* Which groups an address is in, by epoch parity. */
struct tw_membership {
	struct tw_group_set in[2];
};

/* Key of `addrs`: prefixlen counts the 32 bits of `zone` too. */
struct tw_addr_key {
	__u32 prefixlen;
	__be32 zone; /* big-endian so that it is matched first and whole */
	struct tw_addr addr;
};

static inline __u32 tw_addr_zone(__u32 port_id, __u32 epoch)
{
	return port_id << 1 | (epoch & 1);
}

#define TW_LEASES_MAX	 4 /* of each family, for one port */
#define TW_LEASE_QUERIES 4 /* a power of 2 */

/* An address that a DHCP server gave to a port's guest. */
struct tw_lease {
	struct tw_addr addr;
	__u64 until_ns; /* monotonic; 0: none; all ones: for ever */
	__u32 serial;	/* another one whenever another address comes to stand here */
	__u32 known;	/* the serial that the policy in force takes into account; of the agent */
	__be32 server;	/* IPv4: the server's address, which renewals go to; 0: unknown */
	__u32 restored; /* by the agent, of an earlier boot; 0: a server gave it since */
};

/* What a guest asked a DHCP server. */
struct tw_lease_query {
	__be32 xid;
	__be32 about; /* the IPv4 address it asked for, or 0; DHCPv6: a hash of its DUID */
	__u32 seen;   /* tick */
	__u32 family; /* 0: no query; 1: DHCP; 2: DHCPv6 */
};

/* Of one port. Survives agents, and ends with the MAC. */
struct tw_leases {
	struct tw_lease at[2][TW_LEASES_MAX]; /* IPv4, IPv6 */
	struct tw_lease_query query[TW_LEASE_QUERIES];
	__u32 serial; /* the last one that was given */
	__u32 n_queries;
	__u8 mac[6];
	__u8 pad[2];
};

/* Names that belong to one port of a network, first come, first served: link-local addresses, and names
 * that DHCP clients give themselves (DHCP client identifiers; DUIDs with an IAID). */
enum tw_claim_kind { TW_CLAIM_ADDRESS, TW_CLAIM_CLIENT, TW_CLAIM__MAX };

#define TW_CLAIMS_MAX \
	4 /* names of each kind, for one port; the least recently used one gives way */

struct tw_claim {
	struct tw_addr name; /* a client's name: what kind it is, and a keyed hash of it */
	__u64 where;	     /* network and VLANs */
	__u64 tag;   /* keyed hash of all three, low 16 bits clear; 0: no claim stands here */
	__u32 seen;  /* tick of the last use, to a second */
	__u32 epoch; /* policy epoch that the claim was last checked in */
};

/* Claims of one port. They end with its MAC. */
struct tw_claims {
	struct tw_claim at[TW_CLAIM__MAX][TW_CLAIMS_MAX];
	__u64 mac; /* as a number; 0: its workload names none */
};

/* Which port claims a name: a way holds the claim's tag and, in its low 16 bits, the port's id. A way
 * whose port does not list the claim any more is free. */
#define TW_OWNER_SETS \
	16384 /* a power of two; twice as many ways as there can be claims, and more */
#define TW_OWNER_WAYS 8

struct tw_owners {
	__u64 way[TW_OWNER_WAYS];
};

/* Link-local addresses that were seen from beyond the ports: a claim's tag and, in its low 16 bits, the
 * time of the last sight in units of TW_STRANGER_SHIFT ticks. */
#define TW_STRANGER_SETS  1024 /* a power of two */
#define TW_STRANGER_WAYS  4
#define TW_STRANGER_SHIFT 16  /* 69 s */
#define TW_STRANGER_UNITS 131 /* 9000 s: no router lives longer without a word (RFC 4861 §6.2.1) */

struct tw_strangers {
	__u64 tag[TW_STRANGER_WAYS];
	__u64 mac[TW_STRANGER_WAYS]; /* that it was seen with */
};

struct tw_mac_key {
	__u8 mac[6];
	__u16 network; /* always 0 so far: a MAC is one workload's on the whole host */
};

/* A MAC behind a port of this host, on one bridge and VLAN, for cut-through. */
struct tw_local_key {
	__u8 mac[6];
	__u16 network;
	__u16 vlan; /* the port's pvid */
	__u16 pad;
};

struct tw_local {
	__u32 ifindex;
	__u32 len_max; /* bytes of the longest frame the port takes, but for super-frames */
};

/* An address or a MAC of the guest at one port, on its bridge and VLAN. */
struct tw_resident_key {
	struct tw_addr addr; /* a MAC is in its last six bytes, behind zeros */
	__u16 network;
	__u16 vlan; /* the port's pvid */
};

/* A value of `foreign`: the number of the network, the VLAN of the port's untagged frames, and whether the
 * bridge tells VLANs apart. */
#define TW_FOREIGN_NETWORK    0xffffu
#define TW_FOREIGN_VLAN_SHIFT 16
#define TW_FOREIGN_VLAN	      0xfffu
#define TW_FOREIGN_FILTERING  (1u << 31)

/* skb->mark belongs to the host, and no frame that leaves a port for the bridge, the host or a guest
 * has had it changed. The one mark of ours, 28 secret bits (config.mark, random per boot) and
 * TW_MARK_REPLY, is on a refusal the firewall wrote, from one hook of the port to the other. */
#define TW_MARK_REPLY 0x2u
#define TW_MARK_BITS  0xfu

/* What travels beside a frame, not in it, as the programs see it: for who runs them on frames. */
struct tw_beside {
	__u32 mark;   /* skb->mark */
	__u32 number; /* skb->cb[0] */
	__u32 origin; /* interface where it entered the host; 0: the host made it */
};

/* enum of include/linux/skbuff.h: SKB_GSO_*. */
#define TW_GSO_TCPV4	      (1u << 0)
#define TW_GSO_DODGY	      (1u << 1) /* a guest says so */
#define TW_GSO_TCPV6	      (1u << 4)
#define TW_GSO_GRE	      (1u << 6)
#define TW_GSO_GRE_CSUM	      (1u << 7)
#define TW_GSO_IPXIP4	      (1u << 8)
#define TW_GSO_IPXIP6	      (1u << 9)
#define TW_GSO_UDP_TUNNEL     (1u << 10)
#define TW_GSO_UDP_TUNNEL_SUM (1u << 11)
#define TW_GSO_REMCSUM	      (1u << 13)
#define TW_GSO_SCTP	      (1u << 14)
#define TW_GSO_ESP	      (1u << 15)
#define TW_GSO_UDP_L4	      (1u << 17)

/* What is known of a frame's checksum: CHECKSUM_* of include/linux/skbuff.h. */
enum tw_summed {
	TW_SUMMED_NOT,	    /* nothing */
	TW_SUMMED_CHECKED,  /* a NIC vouches for it */
	TW_SUMMED_COMPLETE, /* a NIC has summed the frame up */
	TW_SUMMED_PARTIAL   /* it is left to be completed on the way */
};

/* What a frame's sender has left the kernel to do to it behind the programs' backs. */
struct tw_offload {
	__u8 summed; /* enum tw_summed */
	__u8 pad;
	__u16 csum_start;  /* frame offset from which on bytes are summed up */
	__u16 csum_offset; /* from there on, of the checksum */
	__u16 inner;	   /* frame offset of what a UDP tunnel carries */
	__u32 gso_type;	   /* TW_GSO_*; 0: not known, or not segmented */
};

struct tw_config {
	__u32 epoch;	   /* of the policy in force; its parity selects ports and zones */
	__u32 mark;	   /* secret, low TW_MARK_BITS clear */
	__u32 timeout[16]; /* by enum tw_state, ticks */
	__u32 event_rate;  /* denial events per second and port */
	__u32 event_burst;
	__u32 reply_rate; /* refusals sent (RST, unreachable) per second and port */
	__u32 reply_burst;
	__u32 capturing; /* 1: `captures` says at which ports; 0: nobody looks there */
	__u32 dhcp_rate; /* DHCP messages a second that each guest may send; 0: no limit */
	/* Until when approved frames may go straight into the far port; 0: never. The agent renews it
	 * while it hears of what happens to ports, so that what nobody hears of ends cut-through. */
	__u64 cut_until_ns;
	__u64 now_ns;	 /* the clock, in programs loaded for tests; unused otherwise */
	__u32 conn_next; /* connections that the table which is to replace `conns` is for */
	__u32 pad2;
	__u32 half_open_max; /* for ports whose entry says 0; 0: no limit */
	__u32 established_max;
	__u32 agent_seen; /* tick when the agent last swept: without it, those who open sweep */
	__u32 conn_max;	  /* connections that `conns` is for */
	__u64 hash_key[TW_KEY_WORDS + 1];  /* secret */
	__u64 print_key[TW_KEY_WORDS + 1]; /* secret: of the other half of fingerprints */
	__u64 policy_text[2]; /* the agent's mark of the policy's text, by parity of the epoch */
	struct tw_offload
		offload; /* of each frame, in programs loaded for tests; unused otherwise */
	__u32 pad3;
};

struct tw_rule_count {
	__u64 hits;    /* connections decided, each once */
	__u64 packets; /* frames, each once */
	__u64 bytes;
	__u64 last_ns; /* of the last hit, monotonic */
};

#define TW_REASON_COUNTERS (64 * TW_DIR__MAX)

static inline __u32 tw_reason_index(__u32 reason, __u32 dir)
{
	return reason * TW_DIR__MAX + dir;
}

struct tw_port_count {
	__u64 packets[TW_DIR__MAX]; /* all frames seen */
	__u64 bytes[TW_DIR__MAX];
	__u64 denied_packets[TW_DIR__MAX]; /* of these, denied or rejected */
	__u64 denied_bytes[TW_DIR__MAX];
	__u64 events_limited; /* denials not told, over the port's rate */
	__u64 events_lost;    /* events not told, ring buffer full */
};

/* What is metered of a port (path/limit.h): the rates of struct tw_port. */
enum tw_meter {
	TW_METER_PACKETS,
	TW_METER_OPENS,
	TW_METER_BROADCAST,
	TW_METER_DHCP, /* config.dhcp_rate */
	TW_METER__MAX
};

#define TW_OPENED_TO 8 /* a power of two: two bytes of a MAC say which is its own */

struct tw_limiter {
	__u32 event_tokens; /* in 1/1024 */
	__u32 event_seen;   /* tick of the last refill */
	__u32 reply_tokens;
	__u32 reply_seen;
	__u64 due_ns[TW_METER__MAX]; /* when the next one would be due, were they sent evenly */
	__u32 told_seen;	     /* tick of the last event about a frame over its rate */
	__u32 silent; /* 1: its last denial found no token to be told with (path/syn.h) */
	__u16 opened_to[TW_OPENED_TO]; /* ids of ports it cut through to of late (path/cut.h) */
};

/* What is wanted of the frames at a port whose interface is in `captures`. */
struct tw_capture_want {
	__u32 snap_len; /* bytes of a frame that are copied, at most TW_CAPTURE_SNAP_MAX */
	__u32 flags;	/* TW_CAPTURE_F_* */
	__u64 lost;	/* frames that found no room in the port's ring buffer */
};

#define TW_CAPTURE_F_REFUSED 0x01 /* only frames that are denied or rejected */

#define TW_CAPTURE_PORTS    64	  /* captured at once */
#define TW_CAPTURE_SNAP_MAX 65600 /* a super-frame of 64 KiB with Ethernet header and tags */

/* How the path ended for one frame, as event, trace and native result all tell it. */
struct tw_outcome {
	__u8 verdict;		 /* enum tw_verdict: allow, deny or reject */
	__u8 reason;		 /* enum tw_reason */
	__u8 dir;		 /* enum tw_dir */
	__u8 way;		 /* enum tw_way, meaningful when a connection was found */
	__u32 decision;		 /* of the gate that decided; 0 when none did */
	__u64 gate[TW_DIR__MAX]; /* the connection's gates after the frame, 0 without one */
	__u8 state;		 /* of the connection after the frame */
	__u8 tracked;		 /* there is a connection */
	__u8 created;		 /* this frame opened it */
	__u8 stage;		 /* enum tw_stage in which it was decided */
	__u16 release;		 /* id of the port that has to send held fragments on, 0: none */
	__u8 held;		 /* denied for now: a copy is kept */
	__u8 pad;
};

_Static_assert(sizeof(struct tw_key) == 48, "part of events and records");
_Static_assert(sizeof(struct tw_conn) == 128, "two cache lines");
_Static_assert(__builtin_offsetof(struct tw_conn, packets) == 64, "the second line");
_Static_assert(TW_PORTS_MAX == 1 << TW_PORT_BITS, "ids of ports fit the word of both");
_Static_assert(sizeof(struct tw_bucket) == 64, "a cache line");
_Static_assert(sizeof(struct tw_usage) == 64, "a cache line");
_Static_assert(sizeof(struct tw_overflow_set) == 192, "256 bytes with what a hash adds");
_Static_assert(
	TW_PORTS_MAX *TW_OVERFLOW__MAX <= (1ull << 32) / TW_OVERFLOW_SETS, "keys fit a word");
_Static_assert(sizeof(struct tw_port) == 136, "ports value is pinned");
_Static_assert(sizeof(struct tw_leases) == 400, "leases value is pinned, and mapped by the agent");
_Static_assert(sizeof(struct tw_claims) == 328, "claims value is pinned");
_Static_assert(sizeof(struct tw_owners) == 64, "a cache line");
_Static_assert(sizeof(struct tw_strangers) == 64, "a cache line");
_Static_assert(TW_OWNER_SETS *TW_OWNER_WAYS >= 2 * TW_PORTS_MAX * TW_CLAIM__MAX * TW_CLAIMS_MAX,
	"claims of all ports find a way");
_Static_assert(sizeof(struct tw_addr_key) == 24, "addrs key is pinned");
_Static_assert(sizeof(struct tw_capture_want) == 16, "captures value is pinned");
_Static_assert(sizeof(struct tw_local_key) == 12, "locals key is pinned");
_Static_assert(__builtin_offsetof(struct tw_config, cut_until_ns) % 8 == 0, "stored as one word");
_Static_assert(TW_S__MAX <= 16, "timeouts fit tw_config");
_Static_assert(TW_R__MAX <= TW_REASON_COUNTERS / TW_DIR__MAX, "reasons fit their counters");
