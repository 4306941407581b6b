/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask.bpf.c: path/classify.h in the kernel, without the rest of the packet path: classifies all
 * headers of a table in one run. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "tests/classbench/ask.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ASKS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct ask);
} asks SEC(".maps");

#include "fastpath/kernel/image.bpf.h"

tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context)
{
	bpf_loop(n, step, context, 0);
}

/* ClassBench sets have no groups. */
tw_inline struct tw_membership *tw_members_lookup(
	const struct tw_frame *f, const struct tw_addr *addr)
{
	return 0;
}

#include "fastpath/path/classify.h"

__noinline int answer(__u32 n)
{
	struct ask *ask = bpf_map_lookup_elem(&asks, &n);
	struct tw_frame f = {0};

	if (!ask)
		return 0;
	ask->decision = tw_classify(&f, ask->slot, ask->dir & 1,
		(struct tw_home){.own = ask->own, .v4 = ask->v4}, &ask->tuple, (__u16)ask->icmp);
	return 0;
}

static long step(__u32 i, void *context)
{
	answer(i);
	return 0;
}

SEC("tc")
int ask_all(struct __sk_buff *skb)
{
	bpf_loop(skb->mark, step, 0, 0);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
