/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* port.h: the interface that a target provides for the packet path.
 *
 * What:       the frame, the maps, the ring buffers, and a few actions on a frame. Everything else
 *             in fastpath/path/ is the same code in the kernel and in user space.
 * Callers:    a target (kernel/tap.bpf.c, native/native.c) includes this file, defines every
 *             function declared here, then includes path.h.
 */
#pragma once

#include "fastpath/abi/ask.h"
#include "fastpath/abi/event.h"
#include "fastpath/abi/fragment.h"
#include "fastpath/abi/image.h"
#include "fastpath/path/bytes.h"

#define TW_HEAD_MAX 256 /* number of leading bytes of a frame from which headers are read */

/* A frame being judged. `data` … `data_end` is its linear head: at least min(len, TW_HEAD_MAX)
 * bytes, from the Ethernet header on, aligned so that the IP header is on 4 bytes (as NET_IP_ALIGN
 * does). Pointers into it are invalid after tw_frame_store() and tw_frame_resize(). */
struct tw_frame {
	const void *data;
	const void *data_end;
	__u32 len; /* bytes on the wire, including those not in the linear buffer */
	__u32 ifindex;
	__u32 mark;
	__u32 origin;	/* interface where the frame entered the host or was routed; 0: host-made */
	__u32 number;	/* travels only with a redirected frame: see tw_token */
	__u32 gso_size; /* payload bytes per segment of a super-frame, else 0 */
	__u16 vlan_tci; /* TCI of the tag kept outside the frame */
	__u16 has_vlan;
	__u64 now_ns;
	void *target; /* private to the target */
	long action;  /* action that tw_frame_bounce() requests from the target; 0: none */
};

/* ---- maps: tw_<map>_lookup(), _update() (0, or negative: no room), _delete() ---- */

#define TW_MAP_ANY     0 /* BPF_ANY */
#define TW_MAP_NOEXIST 1 /* BPF_NOEXIST */

#define TW_MAP(symbol, type, key, value, ...)                                          \
	tw_inline value *tw_##symbol##_lookup(const struct tw_frame *f, const key *k); \
	tw_inline long tw_##symbol##_update(                                           \
		const struct tw_frame *f, const key *k, const value *v, __u64 flags);
#include "fastpath/abi/maps.def"
#undef TW_MAP

/* Size of the connection table: its buckets, and the slots used of each. A program uses one table
 * all its life. While a new program is being attached, the old one still uses the old table
 * (kernel/resize.h). */
tw_inline __u32 tw_table_buckets(const struct tw_frame *f);
tw_inline __u32 tw_table_slots(const struct tw_frame *f);
tw_inline __u32 tw_cpu(const struct tw_frame *f);

/* Return a port's entry in an epoch, by interface or by id; NULL if it has none. */
tw_inline const struct tw_port *tw_port_at(const struct tw_frame *f, __u32 ifindex, __u32 epoch);
tw_inline const struct tw_port *tw_port_numbered(const struct tw_frame *f, __u32 id, __u32 epoch);

/* An image during classification. */
struct tw_image_ref {
	union {
		void *image;   /* image whose chunks are looked up */
		__u64 address; /* address of a flat image in the target */
	};
	const struct tw_image_chunk *first; /* first chunk, which holds all small tables */
	__u32 n_words;			    /* size of a flat image */
};

/* Return the image in a slot, or one of its chunks; NULL if there is none. */
tw_inline void *tw_image_at(const struct tw_frame *f, __u32 slot);
tw_inline const struct tw_image_chunk *tw_image_chunk(
	const struct tw_frame *f, void *image, __u32 n);

/* True if images are flat: chunks are contiguous, and words are read by address. Otherwise each
 * chunk is looked up. Constant for the life of a target. */
tw_inline int tw_image_flat(const struct tw_frame *f);
tw_inline __u64 tw_image_address(
	const struct tw_frame *f, void *image, const struct tw_image_chunk *first);
/* Returns TW_IMAGE_RUN words of a flat image from offset `at`, which is below n_words; index them
 * by constants. Each is read where it is used; an unreadable word is 0. */
#define TW_IMAGE_RUN 32
tw_inline const __u32 *tw_image_words(
	const struct tw_frame *f, const struct tw_image_ref *ref, __u32 at);

/* Calls step(i, context) for i = 0 … n - 1, until a call returns a value other than 0. For loops
 * too long for the verifier to walk. Results that decide anything must be in map memory, not on the
 * stack: before Linux 6.8, the verifier walks only one step, takes a constant that this step leaves
 * on the stack for the only possible value, and prunes all other branches. */
tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context);

/* Lock a set against all other CPUs. While it is locked, the caller must not use a map or call a
 * function. */
tw_inline void tw_frag_lock(struct tw_frag_set *set);
tw_inline void tw_frag_unlock(struct tw_frag_set *set);

/* Copy a whole frame of at most TW_FRAGQ_BYTES; turn the frame into such a copy; send the present
 * frame once more, in the direction it came from. The first two invalidate pointers into the
 * frame. */
tw_inline long tw_frame_keep(const struct tw_frame *f, struct tw_fragq *queued);
tw_inline long tw_frame_become(struct tw_frame *f, const struct tw_fragq *queued);
tw_inline void tw_frame_again(const struct tw_frame *f, enum tw_dir dir);

/* Sends a question with a copy of question->cap_len bytes of the frame. If the frame cannot be
 * copied, sets cap_len to 0. Returns 0, or a negative number if there is no room. */
tw_inline long tw_frame_ask(const struct tw_frame *f, struct tw_asked *question);

/* ---- events: NULL when the ring buffer is full; a reserved event is zeroed by the caller ---- */
tw_inline struct tw_event *tw_event_reserve(const struct tw_frame *f);
tw_inline void tw_event_submit(const struct tw_frame *f, struct tw_event *event);

/* ---- captures: copies a frame, head->cap_len bytes of it, after its head to the capture at
 * head->ifindex; fills in the tag kept outside the frame. 0, or negative: no room ---- */
tw_inline long tw_frame_capture(const struct tw_frame *f, struct tw_captured *head);

/* ---- actions on a frame; 0 or negative ---- */
tw_inline void tw_frame_mark(struct tw_frame *f, __u32 mark);
tw_inline void tw_frame_number(struct tw_frame *f, __u32 number);
tw_inline long tw_frame_resize(struct tw_frame *f, __u32 len); /* drops super-frame state */
tw_inline long tw_frame_load(const struct tw_frame *f, __u32 off, void *to, __u32 len);
tw_inline long tw_frame_store(struct tw_frame *f, __u32 off, const void *from, __u32 len);
/* Sends a refusal to its receiver: back into the guest (TW_DIR_OUT), or into the vSwitch as if the
 * port's guest had sent it (TW_DIR_IN). The path ends here. */
tw_inline void tw_frame_bounce(struct tw_frame *f, enum tw_dir dir);

/* Returns the bridge port id of the frame's port, as its bridge has it: the bridge, the VLAN of
 * untagged frames, and whether the port is isolated, in one word. 0: on no bridge, or on one that
 * does not forward for it. TW_BRIDGE_PORT_UNKNOWN: the bridge cannot be asked here, and only the
 * agent's knowledge counts. */
#define TW_BRIDGE_PORT_UNKNOWN	1
#define TW_BRIDGE_PORT_ISOLATED 0x8000
tw_inline __u64 tw_frame_bridge_port(const struct tw_frame *f);
/* True if the bridge can be asked where a MAC is: a bridge without VLAN filtering. */
tw_inline int tw_bridge_port_plain(__u64 bridge_port)
{
	return bridge_port > TW_BRIDGE_PORT_UNKNOWN &&
	       !(bridge_port & (TW_BRIDGE_PORT_ISOLATED - 1));
}
/* Returns the interface to which a port's bridge, without VLAN filtering, would send a frame of
 * `len` bytes for `mac`. 0: none, or several, or the host itself. */
tw_inline __u32 tw_bridge_way(
	const struct tw_frame *f, __u64 bridge_port, const __u8 mac[6], __u32 len);
/* True if the bridge need not learn from a frame with this source MAC at this port, as it has seen
 * the MAC here recently. */
tw_inline int tw_bridge_knows(const struct tw_frame *f, __u64 bridge_port, const __u8 mac[6]);
/* True if the bridge would send a frame of this length out of the frame's port. */
tw_inline int tw_frame_fits(const struct tw_frame *f);

/* Sends the frame directly out of another port (cut-through). The path ends here. */
tw_inline void tw_frame_redirect(struct tw_frame *f, __u32 ifindex);

/* ---- offload: the fields of struct tw_offload for a frame, each at a cost ---- */

/* Returns enum tw_summed. */
tw_inline __u32 tw_frame_summed(const struct tw_frame *f);
/* For a checksum to be completed: the frame offset from which bytes are summed, huge if that is
 * before the frame, and the offset of the checksum from there. */
tw_inline __u32 tw_frame_csum_start(const struct tw_frame *f);
tw_inline __u32 tw_frame_csum_offset(const struct tw_frame *f);
/* True if a checksum has this start and offset; cheaper than reading each. */
tw_inline int tw_frame_csum_fits(const struct tw_frame *f, __u32 start, __u32 offset);
/* Returns TW_GSO_* of a super-frame. */
tw_inline __u32 tw_frame_gso_type(const struct tw_frame *f);
/* Returns the frame offset of the inner packet of a super-frame in a UDP tunnel, from which each
 * segment's headers are rewritten. 0: none within the frame. */
tw_inline __u32 tw_frame_inner(const struct tw_frame *f);

/* ---- functions that a target may verify and run as subprograms; path.h has their bodies ---- */
struct tw_scratch;

/* Facts about a port for classify. */
struct tw_home {
	__u32 own;	/* the address at this end is the port's own */
	__u32 v4;	/* first own IPv4 address of the port; 0: none */
	__u32 parity;	/* parity of the entry's epoch: 0 or 1 */
	__u32 observed; /* 1: the port is in observe mode */
	__u32 looks;	/* 1: new connections are looked at for their application */
};

/* Kind of name whose owner is looked up: an address, or a DHCP client's name. */
enum tw_owned { TW_OWNED_ADDRESS, TW_OWNED_NAME };

/* Kinds of rights in `grants` (grant.h). */
enum tw_grant {
	TW_GRANT_TAGS,
	TW_GRANT_SOURCE,
	TW_GRANT_DESTINATION,
	TW_GRANT_ETHERTYPE_OUT,
	TW_GRANT_ETHERTYPE_IN
};

#define TW_GRANT_OVER 2 /* granted, but beyond the port's default rate (limit.h) */

/* What became of an entry for a connection without a record (conntrack/overflow.h). */
enum tw_overflow_room {
	TW_OVERFLOW_AGAIN, /* the connection was known */
	TW_OVERFLOW_FRESH,
	TW_OVERFLOW_TIGHT, /* fresh, displacing a young entry; `level` is the next level */
};

tw_inline __u32 tw_call_classify(
	const struct tw_frame *f, __u32 slot, enum tw_dir end, struct tw_home home);
tw_inline int tw_call_ask(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 was, __u32 was_id);
tw_inline enum tw_reason tw_call_open(const struct tw_frame *f, __u32 payer_id, __u32 epoch);
tw_inline void tw_call_sweep(const struct tw_frame *f);
tw_inline int tw_call_find(const struct tw_frame *f);
tw_inline __u32 tw_call_bucket_find(const struct tw_frame *f, __u32 n);
tw_inline enum tw_reason tw_call_again(const struct tw_frame *f);
tw_inline int tw_call_bucket_lock(const struct tw_frame *f, __u32 n, __u32 spins);
tw_inline int tw_call_bucket_put(const struct tw_frame *f, __u32 n);
tw_inline int tw_call_bucket_replace(const struct tw_frame *f, __u32 n);
tw_inline int tw_call_slot_due(const struct tw_frame *f, __u32 n, __u32 slot);
tw_inline int tw_call_slot_clear(const struct tw_frame *f, __u32 n, __u32 slot);
tw_inline __u32 tw_call_bucket_spare(const struct tw_frame *f, __u32 n, __u32 payer_id, __u32 what);
tw_inline int tw_call_bucket_give_up(const struct tw_frame *f, __u32 n, __u32 slot);
tw_inline int tw_call_retain(const struct tw_frame *f);
tw_inline int tw_call_overflow_find(const struct tw_frame *f, __u32 port_id, __u32 class, __u32 hi);
tw_inline int tw_call_overflow_read(const struct tw_frame *f, __u32 key, __u32 flags);
tw_inline int tw_call_overflow_meet(const struct tw_frame *f, __u32 port_id, enum tw_dir dir);
tw_inline int tw_call_overflow_put(const struct tw_frame *f, __u32 port_id, __u32 class);
tw_inline enum tw_overflow_room tw_call_overflow_write(
	const struct tw_frame *f, struct tw_overflow_set *set, __u32 now);
tw_inline int tw_call_spare(const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_dir dir);
tw_inline enum tw_reason tw_call_liberal(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_dir dir);
tw_inline enum tw_reason tw_call_lost(const struct tw_frame *f, __u32 port_id, enum tw_dir dir);
tw_inline void tw_call_tell(const struct tw_frame *f, __u32 ifindex, __u32 port_id, __u32 kind);
tw_inline enum tw_reason tw_call_fragment(const struct tw_frame *f, __u32 port_id);
tw_inline void tw_call_capture(const struct tw_frame *f, __u32 ifindex, __u32 port_id);
tw_inline __u32 tw_call_owned(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind);
tw_inline int tw_call_claim(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind);
tw_inline int tw_call_granted(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_grant what);
tw_inline enum tw_reason tw_call_form(const struct tw_frame *f, __u32 port_id, __u32 epoch);
tw_inline void tw_call_heard(const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 type);
tw_inline enum tw_reason tw_call_beyond(const struct tw_frame *f, __u32 epoch);
tw_inline enum tw_reason tw_call_neighbour(const struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline enum tw_reason tw_call_igmp(const struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline void tw_call_holder(const struct tw_frame *f, __u32 epoch);
tw_inline enum tw_reason tw_call_dhcp(const struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline enum tw_reason tw_call_dhcp6(const struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline enum tw_reason tw_call_limit(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 decision);
/* Looks at the payload in scratch. Returns the bits TW_DECISION_LOOK and TW_DECISION_APP of the
 * connection's decisions. */
tw_inline __u32 tw_call_look(const struct tw_frame *f, __u32 payer_id, __u32 known, __u32 expected);
tw_inline void tw_call_refuse(struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline enum tw_reason tw_call_checksum(const struct tw_frame *f);
tw_inline enum tw_reason tw_call_parse(const struct tw_frame *f);
tw_inline enum tw_reason tw_call_ip_options(const struct tw_frame *f, __u32 off, __u32 end);
tw_inline void tw_call_quoted(const struct tw_frame *f, __u32 off);
tw_inline void tw_call_options(const struct tw_frame *f);

/* Returns this CPU's scratch memory. It is never NULL, but the verifier demands the check. */
tw_inline struct tw_scratch *tw_scratch_get(const struct tw_frame *f);
/* Returns scratch memory for programs that the agent and the loader run: separate, as a packet may
 * interrupt them. */
tw_inline struct tw_scratch *tw_scratch_control(const struct tw_frame *f);

/* True if the caller reads the outcome of a frame on the express path (express.h). */
tw_inline int tw_frame_traced(const struct tw_frame *f);

/* Records for `explain` that a stage is entered. Does nothing in the kernel. */
tw_inline void tw_stage_enter(const struct tw_frame *f, enum tw_stage stage);

#define TW_SUM_BYTES 512 /* bytes of a frame summed at a time */

/* Returns the folded one's complement sum of `len` bytes at `off`, as 16-bit words in the frame's
 * byte order. Negative: they are not all there. */
tw_inline int tw_frame_sum(const struct tw_frame *f, __u32 off, __u32 len);

/* Returns `len` bytes at `off`, or NULL if they are not all in the head. */
tw_inline const void *tw_at(const struct tw_frame *f, __u32 off, __u32 len)
{
	const __u8 *p = f->data;

	TW_OPAQUE(off);
	if (off > TW_HEAD_MAX - len)
		return 0;
	p += off;
	if ((const void *)(p + len) > f->data_end)
		return 0;
	return p;
}

/* Returns why tw_at() found nothing: the frame ends, a capture truncated it, or the bytes lie
 * beyond TW_HEAD_MAX. */
tw_inline enum tw_reason tw_at_reason(const struct tw_frame *f, __u32 off, __u32 len)
{
	return off + len > f->len || off + len <= TW_HEAD_MAX ? TW_R_TRUNCATED : TW_R_HEADER_BUDGET;
}
