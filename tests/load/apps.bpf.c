/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apps.bpf.c: the recognition of applications as programs of their own, for apps.c. The payload is
 * what follows an Ethernet header. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tests/load/apps.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct apps_io);
} tw_apps_io SEC(".maps");

/* Reads a payload. Returns the memory for it, or NULL. */
static __always_inline struct apps_io *read_payload(struct __sk_buff *skb)
{
	__u32 zero = 0, len = skb->len - APPS_ETHER;
	struct apps_io *io = bpf_map_lookup_elem(&tw_apps_io, &zero);

	if (!io || skb->len <= APPS_ETHER)
		return 0;
	__builtin_memset(io, 0, sizeof(*io));
	io->head.payload = len;
	io->head.port[1] = skb->mark;
	if (len > TW_APP_HEAD)
		len = TW_APP_HEAD;
	TW_OPAQUE(len);
	if (len - 1 >= TW_APP_HEAD || bpf_skb_load_bytes(skb, APPS_ETHER, io->wire, len))
		return 0;
	tw_app_head_fill(&io->head, io->wire, len);
	return io;
}

SEC("tc")
int tw_apps_none(struct __sk_buff *skb)
{
	struct apps_io *io = read_payload(skb);

	return io ? (int)(io->head.w[0] & 1) : 0;
}

SEC("tc")
int tw_apps_tcp(struct __sk_buff *skb)
{
	struct apps_io *io = read_payload(skb);

	if (!io)
		return 0;
	tw_app_compare_tcp(&io->head);
	return (int)tw_app_note(&io->state, 0, &io->head);
}

SEC("tc")
int tw_apps_udp(struct __sk_buff *skb)
{
	struct apps_io *io = read_payload(skb);

	if (!io)
		return 0;
	tw_app_compare_udp(&io->head);
	return (int)tw_app_note(&io->state, 0, &io->head);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
