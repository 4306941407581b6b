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
#include "fastpath/abi/app.h"
#include "fastpath/abi/decision.h"
#include "fastpath/abi/lease.h"
#include "fastpath/abi/offload.h"

/* Indexes of tw_full after those by enum tw_dir. */
enum tw_full_part { TW_FULL_LOOK = 2, TW_FULL_HOUSE, TW_FULL__MAX };

#define TW_PORTS_MAX 4096  /* port ids: 1 … TW_PORTS_MAX - 1 */
#define TW_PORT_IDS  65536 /* ifindexes below it are looked up in an array, others in a hash */
#define TW_PORT_SLOTS \
	(4 * TW_PORTS_MAX)  /* entries: two epochs, and as many being added or removed */
#define TW_RULES_MAX 131072 /* rule slots */
_Static_assert(TW_RULES_MAX <= TW_DECISION_RULE_MASK + 1, "a decision holds every rule slot");
#define TW_IMAGES_MAX	8192 /* image slots 1 … TW_IMAGES_MAX - 1; 0 = no image */
#define TW_EVENTS_BYTES (1 << 24)

#define TW_CONNS_DEFAULT 262144 /* default capacity of the connection table */
#define TW_CONNS_MAX	 16777216

#define TW_MAP_F_NO_PREALLOC 1		/* BPF_F_NO_PREALLOC */
#define TW_MAP_F_MMAPABLE    (1u << 10) /* BPF_F_MMAPABLE */

/* One tick is 2^20 ns (1.05 ms). A 32-bit tick wraps after 52 days, so differences are modulo 2^32.
 * An age is an unsigned difference, valid for nearly all of these days; one CPU's clock may be
 * ahead of another's by less than TW_TICKS_AHEAD (69 s). Idle limits are below 26 days. */
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

/* Directions seen from the workload: `out` leaves the VM (a tap's kernel ingress), `in` enters it.
 * Also the gates of a connection: the out gate is the source end's, the in gate the
 * destination's. */
enum tw_dir { TW_DIR_OUT, TW_DIR_IN, TW_DIR__MAX };

/* Direction of a packet within its connection. */
enum tw_way { TW_WAY_ORIGINAL, TW_WAY_REPLY, TW_WAY__MAX };

/* The canonical 5-tuple: the end whose (address, port) is smaller, bytewise, is `lo`. An ICMP query
 * and its answer use the identifier as the asking end's port. The answering end's port is the
 * identifier plus a small number for the kind of query, so that queries of the two ends never have
 * the same ports. Other ICMP uses 0 and type << 8 | code as the sender's and receiver's. `owner`: 0
 * if both ends share the record, else the id of the port that judges alone. */
struct tw_key {
	union {
		struct {
			struct tw_addr lo;
			struct tw_addr hi;
			__be16 lo_port;
			__be16 hi_port;
			__u16 network; /* number that the agent gave to the bridge */
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

#define TW_KEY_WORDS 11 /* words of `w` without the pad */

/* Returns the word of a key that holds vlan, inner_vlan and proto. */
static inline __u32 tw_key_tags(__u32 vlan, __u32 inner_vlan, __u32 proto)
{
	const struct tw_key key = {
		.vlan = vlan & 0xfff, .inner_vlan = inner_vlan & 0xfff, .proto = proto & 0xff};

	return key.w[10];
}

#define TW_CONN_F_ORIGIN_HI 0x01 /* the originator is the key's hi end */
#define TW_CONN_F_ADOPTED   0x02 /* adopted mid-stream, or resynchronised at a liberal port */
#define TW_CONN_F_REPLIED   0x04 /* a packet was seen in the reply direction */
#define TW_CONN_F_FIN_ORIG  0x08 /* FIN seen from the originator */
#define TW_CONN_F_FIN_REPLY 0x10
#define TW_CONN_F_OPENED    0x20 /* its open event has been sent */
#define TW_CONN_F_GONE	    0x40 /* ended by the agent: on request, or with its port */
#define TW_CONN_F_SYN_AGAIN 0x80 /* the originator sent another SYN: it may have restarted */

/* Sequence numbers that one end of a TCP connection sent, as far as a middlebox sees: SND.NXT and
 * SND.UNA of RFC 9293 §3.3.1. The latter is its peer's RCV.NXT, too. */
struct tw_window {
	__u32 end;   /* end of the highest segment it sent: sequence number plus length */
	__u32 acked; /* highest acknowledgement of it; before the first one, its SYN */
};

/* The part of a connection that its packets advance, as one word: a change is made as a whole or,
 * if another CPU was faster, not at all. */
struct tw_progress {
	union {
		struct {
			__u8 state; /* enum tw_state */
			__u8 flags; /* TW_CONN_F_* */
			union {
				__u16 icmp_type; /* ICMP: type << 8 | code of the first packet */
				__u8 scale[TW_WAY__MAX]; /* TCP: TW_SCALE_*, by sender */
			};
		};
		__u32 word;
	};
};

/* A connection, with its key. Counters and windows are indexed by the sender's enum tw_way, gates
 * and ports by enum tw_dir. Every packet reads the first half and writes the second. */
struct tw_conn {
	__u64 key[5];  /* struct tw_key */
	__u32 key_end; /* last word of struct tw_key before its pad */
	struct tw_progress progress;
	__u64 gate[TW_DIR__MAX];
	__u64 packets[TW_WAY__MAX];
	__u64 bytes[TW_WAY__MAX]; /* bytes of whole frames, as the VM sees them */
	__u32 created;		  /* tick */
	__u32 seen;		  /* tick of the last packet */
	__u32 ports;		  /* port ids and charge: charge.h */
	struct tw_window window[TW_WAY__MAX];
	/* Window that the peer offers beyond `acked`, in units of 1 << the peer's scale. */
	__u16 peer_window[TW_WAY__MAX];
};

/* The connection table is an array of buckets and an array of their records. A connection is in the
 * first bucket of its probe sequence that had room (path/conntrack/conns.h). The bucket's 16-bit
 * tags tell in which slots it may be. */
#define TW_BUCKET_SLOTS 16

struct tw_bucket {
	__u64 tags[TW_BUCKET_SLOTS / 4]; /* four in a word; 0: free */
	__u32 lock;			 /* 1 while a CPU changes tags */
	__u32 overflowed;		 /* records that overflowed past this full bucket */
	__u32 ahead, given_up; /* target of prefetches; hash of a key (path/conntrack/lost.h) */
	__u8 retained[TW_BUCKET_SLOTS]; /* when a packet last retained it; 0: never */
};

/* Returns the number of a slot's record among all records. */
static inline __u32 tw_record_number(__u32 bucket, __u32 slot)
{
	return bucket * TW_BUCKET_SLOTS + slot;
}

static inline __u16 tw_bucket_tag(const struct tw_bucket *bucket, __u32 slot)
{
	return (__u16)(bucket->tags[slot / 4 % 4] >> slot % 4 * 16);
}

/* Returns the number of buckets for `max` connections: at 84 % load, TW_PROBE_BUCKETS probes find
 * room. It is prime, so that a probe sequence visits distinct buckets, whatever its step. */
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

/* Returns the number of slots used in each bucket. */
static inline __u32 tw_conn_slots(__u32 max)
{
	return max < TW_BUCKET_SLOTS ? max : TW_BUCKET_SLOTS;
}

/* Result of taking a record over from a table of another size. */
enum tw_taken {
	TW_TAKEN_BUSY, /* the record's bucket was locked: try again */
	TW_TAKEN_ENDED,
	TW_TAKEN_NEW,
	TW_TAKEN_MET, /* the record was there already, and is up to date */
	TW_TAKEN_FULL,
};

#define TW_TAKE_AT 16 /* offset of the record in the frame that carries it */

/* Usage of the connection table by a port's guest. */
struct tw_usage {
	__u64 half_open;   /* not answered yet; read by tw_usage_now(), as are the next two */
	__u64 established; /* answered and not ended */
	__u64 over; /* ended TCP connections, which yield to new ones (path/conntrack/spare.h) */
	__u64 overflowed;	/* connections without a record, beyond half_open_max */
	__u64 refused;		/* connections refused, at established_max or in a full table */
	__u32 overflow_until;	/* tick until which `overflows` may hold entries; 0: none */
	__u32 overflow_grown;	/* tick when a class last got more sets */
	__u8 overflow_level[4]; /* level of sets, by enum tw_overflow_class */
	__u32 vain_due; /* tick when the next failed search for a record to give up is due */
	__u32 pad[2];	/* fills a cache line, which ports do not share */
};

/* ---- connections beyond a port's half-open quota ---- */

/* Such connections pass without a record. Each port they pass remembers them in its own sets, so
 * that their answers and third packets pass (path/conntrack/overflow.h). */
#define TW_OVERFLOW_WAYS       8      /* entries in a set */
#define TW_OVERFLOW_SETS_FIRST 256    /* sets of a port and class; doubled at each level */
#define TW_OVERFLOW_LEVELS     6      /* levels beyond the first */
#define TW_OVERFLOW_SETS       16384  /* sets at the last level: 131,072 entries */
#define TW_OVERFLOW_SETS_FEW   4      /* sets of a port and class when `overflows` is full */
#define TW_OVERFLOW_MAX	       262144 /* sets of all ports, at 256 bytes */

/* Maximum age of a valid entry. Displacing an entry that is still young asks for the next level. */
#define TW_OVERFLOW_TICKS (8 * TW_TICKS_PER_SECOND)
#define TW_OVERFLOW_YOUNG (TW_TICKS_PER_SECOND / 2)

/* Originators of the connections in a port's set. Each class displaces only its own entries. */
enum tw_overflow_class {
	TW_OVERFLOW_OWN,     /* opened by the port's guest; the port pays */
	TW_OVERFLOW_OUTSIDE, /* opened from beyond this host; the port pays */
	TW_OVERFLOW_LOCAL,   /* opened by a guest of this host, whose port pays */
	TW_OVERFLOW_GROUP, /* to a group or broadcast: the entry only shows that it was reported */
	TW_OVERFLOW__MAX
};

enum tw_overflow_stage {
	TW_OVERFLOW_NONE,
	TW_OVERFLOW_ASKED,    /* the originator has sent; TCP: a SYN */
	TW_OVERFLOW_ANSWERED, /* TCP: a SYN-ACK has answered */
};

/* A connection, by a keyed fingerprint of 64 bits. Three words, written singly; the first is the
 * fingerprint XOR the others, so a half-written entry matches nothing. All 0: free. */
struct tw_overflow {
	__u64 check;
	union {
		struct {
			__u32 first; /* TCP asked: lowest valid ack; answered: originator's next */
			__u32 last;  /* TCP asked: highest valid ack; answered: other end's next */
		};
		__u64 numbers;
	};
	union {
		struct {
			__u32 seen;		 /* tick */
			__u8 stage;		 /* enum tw_overflow_stage */
			__u8 scale[TW_WAY__MAX]; /* TCP: TW_SCALE_* */
			__u8 level;		 /* level of its port and class when written */
		};
		__u64 rest;
	};
};

struct tw_overflow_set {
	struct tw_overflow way_of[TW_OVERFLOW_WAYS];
};

/* Key of `overflows` and `overflow_few`. */
static inline __u32 tw_overflow_key(__u32 port_id, __u32 class, __u32 set)
{
	return (port_id * TW_OVERFLOW__MAX + class) * TW_OVERFLOW_SETS + set;
}

/* State of garbage collection of the connection table. */
struct tw_gc {
	__u32 bucket;	   /* next bucket to sweep */
	__u32 swept;	   /* tick of the last sweep in place of the agent */
	__u64 closes_lost; /* ended connections that could not be reported */
};

#define TW_SCALE_SHIFT	0x0f /* RFC 7323 §2.3: 0 … 14 */
#define TW_SCALE_SEEN	0x10 /* its SYN was seen, so that the scale is known */
#define TW_SCALE_OPTION 0x20 /* its SYN had the option, or may have had it */
#define TW_SCALE_BEHIND 0x40 /* its peer has acknowledged less than it had sent */
#define TW_SCALE_TWICE	0x80 /* SYN_RECV: it sent SYN-ACKs with different numbers */
#define TW_SCALE_RESET	0x80 /* CLOSED: its RST was at the end of what it had sent */
#define TW_SCALE_MAX	14   /* also for an unknown scale, so that no window is refused */

#define TW_PORT_F_GUARD_ANY 0x01 /* `addresses: [any]`: no address guard */
#define TW_PORT_F_TRANSIT   0x02 /* sees foreign connections: records of its own */
#define TW_PORT_F_MORE	    0x04 /* more addresses in `addrs` than fit inline */
#define TW_PORT_F_UNCLAIMED 0x08 /* no workload: passes with TW_PORT_F_OPEN, else denies */
#define TW_PORT_F_OPEN	    0x10
#define TW_PORT_F_WATCH	    0x20 /* unclaimed: must not send from the MACs in `macs` */

#define TW_PORT_F_CUT	      0x40 /* cut-through may start and end here: a plain forwarding port */
#define TW_PORT_F_DHCP	      0x80 /* addresses from DHCP are its own, too: `leases` */
#define TW_PORT_F_LOCAL	      0x100  /* unclaimed; the device's other end is on this host */
#define TW_PORT_F_QUARANTINED 0x200  /* shut by a quarantine: it has no image */
#define TW_PORT_F_OBSERVED    0x400  /* `mode: observe`: rules, default and tracking deny nothing */
#define TW_PORT_F_GRANTS      0x800  /* has rights beyond its MAC and addresses: `grants` */
#define TW_PORT_F_SLAAC	      0x1000 /* addresses that the guest forms by SLAAC are its own, too */
#define TW_PORT_F_SPARES      0x2000 /* broadcast_rate spares multicast that rules name (limit.h) */
#define TW_PORT_F_LIBERAL     0x4000 /* `tcp: liberal`: state and window of TCP refuse nothing */
#define TW_PORT_F_LOOKS	      0x8000 /* new connections are looked at for their application */

/* Values of `macs`. */
#define TW_MAC_FOUND  0 /* the workload has its port */
#define TW_MAC_SOUGHT 1 /* the workload has no port: a port that sends from the MAC is reported */
#define TW_MACS_MAX   65536

#define TW_PORT_ADDRS 4 /* inline addresses of a port */

/* A port in one policy epoch. A port without an entry, or with image 0 and not unclaimed, is shut.
 * Kept twice, by epoch parity, so that the flip of config.epoch changes every port's identity and
 * image at the same instant. */
struct tw_port {
	__u16 id;
	__u16 network;
	__u16 pvid; /* the VLAN of untagged frames on a VLAN-filtering bridge, else 0 */
	__u16 flags;
	__u32 image;	   /* slot in `images` */
	__u32 adopt_until; /* tick until which mid-stream TCP is adopted; 0 = never */
	__u8 mac[6];
	__u8 n_addrs; /* number of inline addresses */
	__u8 pad;
	struct tw_addr addr[TW_PORT_ADDRS];
	__u32 ifindex; /* set by the loader */
	__u32 len_max; /* bytes of the longest frame cut through to it; 0: ask `locals` */
	/* Limits of its guest on shared resources; 0: no limit. */
	__u32 packet_rate;     /* frames sent per second */
	__u32 open_rate;       /* connections opened per second */
	__u32 half_open_max;   /* open connections without an answer */
	__u32 established_max; /* answered connections */
	__u32 broadcast_rate;  /* frames sent to a broadcast or multicast MAC per second */
	/* End of the adoption window that an operator opened; 0: none. Only the agent reads it;
	 * `adopt_until` is never earlier. */
	__u32 adopt_asked;
	/* Identifies the content of `image`. An agent that adopts the entry cannot read the image,
	 * and its file on disk may describe an older one. */
	__u64 image_key[2];
};

/* Returns a key with the parity of the epoch. `id`: a port id; in tables by interface, an
 * ifindex. */
static inline __u32 tw_port_key(__u32 id, __u32 epoch)
{
	return id << 1 | (epoch & 1);
}

#define TW_VLAN_WORDS	    64 /* 4096 VLAN ids, a bit each */
#define TW_GRANT_MACS	    8
#define TW_GRANT_ETHERTYPES 8

/* Bits of struct tw_grants. */
#define TW_MAY_DHCP_SERVER 0x01 /* answers DHCP and DHCPv6 clients */
#define TW_MAY_ROUTER	   0x02 /* sends router advertisements and redirects */
#define TW_MAY_SHARE	   0x04 /* has addresses that other ports have, too */

/* Values of `addrs`. */
#define TW_ADDR_OWN    1
#define TW_ADDR_SHARED 2 /* other ports may have it, too */

#define TW_HOLDERS_MAX 4096
#define TW_HOLDER_TICKS \
	(2 * TW_TICKS_PER_SECOND) /* an address that moves again this soon is contested */

/* Rights of a port's guest beyond sending untagged frames from its own MAC and addresses. */
struct tw_grants {
	__u64 vlans[TW_VLAN_WORDS];	      /* VLAN ids of tags that it may send and receive */
	__u8 mac[TW_GRANT_MACS][6];	      /* further MACs */
	__u16 ethertype[TW_GRANT_ETHERTYPES]; /* protocols that are neither IP nor ARP; 0: none */
	__u32 may;			      /* TW_MAY_* */
	__u32 n_macs;
};

/* The groups of an address: numbers from 1, ascending, then zeros. */
#define TW_GROUP_SET_MAX 16
#define TW_MEMBERS_MAX	 65536 /* addresses */

struct tw_group_set {
	__u16 number[TW_GROUP_SET_MAX];
};

/* Groups of an address, by epoch parity. */
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

/* Names that belong to one port of a network, first come, first served: link-local addresses, and
 * names that DHCP clients choose (client identifiers; DUIDs with an IAID). */
enum tw_claim_kind { TW_CLAIM_ADDRESS, TW_CLAIM_CLIENT, TW_CLAIM__MAX };

#define TW_CLAIMS_MAX \
	4 /* names of each kind, for one port; the least recently used one is replaced */

struct tw_claim {
	struct tw_addr name; /* a client's name: its kind and keyed hash */
	__u64 where;	     /* network and VLANs */
	__u64 tag;   /* keyed hash of kind, name and where, low 16 bits clear; 0: no claim */
	__u32 seen;  /* tick of the last use, to a second */
	__u32 epoch; /* policy epoch of the last check */
};

/* Claims of one port, which end with its MAC. */
struct tw_claims {
	struct tw_claim at[TW_CLAIM__MAX][TW_CLAIMS_MAX];
	__u64 mac; /* MAC as a number; 0: the workload names none */
};

/* Owners of names: a way holds the claim's tag and, in its low 16 bits, the port's id. A way is
 * free if its port no longer lists the claim. */
#define TW_OWNER_SETS 16384 /* a power of two; at least twice as many ways as claims */
#define TW_OWNER_WAYS 8

struct tw_owners {
	__u64 way[TW_OWNER_WAYS];
};

/* Link-local addresses seen beyond the ports: a claim's tag and, in its low 16 bits, the time last
 * seen, in units of 1 << TW_STRANGER_SHIFT ticks. */
#define TW_STRANGER_SETS  1024 /* a power of two */
#define TW_STRANGER_WAYS  4
#define TW_STRANGER_SHIFT 16  /* 69 s */
#define TW_STRANGER_UNITS 131 /* 9000 s: longest lifetime of a router (RFC 4861 §6.2.1) */

struct tw_strangers {
	__u64 tag[TW_STRANGER_WAYS];
	__u64 mac[TW_STRANGER_WAYS]; /* MAC that it was seen with */
};

struct tw_mac_key {
	__u8 mac[6];
	__u16 network; /* always 0: a MAC belongs to one workload on the whole host */
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
	__u32 len_max; /* longest frame that the port accepts, in bytes, except super-frames */
};

/* An address or a MAC of the guest at one port, on its bridge and VLAN. */
struct tw_resident_key {
	struct tw_addr addr; /* a MAC is in the last six bytes, after zeros */
	__u16 network;
	__u16 vlan; /* the port's pvid, or a VLAN whose tag its guest may send */
};

/* Port that last announced a shared address. Only reports depend on it. */
struct tw_holder {
	__u32 port_id;
	__u32 before;	 /* id of the port that held it before; 0: none */
	__u32 since;	 /* tick */
	__u32 contested; /* tick of the last event that says two ports claim it; 0: none */
};

/* Value of `foreign`: the network's number, the VLAN of the port's untagged frames, and a bit set
 * if the bridge filters VLANs. */
#define TW_FOREIGN_NETWORK    0xffffu
#define TW_FOREIGN_VLAN_SHIFT 16
#define TW_FOREIGN_VLAN	      0xfffu
#define TW_FOREIGN_FILTERING  (1u << 31)

/* skb->mark belongs to the host: no frame leaves a port with a changed mark. tapwall marks only its
 * own refusals, on their way from one hook of the port to the other: 28 secret bits (config.mark,
 * random per boot) and TW_MARK_REPLY. */
#define TW_MARK_REPLY 0x2u
#define TW_MARK_BITS  0xfu

/* Metadata of a frame as the programs see it, for callers that run them on frames. */
struct tw_beside {
	__u32 mark;   /* skb->mark */
	__u32 number; /* skb->cb[0] */
	__u32 origin; /* interface where it entered the host; 0: host-made */
};

/* Version of the layout of all pinned maps. A change of a struct in a map, or of its meaning,
 * increments it (docs/decisions/014-layout.md). */
#define TW_LAYOUT 5

struct tw_config {
	__u32 epoch;	   /* epoch of the policy in force; its parity selects ports and zones */
	__u32 mark;	   /* secret, low TW_MARK_BITS clear */
	__u32 timeout[16]; /* by enum tw_state, ticks */
	__u32 event_rate;  /* denial events per second and port */
	__u32 event_burst;
	__u32 reply_rate; /* refusals sent (RST, unreachable) per second and port */
	__u32 reply_burst;
	__u32 capturing; /* 1: `captures` lists the ports; 0: no capture */
	__u32 dhcp_rate; /* DHCP messages per second and guest; 0: no limit */
	/* Time until which cut-through is allowed; 0: never. The agent renews it while it follows
	 * changes of ports, so that cut-through ends when the agent no longer hears of them. */
	__u64 cut_until_ns;
	__u64 now_ns;	     /* clock of programs loaded for tests; otherwise unused */
	__u32 conn_next;     /* capacity of the table that will replace `conns` */
	__u32 layout;	     /* TW_LAYOUT of the agent that made the maps */
	__u32 half_open_max; /* default for ports whose entry has 0; 0: no limit */
	__u32 established_max;
	__u32 agent_seen;		   /* tick of the agent's last sweep; see TW_AGENT_SILENT */
	__u32 conn_max;			   /* capacity of `conns` */
	__u64 hash_key[TW_KEY_WORDS + 1];  /* secret */
	__u64 print_key[TW_KEY_WORDS + 1]; /* secret, for the other half of fingerprints */
	/* The policy in force, by epoch parity; `policy_text` identifies its text, 0: unknown. */
	__u64 policy_text[2], policy_number[2], policy_since_ns[2];
	struct tw_offload
		offload; /* offload of each frame, in programs loaded for tests; otherwise unused */
	/* Rules that ask (path/ask.h). */
	__u32 ask_until;   /* tick until which a decider is there; 0: none */
	__u32 ask_timeout; /* ticks that a question waits for its answer */
	__u32 ask_verdict; /* enum tw_verdict to use without an answer: allow, else deny */
	__u32 ask_rate;	   /* questions per second and port */
	__u32 ask_quota;   /* entries of `answers` that one port may pay for */
};

struct tw_rule_count {
	__u64 hits;    /* connections decided, once each */
	__u64 packets; /* frames, once each */
	__u64 bytes;
	__u64 last_ns; /* time of the last hit, monotonic */
};

/* One array for all CPUs is made in a thousandth of the time that a per-CPU array of as many
 * elements takes, and user space reads it without calls. Each CPU writes to its own part. */
static inline __u32 tw_rule_index(__u32 slot, __u32 cpu)
{
	return cpu * TW_RULES_MAX + slot;
}

#define TW_REASON_COUNTERS (128 * TW_DIR__MAX)

static inline __u32 tw_reason_index(__u32 reason, __u32 dir)
{
	return reason * TW_DIR__MAX + dir;
}

struct tw_port_count {
	__u64 packets[TW_DIR__MAX]; /* all frames seen */
	__u64 bytes[TW_DIR__MAX];
	__u64 denied_packets[TW_DIR__MAX]; /* denied or rejected frames */
	__u64 denied_bytes[TW_DIR__MAX];
	__u64 events_limited; /* denials not reported: the port's event rate was exceeded */
	__u64 events_lost;    /* events lost: the ring buffer was full */
};

/* Metered quantities of a port (path/limit.h): the rates of struct tw_port. */
enum tw_meter {
	TW_METER_PACKETS,
	TW_METER_OPENS,
	TW_METER_BROADCAST,
	TW_METER_DHCP, /* config.dhcp_rate */
	TW_METER__MAX
};

#define TW_OPENED_TO 8 /* a power of two, indexed by two bytes of a MAC */

struct tw_limiter {
	__u32 event_tokens; /* in units of 1/1024 */
	__u32 event_seen;   /* tick of the last refill */
	__u32 reply_tokens;
	__u32 reply_seen;
	__u64 due_ns[TW_METER__MAX]; /* time when the next one is due at an even rate */
	__u32 told_seen;	     /* tick of the last event about exceeding a rate */
	__u32 silent; /* 1: its last denial found no event token (path/express/syn.h) */
	__u16 opened_to[TW_OPENED_TO]; /* ids of ports of recent cut-throughs (path/cut.h) */
};

/* Capture request for the port of an interface in `captures`. */
struct tw_capture_want {
	__u32 snap_len; /* bytes copied of each frame, at most TW_CAPTURE_SNAP_MAX */
	__u32 flags;	/* TW_CAPTURE_F_* */
	__u64 lost;	/* frames without room in the port's ring buffer */
};

#define TW_CAPTURE_F_REFUSED 0x01 /* only frames that are denied or rejected */

#define TW_CAPTURE_PORTS    64	  /* simultaneous captures */
#define TW_CAPTURE_SNAP_MAX 65600 /* a super-frame of 64 KiB with Ethernet header and tags */

/* Outcome of the path for one frame, for event, trace and native result. */
struct tw_outcome {
	__u8 verdict;		 /* enum tw_verdict: allow, deny or reject */
	__u8 reason;		 /* enum tw_reason */
	__u8 dir;		 /* enum tw_dir */
	__u8 way;		 /* enum tw_way, valid if a connection was found */
	__u32 decision;		 /* decision of the deciding gate; 0: none */
	__u64 gate[TW_DIR__MAX]; /* gates of the connection after the frame; 0 without one */
	__u8 state;		 /* state of the connection after the frame */
	__u8 tracked;		 /* true if there is a connection */
	__u8 created;		 /* this frame opened it */
	__u8 stage;		 /* enum tw_stage that decided */
	__u16 release;		 /* id of the port that must send its queued fragments; 0: none */
	__u8 queued;		 /* denied for now: a copy is queued, or waits for an answer */
	__u8 spared; /* enum tw_reason that an enforced port would give; the frame passes */
};

/* True if a frame with this verdict passes. */
static inline int tw_verdict_passes(enum tw_verdict verdict)
{
	return verdict == TW_V_ALLOW || verdict == TW_V_WOULD_DENY;
}

/* Returns the verdict to report: TW_V_WOULD_DENY if the frame passes, but its connection or the
 * frame itself would not if all its ports were enforced. */
static inline enum tw_verdict tw_outcome_report(const struct tw_outcome *o)
{
	__u32 decisions = o->decision | tw_gate_decision(o->gate[TW_DIR_OUT]) |
			  tw_gate_decision(o->gate[TW_DIR_IN]);

	return o->verdict == TW_V_ALLOW && (o->spared || decisions & TW_DECISION_OBSERVED)
		       ? TW_V_WOULD_DENY
		       : (enum tw_verdict)o->verdict;
}

/* Returns the reason to report: that of an enforced port, if the frame was spared. */
static inline enum tw_reason tw_outcome_reason(const struct tw_outcome *o)
{
	return (enum tw_reason)(o->spared ? o->spared : o->reason);
}

_Static_assert(TW_R_POLICY == TW_SPARED_POLICY, "reasons never change their numbers");
_Static_assert(sizeof(struct tw_key) == 48, "part of events and records");
_Static_assert(sizeof(struct tw_conn) == 128, "two cache lines");
_Static_assert(__builtin_offsetof(struct tw_conn, packets) == 64, "starts the second cache line");
_Static_assert(TW_PORTS_MAX == 1 << TW_PORT_BITS, "ids of ports fit the word of both");
_Static_assert(sizeof(struct tw_bucket) == 64, "a cache line");
_Static_assert(sizeof(struct tw_usage) == 64, "a cache line");
_Static_assert(sizeof(struct tw_overflow_set) == 192, "256 bytes with what a hash adds");
_Static_assert(
	TW_PORTS_MAX *TW_OVERFLOW__MAX <= (1ull << 32) / TW_OVERFLOW_SETS, "keys fit a word");
_Static_assert(sizeof(struct tw_port) == 136, "ports value is pinned");
_Static_assert(sizeof(struct tw_grants) == 584, "grants value is pinned");
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
