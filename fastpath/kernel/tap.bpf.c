/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tap.bpf.c: the packet path in the kernel, at a port's tcx (or clsact) hooks.
 *
 * What:       tw_from_vm runs at the tap's ingress, where the guest's frames enter the host;
 *             tw_to_vm at its egress, where frames leave for the guest; tw_from_uplink at the
 *             ingress of other ports of the same bridges. tw_from_vm and tw_to_vm finish frames on
 *             the express paths. All others go by a tail call to tw_full_out and tw_full_in, the
 *             full path. The verifier walks each program on its own, and most frames run a small
 *             program.
 * Callers:    loaded, pinned and attached by kernel/load.c.
 * Out:        TC_ACT_UNSPEC: passes (to other programs, then the vSwitch or the guest);
 *             TC_ACT_SHOT: dropped; TC_ACT_REDIRECT: cut through, or turned into a refusal for its
 *             sender.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "fastpath/kernel/maps.bpf.h"

/* Set before load by tests: outcomes are traced, and the time is config.now_ns. */
const volatile __u8 tw_test_mode = 0;
const volatile __u64 tw_object_print = 0; /* fingerprint of the programs' object (kernel/keep.h) */

/* Conversion of jiffies, which eBPF reads without a call, to time; 0 if the loader does not know
 * it. */
const volatile __u64 tw_jiffy_ns = 0;
const volatile __u64 tw_jiffies_start_ns = 0; /* CLOCK_MONOTONIC at jiffy 0 */

/* ---- interface of a target: port.h ---- */

#define TW_MAP(symbol, map_type, key_type, value_type, ...)                                     \
	tw_inline value_type *tw_##symbol##_lookup(const struct tw_frame *f, const key_type *k) \
	{                                                                                       \
		return bpf_map_lookup_elem(&tw_##symbol, k);                                    \
	}                                                                                       \
	tw_inline long tw_##symbol##_update(                                                    \
		const struct tw_frame *f, const key_type *k, const value_type *v, __u64 flags)  \
	{                                                                                       \
		return bpf_map_update_elem(&tw_##symbol, k, v, flags);                          \
	}
#include "fastpath/abi/maps.def"
#undef TW_MAP

tw_inline __u32 tw_cpu(const struct tw_frame *f)
{
	return bpf_get_smp_processor_id();
}

#include "fastpath/kernel/image.bpf.h"
#include "fastpath/kernel/table.bpf.h"

tw_inline const struct tw_port *tw_port_numbered(const struct tw_frame *f, __u32 id, __u32 epoch)
{
	__u32 key = tw_port_key(id, epoch), *slot = bpf_map_lookup_elem(&tw_port_slots, &key);

	return slot && *slot ? bpf_map_lookup_elem(&tw_ports, slot) : 0;
}

/* TW_OPAQUE() keeps the two lookups separate. If the compiler merged them into one for either map,
 * the kernel would not inline it. */
tw_inline const struct tw_port *tw_port_at(const struct tw_frame *f, __u32 ifindex, __u32 epoch)
{
	__u32 *id;

	if (ifindex < TW_PORT_IDS) {
		id = bpf_map_lookup_elem(&tw_port_ids, &ifindex);
		TW_OPAQUE(id);
	} else {
		id = bpf_map_lookup_elem(&tw_port_ids_hi, &ifindex);
	}
	return id && *id ? tw_port_numbered(f, *id, epoch) : 0;
}

tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context)
{
	bpf_loop(n, step, context, 0);
}

tw_inline struct tw_scratch *tw_scratch_get(const struct tw_frame *f)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tw_scratch, &zero);
}

/* Before Linux 6.10, packets may interrupt BPF_PROG_TEST_RUN on its CPU. Runs without a port are at
 * the loopback interface, where packets never reach these programs. */
#define LOOPBACK 1

tw_inline struct tw_scratch *scratch_apart(const struct __sk_buff *skb)
{
	__u32 at = skb->ifindex == LOOPBACK;

	return bpf_map_lookup_elem(&tw_scratch, &at);
}

tw_inline struct tw_scratch *tw_scratch_control(const struct tw_frame *f)
{
	return scratch_apart(f->target);
}

tw_inline struct tw_event *tw_event_reserve(const struct tw_frame *f)
{
	return bpf_ringbuf_reserve(&tw_events, sizeof(struct tw_event), 0);
}

/* Waking the reader costs far more than the event, so the reader polls every TW_EVENTS_POLL_MS.
 * Rare or urgent events wake it at once, and so do the first events of each quarter of the buffer.
 * The amount of unread data would not do: with a reader that keeps up, it crosses any threshold
 * again and again. */
tw_inline void tw_event_submit(const struct tw_frame *f, struct tw_event *event)
{
	__u64 at = bpf_ringbuf_query(&tw_events, BPF_RB_PROD_POS) & (TW_EVENTS_BYTES / 4 - 1);
	int urgent = event->kind != TW_EVENT_OPEN && event->kind != TW_EVENT_CLOSE;

	bpf_ringbuf_submit(
		event, urgent || at < 2 * sizeof(*event) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

#define TW_ACCESS_MIN 8 /* shortest load or store */

/* Bounds a length by two plain comparisons. Every verifier since Linux 6.1 follows them, and the
 * compiler cannot see through them. */
tw_inline int bounded(__u32 *len, __u32 max)
{
	TW_OPAQUE(*len);
	if (*len > max)
		return 0;
	TW_OPAQUE(*len);
	return *len >= TW_ACCESS_MIN;
}

#include "fastpath/kernel/ask.bpf.h"
#include "fastpath/kernel/capture.bpf.h"

tw_inline void tw_frame_mark(struct tw_frame *f, __u32 mark)
{
	struct __sk_buff *skb = f->target;

	skb->mark = mark;
}

tw_inline void tw_frame_number(struct tw_frame *f, __u32 number)
{
	struct __sk_buff *skb = f->target;

	skb->cb[0] = number;
}

tw_inline long tw_frame_resize(struct tw_frame *f, __u32 len)
{
	return bpf_skb_change_tail(f->target, len, 0);
}

tw_inline long tw_frame_load(const struct tw_frame *f, __u32 off, void *to, __u32 len)
{
	return bounded(&len, TW_QUOTE_MAX) ? bpf_skb_load_bytes(f->target, off, to, len) : -1;
}

tw_inline long tw_frame_store(struct tw_frame *f, __u32 off, const void *from, __u32 len)
{
	return bounded(&len, TW_REPLY_MAX) ? bpf_skb_store_bytes(f->target, off, from, len, 0) : -1;
}

#include "fastpath/kernel/qdisc.bpf.h"
#include "fastpath/kernel/fragq.h"

tw_inline void tw_frame_bounce(struct tw_frame *f, enum tw_dir dir)
{
	f->action = bpf_redirect(f->ifindex, dir == TW_DIR_IN ? BPF_F_INGRESS : 0);
}

#include "fastpath/kernel/bridge_port.bpf.h"
#include "fastpath/kernel/offload.bpf.h"

tw_inline void tw_frame_redirect(struct tw_frame *f, __u32 ifindex)
{
	f->action = bpf_redirect(ifindex, 0);
}

tw_inline void tw_stage_enter(const struct tw_frame *f, enum tw_stage stage)
{
}

/* ---- subprograms: the verifier walks each once, whatever the path before it was ---- */

__noinline int tw_sub_classify(struct __sk_buff *skb, __u32 slot, __u32 end, __u32 home, __u32 v4);
__noinline int tw_sub_ask(
	struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 was, __u32 was_id);
__noinline int tw_sub_open_conn(struct __sk_buff *skb, __u32 payer_id, __u32 epoch);
__noinline int tw_sub_find(struct __sk_buff *skb);
__noinline int tw_sub_bucket_find(struct __sk_buff *skb, __u32 n);
__noinline int tw_sub_again(struct __sk_buff *skb);
__noinline int tw_sub_sweep_bucket(struct __sk_buff *skb);
__noinline int tw_sub_bucket_lock(struct __sk_buff *skb, __u32 n, __u32 spins);
__noinline int tw_sub_bucket_put(struct __sk_buff *skb, __u32 n);
__noinline int tw_sub_bucket_replace(struct __sk_buff *skb, __u32 n);
__noinline int tw_sub_slot_due(struct __sk_buff *skb, __u32 n, __u32 slot);
__noinline int tw_sub_slot_clear(struct __sk_buff *skb, __u32 n, __u32 slot);
__noinline int tw_sub_bucket_spare(struct __sk_buff *skb, __u32 n, __u32 payer_id, __u32 what);
__noinline int tw_sub_bucket_give_up(struct __sk_buff *skb, __u32 n, __u32 slot);
__noinline int tw_sub_retain(struct __sk_buff *skb);
__noinline int tw_sub_tell(struct __sk_buff *skb, __u32 ifindex, __u32 port_id, __u32 kind);
__noinline int tw_sub_fragment(struct __sk_buff *skb, __u32 ifindex, __u32 port_id);
__noinline int tw_sub_capture(struct __sk_buff *skb, __u32 ifindex, __u32 port_id);
__noinline int tw_sub_refuse(struct __sk_buff *skb, __u32 dir, __u32 epoch);
__noinline int tw_sub_parse(struct __sk_buff *skb);
__noinline int tw_sub_ip_options(struct __sk_buff *skb, __u32 off, __u32 end);
__noinline int tw_sub_quoted(struct __sk_buff *skb, __u32 off);
__noinline int tw_sub_options(struct __sk_buff *skb);
__noinline int tw_sub_checksum(struct __sk_buff *skb);
__noinline int tw_sub_granted(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 what);
__noinline int tw_sub_form(struct __sk_buff *skb, __u32 port_id, __u32 epoch);
__noinline int tw_sub_heard(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 type);
__noinline int tw_sub_beyond(struct __sk_buff *skb, __u32 epoch);
__noinline int tw_sub_neighbour(struct __sk_buff *skb, __u32 dir, __u32 epoch);
__noinline int tw_sub_igmp(struct __sk_buff *skb, __u32 dir, __u32 epoch);
__noinline int tw_sub_holder(struct __sk_buff *skb, __u32 epoch);
__noinline int tw_sub_dhcp(struct __sk_buff *skb, __u32 dir, __u32 epoch);
__noinline int tw_sub_dhcp6(struct __sk_buff *skb, __u32 dir, __u32 epoch);
__noinline int tw_sub_owned(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 kind);
__noinline int tw_sub_claim(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 kind);
__noinline int tw_sub_limit(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 decision);
__noinline int tw_sub_house(struct __sk_buff *skb, __u32 what, __u32 dir, __u32 epoch);
__noinline int tw_sub_look(struct __sk_buff *skb, __u32 payer_id, __u32 known, __u32 expected);
__noinline int tw_sub_express(struct __sk_buff *skb);

#include "fastpath/kernel/subprogram.bpf.h"

tw_inline int tw_frame_traced(const struct tw_frame *f)
{
	return tw_test_mode;
}

#include "fastpath/path/path.h"

tw_inline const struct tw_config *settings(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tw_config, &zero);
}

tw_inline __u64 now(const struct tw_config *c)
{
	if (tw_test_mode)
		return c->now_ns;
	if (tw_jiffy_ns)
		return bpf_jiffies64() * tw_jiffy_ns + tw_jiffies_start_ns;
	return bpf_ktime_get_coarse_ns();
}

tw_inline void frame_init(struct tw_frame *f, const struct tw_config *c, struct __sk_buff *skb)
{
	f->data = (void *)(long)skb->data;
	f->data_end = (void *)(long)skb->data_end;
	f->len = skb->len;
	f->ifindex = skb->ifindex;
	f->mark = skb->mark;
	f->origin = skb->ingress_ifindex;
	f->number = skb->cb[0];
	f->gso_size = skb->gso_size;
	f->vlan_tci = (__u16)skb->vlan_tci;
	f->has_vlan = skb->vlan_present != 0;
	f->now_ns = now(c);
	f->target = skb;
}

/* Returns the decision word for the connection in scratch. */
__noinline int tw_sub_classify(struct __sk_buff *skb, __u32 slot, __u32 end, __u32 home, __u32 v4)
{
	/* Map lookups need no struct tw_frame here. Its 72 bytes of stack are more than Linux 6.1
	 * has left under tw_from_vm. The verifier requires the argument `skb`, and the compiler
	 * would not pass it if it were unused. */
	TW_OPAQUE(skb);
	return (int)tw_path_decide(0, slot, end,
		(struct tw_home){home & 1, v4, home >> 1 & 1, home >> 2 & 1, home >> 3});
}

#include "fastpath/kernel/form.bpf.h"
#include "fastpath/kernel/question.bpf.h"
#include "fastpath/kernel/conns.bpf.h"

__noinline int tw_sub_tell(struct __sk_buff *skb, __u32 ifindex, __u32 port_id, __u32 kind)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return 0;
	frame_init(&f, c, skb);
	f.ifindex = ifindex;
	tw_path_tell(&f, c, port_id, kind);
	return 0;
}

/* Returns the reason why a fragment does not pass, or TW_R_NONE. */
__noinline int tw_sub_fragment(struct __sk_buff *skb, __u32 ifindex, __u32 port_id)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return TW_R_FRAG_ORPHAN;
	frame_init(&f, c, skb);
	f.ifindex = ifindex;
	return tw_path_fragment(&f, c, port_id);
}

/* Takes the exact time: the path's clock is too coarse for captured frames. */
__noinline int tw_sub_capture(struct __sk_buff *skb, __u32 ifindex, __u32 port_id)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return 0;
	frame_init(&f, c, skb);
	f.ifindex = ifindex;
	if (!tw_test_mode)
		f.now_ns = bpf_ktime_get_ns();
	tw_path_capture(&f, port_id);
	return 0;
}

/* Returns how the port owns scratch->about. */
__noinline int tw_sub_owned(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 kind)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return TW_LEASE_NONE;
	f.now_ns = now(c);
	return (int)tw_path_owned(&f, port_id, epoch, kind);
}

/* Claims the name in scratch->about. True if the port owns it now. */
__noinline int tw_sub_claim(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 kind)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	return tw_path_claim(&f, c, port_id, epoch, kind);
}

#include "fastpath/kernel/grant.bpf.h"

__noinline int tw_sub_beyond(struct __sk_buff *skb, __u32 epoch)
{
	struct tw_frame f = {
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.ifindex = skb->ifindex,
		.origin = skb->ingress_ifindex,
		.target = skb,
	};

	return (int)tw_path_beyond(&f, epoch);
}

#include "fastpath/kernel/house.bpf.h"
#include "fastpath/kernel/look.bpf.h"

/* Returns the tc action that sends the refusal; 0: there is none. */
__noinline int tw_sub_refuse(struct __sk_buff *skb, __u32 dir, __u32 epoch)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return 0;
	frame_init(&f, c, skb);
	tw_path_refuse(&f, c, dir ? TW_DIR_IN : TW_DIR_OUT, epoch);
	return (int)f.action;
}

#include "fastpath/kernel/parse.bpf.h"

/* Stores the outcome of a frame for tests. */
tw_inline void trace(const struct tw_outcome *o)
{
	struct tw_outcome *to;
	__u32 zero = 0;

	to = tw_test_mode ? bpf_map_lookup_elem(&tw_outcome, &zero) : 0;
	if (to)
		*to = *o;
}

tw_inline void trace_scratch(const struct tw_frame *f)
{
	const struct tw_scratch *scratch = tw_scratch_get(f);

	if (scratch)
		trace(&scratch->outcome);
}

/* Returns the tc action of a frame on the express path; 0: the full path takes it. */
__noinline int tw_sub_express(struct __sk_buff *skb)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return 0;
	frame_init(&f, c, skb);
	if (!tw_express(&f, c))
		return 0;
	trace_scratch(&f);
	return (int)f.action;
}

/* Returns a negative value if the frame is damaged. */
__noinline int tw_sub_release(struct __sk_buff *skb, __u32 dir, __u32 port_id)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return 0;
	frame_init(&f, c, skb);
	return (int)tw_path_release(&f, dir ? TW_DIR_IN : TW_DIR_OUT, port_id);
}

/* ---- programs ---- */

/* True if the far end of a cut-through has nothing left to do. */
tw_inline int arrived(const struct tw_frame *f)
{
	struct tw_scratch *own = tw_scratch_get(f);

	if (!own || own->token.kind != TW_TOKEN_CUT || !tw_token_redirected(f, &own->token) ||
		tw_arrival(f, &own->token) != TW_R_CUT_THROUGH)
		return 0;
	own->token.kind = TW_TOKEN_NONE;
	return 1;
}

/* True if a super-frame's TCP headers are all in its linear head, which often ends after them. Then
 * the path reads no more of it, and no bytes need to be copied there. */
tw_inline int headers_at_hand(const struct tw_frame *f)
{
	const struct tw_ethernet *eth = tw_at(f, 0, sizeof(*eth));
	__u32 off = sizeof(*eth);
	const struct tw_tcp *tcp;
	const __u8 *ip;

	ip = tw_at(f, off, sizeof(struct tw_ipv4));
	if (!f->gso_size || !eth || !ip)
		return 0;
	if (eth->type == tw_be16(TW_ETH_IPV4) && ip[9] == TW_IPPROTO_TCP)
		off += (ip[0] & 0xfu) * 4;
	else if (eth->type == tw_be16(TW_ETH_IPV6) && ip[6] == TW_IPPROTO_TCP)
		off += sizeof(struct tw_ipv6);
	else
		return 0;
	tcp = tw_at(f, off, sizeof(*tcp));
	return tcp && tw_at(f, off + (tcp->data_offset >> 4) * 4 - 1, 1) != 0;
}

tw_inline int judge(struct __sk_buff *skb, enum tw_dir dir)
{
	__u32 want = skb->len < TW_HEAD_MAX ? skb->len : TW_HEAD_MAX;
	const struct tw_config *c = settings();
	const struct tw_outcome *result;
	struct tw_frame f = {0};

	if (!c)
		return TC_ACT_SHOT;
	frame_init(&f, c, skb);
	/* All headers that the path may read must be in the linear head. */
	if (skb->data_end - skb->data < want && !headers_at_hand(&f)) {
		bpf_skb_pull_data(skb, want);
		frame_init(&f, c, skb);
	}
	result = tw_path(&f, c, dir);
	if (!result)
		return TC_ACT_SHOT;
	trace(result);
	if (result->verdict != TW_V_ALLOW)
		return f.action ? (int)f.action : TC_ACT_SHOT;
	if (result->release && tw_sub_release(skb, dir, result->release))
		return TC_ACT_SHOT;
	return f.action ? (int)f.action : TC_ACT_UNSPEC;
}

/* Returns the tc action of a SYN on an express path; 0: the full path takes it. */
tw_inline int greet(struct __sk_buff *skb)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};
	enum tw_syn end;

	if (!c)
		return 0;
	frame_init(&f, c, skb);
	end = tw_syn(&f, c);
	if (end == TW_SYN_FULL_PATH)
		return 0;
	trace_scratch(&f);
	return end == TW_SYN_SENT ? (int)f.action : TC_ACT_SHOT;
}

SEC("tc")
int tw_full_out(struct __sk_buff *skb)
{
	return judge(skb, TW_DIR_OUT);
}

SEC("tc")
int tw_full_in(struct __sk_buff *skb)
{
	return qdisc_leave(skb, qdisc_enter(skb) ? TC_ACT_SHOT : judge(skb, TW_DIR_IN));
}

SEC("tc")
int tw_from_vm(struct __sk_buff *skb)
{
	const struct tw_frame head = {
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
	};
	int action = tw_express_worth(&head) ? tw_sub_express(skb) : greet(skb);

	if (action)
		return action;
	bpf_tail_call(skb, &tw_full, TW_DIR_OUT);
	return TC_ACT_SHOT;
}

/* Drops a frame from outside with the MAC of a guest of this host. Returns the tc action. */
__noinline int tw_sub_impostor(struct __sk_buff *skb)
{
	__u32 want = skb->len < TW_HEAD_MAX ? skb->len : TW_HEAD_MAX;
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	bpf_skb_pull_data(skb, want);
	if (!c)
		return TC_ACT_SHOT;
	frame_init(&f, c, skb);
	tw_path_impostor(&f, c);
	return TC_ACT_SHOT;
}

/* True if the bridge would learn that a guest of this host is behind the uplink. A bridge ignores a
 * tag of another protocol; with a service tag (IEEE 802.1ad), both readings are denied. */
tw_inline int is_impostor(const struct __sk_buff *skb, struct tw_frame *f)
{
	if (tw_beyond_uplink(f))
		return 1;
	if (!skb->vlan_present || skb->vlan_proto != tw_be16(ETH_P_8021AD))
		return 0;
	f->has_vlan = 0;
	return tw_beyond_uplink(f);
}

/* Runs at the uplinks of bridges. A frame for one of our ports is redirected to tw_to_vm of that
 * port; others pass. Only frames with the MAC of a guest of this host are dropped here. */
SEC("tc")
int tw_from_uplink(struct __sk_buff *skb)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};
	struct tw_scratch *own;
	__u64 bridge_port = 0;
	__u32 ifindex;

	if (!c)
		return TC_ACT_UNSPEC;
	frame_init(&f, c, skb);
	own = tw_scratch_get(&f);
	if (!own)
		return TC_ACT_UNSPEC;
	own->token.kind = TW_TOKEN_NONE;
	if (is_impostor(skb, &f))
		return tw_sub_impostor(skb);
	/* Cut-through from an uplink needs tcx. */
	if (tw_in_qdisc)
		return TC_ACT_UNSPEC;
	ifindex = tw_cut_inbound(&f, c, &bridge_port);
	if (!ifindex)
		return TC_ACT_UNSPEC;
	tw_token_redirect(&f, &own->token, TW_TOKEN_INBOUND, bridge_port, ifindex);
	return (int)f.action;
}

SEC("tc")
int tw_to_vm(struct __sk_buff *skb)
{
	struct tw_frame f = {
		.target = skb,
		.len = skb->len,
		.gso_size = skb->gso_size,
		.ifindex = skb->ifindex,
		.origin = skb->ingress_ifindex,
		.number = skb->cb[0],
	};

	if (!tw_test_mode && arrived(&f))
		return TC_ACT_UNSPEC;
	bpf_tail_call(skb, &tw_full, TW_DIR_IN);
	return TC_ACT_SHOT;
}

/* Judges the housekeeping in scratch. The full path calls it through tw_sub_house(). */
SEC("tc")
int tw_house(struct __sk_buff *skb)
{
	struct tw_scratch *scratch = tw_scratch_get(0);
	__u32 dir, epoch;

	if (!scratch)
		return TW_R_NO_IMAGE;
	dir = scratch->args[1];
	epoch = scratch->args[2];
	switch (scratch->args[0]) {
	case HOUSE_NEIGHBOUR:
		return tw_sub_neighbour(skb, dir, epoch);
	case HOUSE_IGMP:
		return tw_sub_igmp(skb, dir, epoch);
	case HOUSE_DHCP:
		return tw_sub_dhcp(skb, dir, epoch);
	case HOUSE_DHCP6:
		return tw_sub_dhcp6(skb, dir, epoch);
	case HOUSE_HOLDER:
		return tw_sub_holder(skb, epoch);
	default:
		return TW_R_NO_IMAGE;
	}
}

/* Returns what tw_call_look() does. The full path calls it through tw_sub_look(). */
SEC("tc")
int tw_look(struct __sk_buff *skb)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};
	struct tw_scratch *scratch = tw_scratch_get(&f);

	if (!c || !scratch)
		return 0;
	f.now_ns = now(c);
	return (int)tw_look_packet(
		&f, scratch->args[0], scratch->args[1], scratch->args[2], scratch);
}

/* Sweeps the next bucket of the connection table; run by the agent, many at a time. */
SEC("tc")
int tw_sweep(struct __sk_buff *skb)
{
	return tw_sub_sweep_bucket(skb);
}

/* Takes over one record, which is in the frame, from a table of another size; run by the loader.
 * Returns an enum tw_taken. */
SEC("tc")
int tw_take(struct __sk_buff *skb)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};
	struct tw_scratch *work = tw_scratch_control(&f);

	if (!c || !work || bpf_skb_load_bytes(skb, TW_TAKE_AT, &work->conn, sizeof(work->conn)))
		return TW_TAKEN_BUSY;
	f.now_ns = now(c);
	return (int)tw_conn_take(&f, c, work);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
