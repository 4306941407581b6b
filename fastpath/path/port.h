/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* port.h: what a target must provide for the packet path to run on it.
 *
 * What:       the frame, the maps, the ring buffer, and the few actions on a frame. Everything
 *             else in fastpath/path/ is the same text in the kernel and in user space.
 * Callers:    a target (kernel/tap.bpf.c, native/native.c) includes this file, defines every
 *             function declared here, then includes path.h.
 */
#pragma once

#include "fastpath/abi/event.h"
#include "fastpath/abi/fragment.h"
#include "fastpath/abi/image.h"
#include "fastpath/path/bytes.h"

#define TW_HEAD_MAX 256 /* headers are read within the first bytes of a frame, so many */

/* A frame on its way. `data` … `data_end` is its linear head, at least min(len, TW_HEAD_MAX) bytes
 * long, starting with the Ethernet header, aligned so that the IP header is on 4 bytes (as
 * NET_IP_ALIGN does). Pointers into it are void after tw_frame_store() and tw_frame_resize(). */
struct tw_frame {
	const void *data;
	const void *data_end;
	__u32 len; /* bytes on the wire, in all buffers */
	__u32 ifindex;
	__u32 mark;
	__u32 origin; /* interface where the frame entered the host or was routed; 0: made by the host */
	__u32 number;	/* travels with a redirected frame, and with no other: see tw_token */
	__u32 gso_size; /* payload bytes per segment of a super-frame, else 0 */
	__u16 vlan_tci; /* of the tag kept outside the frame */
	__u16 has_vlan;
	__u64 now_ns;
	void *target; /* the target's own */
	long action;  /* what tw_frame_bounce() asks of the target, 0: nothing */
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

/* The size of the connection table: its buckets, and slots used of each. A program's own, for as long as
 * it lives: one that goes on while its successor is attached has another table (kernel/resize.h). */
tw_inline __u32 tw_table_buckets(const struct tw_frame *f);
tw_inline __u32 tw_table_slots(const struct tw_frame *f);

/* A port's entry in an epoch, by interface and by id; NULL when it has none. */
tw_inline const struct tw_port *tw_port_at(const struct tw_frame *f, __u32 ifindex, __u32 epoch);
tw_inline const struct tw_port *tw_port_numbered(const struct tw_frame *f, __u32 id, __u32 epoch);

/* An image that is being asked. */
struct tw_image_ref {
	union {
		void *image;   /* whose chunks are looked up */
		__u64 address; /* … or where the target finds a flat one */
	};
	const struct tw_image_chunk *first; /* holds all that is small */
	__u32 n_words;			    /* of a flat one */
};

/* The image in a slot, and one of its chunks; NULL when there is none. */
tw_inline void *tw_image_at(const struct tw_frame *f, __u32 slot);
tw_inline const struct tw_image_chunk *tw_image_chunk(
	const struct tw_frame *f, void *image, __u32 n);

/* Whether images are flat: words can be read by address, since one chunk stands behind the other. Else
 * each chunk is looked up. The same for as long as a target lives. */
tw_inline int tw_image_flat(const struct tw_frame *f);
tw_inline __u64 tw_image_address(
	const struct tw_frame *f, void *image, const struct tw_image_chunk *first);
/* TW_IMAGE_RUN words of a flat image from an offset below n_words on, to be named by constants. Each
 * is read where it is used; what cannot be read is 0. */
#define TW_IMAGE_RUN 32
tw_inline const __u32 *tw_image_words(
	const struct tw_frame *f, const struct tw_image_ref *ref, __u32 at);

/* Calls step(0, context), step(1, context), … n times, or until it returns other than 0. For what
 * is too long for the verifier to walk as a loop. What decides anything lies in the memory of a map, not
 * on the stack: a verifier before Linux 6.8 walks one step, takes a constant that it finds on the stack
 * afterwards for the only one, and removes what other ones would lead to. */
tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context);

/* Nobody else reads or writes the set meanwhile. No map is touched and nothing called in between. */
tw_inline void tw_frag_lock(struct tw_frag_set *set);
tw_inline void tw_frag_unlock(struct tw_frag_set *set);

/* Copies a whole frame of at most TW_FRAGQ_BYTES; makes a frame of what was copied; and sends it as
 * it is now once more, by the way it came. The first two void pointers into the frame. */
tw_inline long tw_frame_keep(const struct tw_frame *f, struct tw_fragq *hold);
tw_inline long tw_frame_become(struct tw_frame *f, const struct tw_fragq *hold);
tw_inline void tw_frame_again(const struct tw_frame *f, enum tw_dir dir);

/* ---- events: NULL when the ring buffer is full; a reserved event is zeroed by the caller ---- */
tw_inline struct tw_event *tw_event_reserve(const struct tw_frame *f);
tw_inline void tw_event_submit(const struct tw_frame *f, struct tw_event *event);

/* ---- captures: copies a frame, head->cap_len bytes of it, behind its head to whoever captures at
 * head->ifindex; fills in the tag kept outside the frame. 0, or negative: no room ---- */
tw_inline long tw_frame_capture(const struct tw_frame *f, struct tw_captured *head);

/* ---- actions on a frame; 0 or negative ---- */
tw_inline void tw_frame_mark(struct tw_frame *f, __u32 mark);
tw_inline void tw_frame_number(struct tw_frame *f, __u32 number);
tw_inline long tw_frame_resize(struct tw_frame *f, __u32 len); /* drops super-frame state */
tw_inline long tw_frame_load(const struct tw_frame *f, __u32 off, void *to, __u32 len);
tw_inline long tw_frame_store(struct tw_frame *f, __u32 off, const void *from, __u32 len);
/* Hands a refusal to its receiver: back into the guest (TW_DIR_OUT), or into the vSwitch as if the
 * port's guest had sent it (TW_DIR_IN). The path ends here. */
tw_inline void tw_frame_bounce(struct tw_frame *f, enum tw_dir dir);

/* Where its bridge itself says that the port which the frame is at sits: its bridge, the VLAN of its
 * untagged frames, and whether it is kept apart from others that are, in one word. 0: on no bridge,
 * or on none that forwards for it. TW_BRIDGE_PORT_UNKNOWN: cannot be asked here, so that what the agent has
 * heard must do. */
#define TW_BRIDGE_PORT_UNKNOWN	1
#define TW_BRIDGE_PORT_ISOLATED 0x8000
tw_inline __u64 tw_frame_bridge_port(const struct tw_frame *f);
/* Whether a bridge port is one whose bridge knows, and can be asked, where single MACs are: on a bridge that
 * does not tell VLANs apart. */
tw_inline int tw_bridge_port_plain(__u64 bridge_port)
{
	return bridge_port > TW_BRIDGE_PORT_UNKNOWN &&
	       !(bridge_port & (TW_BRIDGE_PORT_ISOLATED - 1));
}
/* The interface that the bridge of such a bridge port would send a frame of `len` bytes for `mac` to, and to
 * no other; 0: none, or several, or the host itself. */
tw_inline __u32 tw_bridge_way(
	const struct tw_frame *f, __u64 bridge_port, const __u8 mac[6], __u32 len);
/* Whether the bridge has nothing to learn from a frame with this source MAC at this port: it has
 * seen it here, not so long ago. */
tw_inline int tw_bridge_knows(const struct tw_frame *f, __u64 bridge_port, const __u8 mac[6]);
/* Whether the bridge would send so long a frame out of the port which it is at. */
tw_inline int tw_frame_fits(const struct tw_frame *f);

/* Sends the frame straight out of another port (cut-through). The path ends here. */
tw_inline void tw_frame_redirect(struct tw_frame *f, __u32 ifindex);

/* ---- offload: what struct tw_offload tells of a frame, each with its cost ---- */

/* enum tw_summed. */
tw_inline __u32 tw_frame_summed(const struct tw_frame *f);
/* Of a checksum that is to be completed: the frame offset from which on bytes are summed up, huge where
 * that is before the frame, and how far behind it the checksum goes. */
tw_inline __u32 tw_frame_csum_start(const struct tw_frame *f);
tw_inline __u32 tw_frame_csum_offset(const struct tw_frame *f);
/* Returns whether both are these: less than asking for each. */
tw_inline int tw_frame_csum_fits(const struct tw_frame *f, __u32 start, __u32 offset);
/* Of a super-frame: TW_GSO_*. */
tw_inline __u32 tw_frame_gso_type(const struct tw_frame *f);
/* Of a super-frame in a UDP tunnel: the frame offset of what the tunnel carries, from where on headers
 * are written anew for each segment; 0: there is none within the frame. */
tw_inline __u32 tw_frame_inner(const struct tw_frame *f);

/* ---- functions of path.h that a target may verify and run apart (see there) ---- */
struct tw_scratch;

/* What classify is told of the port it asks for. */
struct tw_home {
	__u32 own;    /* the address at this end is one of the port's */
	__u32 v4;     /* the first of these that is IPv4, 0: none is */
	__u32 parity; /* of the epoch that its entry is of: 0 or 1 */
};

/* What is asked about by its port's own: an address, or a DHCP client's name. */
enum tw_owned { TW_OWNED_ADDRESS, TW_OWNED_NAME };

tw_inline __u32 tw_call_classify(
	const struct tw_frame *f, __u32 slot, enum tw_dir end, struct tw_home home);
tw_inline enum tw_reason tw_call_open(const struct tw_frame *f, __u32 payer_id, __u32 epoch);
tw_inline void tw_call_sweep(const struct tw_frame *f);
tw_inline int tw_call_find(const struct tw_frame *f);
tw_inline enum tw_reason tw_call_again(const struct tw_frame *f);
tw_inline int tw_call_bucket_lock(const struct tw_frame *f, __u32 n);
tw_inline int tw_call_bucket_put(const struct tw_frame *f, __u32 n);
tw_inline int tw_call_bucket_replace(const struct tw_frame *f, __u32 n);
tw_inline void tw_call_bucket_clear(const struct tw_frame *f, __u32 n);
tw_inline __u32 tw_call_bucket_spare(const struct tw_frame *f, __u32 n, __u32 payer_id, __u32 what);
tw_inline int tw_call_bucket_give_up(const struct tw_frame *f, __u32 n, __u32 slot);
tw_inline int tw_call_hold(const struct tw_frame *f);
tw_inline int tw_call_overflow_find(const struct tw_frame *f, __u32 port_id, __u32 class, __u32 hi);
tw_inline int tw_call_overflow_meet(const struct tw_frame *f, __u32 port_id, enum tw_dir dir);
tw_inline int tw_call_overflow_put(const struct tw_frame *f, __u32 port_id, __u32 class);
tw_inline void tw_call_tell(const struct tw_frame *f, __u32 ifindex, __u32 port_id, __u32 kind);
tw_inline enum tw_reason tw_call_fragment(const struct tw_frame *f, __u32 port_id);
tw_inline void tw_call_capture(const struct tw_frame *f, __u32 ifindex, __u32 port_id);
tw_inline __u32 tw_call_owned(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind);
tw_inline int tw_call_claim(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind);
tw_inline enum tw_reason tw_call_beyond(const struct tw_frame *f, __u32 epoch);
tw_inline enum tw_reason tw_call_neighbour(const struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline enum tw_reason tw_call_dhcp(const struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline enum tw_reason tw_call_dhcp6(const struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline void tw_call_refuse(struct tw_frame *f, enum tw_dir dir, __u32 epoch);
tw_inline enum tw_reason tw_call_checksum(const struct tw_frame *f);
tw_inline enum tw_reason tw_call_ip_options(const struct tw_frame *f, __u32 off, __u32 end);
tw_inline void tw_call_options(const struct tw_frame *f);

/* The scratch memory of this CPU; NULL never happens, but the verifier wants to see it checked. */
tw_inline struct tw_scratch *tw_scratch_get(const struct tw_frame *f);
/* The same for what the agent and the loader run, too: those have one of their own, as packets may come in
 * between. */
tw_inline struct tw_scratch *tw_scratch_control(const struct tw_frame *f);

/* Whether somebody looks at the outcome on the scratch of a frame that went the short way (express.h). */
tw_inline int tw_frame_traced(const struct tw_frame *f);

/* Tells that a stage is entered (for explain; nothing in the kernel). */
tw_inline void tw_stage_enter(const struct tw_frame *f, enum tw_stage stage);

#define TW_SUM_BYTES 512 /* of a frame are summed up at once */

/* One's complement sum of `len` bytes at `off` as 16-bit words in the frame's order, folded; negative:
 * they are not all there. */
tw_inline int tw_frame_sum(const struct tw_frame *f, __u32 off, __u32 len);

/* Pointer to `len` bytes at `off`, NULL when they are not all in the head. */
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

/* Why tw_at() found nothing: the frame ends, or a capture cut it short, or it lies too deep. */
tw_inline enum tw_reason tw_at_reason(const struct tw_frame *f, __u32 off, __u32 len)
{
	return off + len > f->len || off + len <= TW_HEAD_MAX ? TW_R_TRUNCATED : TW_R_HEADER_BUDGET;
}
