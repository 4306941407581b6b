/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* names.bpf.c: the reading of names as a program of its own, for names.c. The payload is what follows an
 * Ethernet header; the mark is the kind of message. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tests/load/names.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct names_io);
} tw_names_io SEC(".maps");

struct walk {
	struct __sk_buff *skb;
	struct names_io *io;
};

/* Loads a window. True if it has a byte. */
static __always_inline int load_window(struct __sk_buff *skb, struct names_io *io)
{
	struct tw_name_window *w = &io->window;
	__u32 at = NAMES_ETHER + io->at, n = skb->len - at;

	__builtin_memset(io->wire, 0, sizeof(io->wire));
	w->rest = n;
	if (n > TW_NAME_WINDOW)
		n = TW_NAME_WINDOW;
	w->len = n;
	TW_OPAQUE(n);
	if (at >= skb->len || n - 1 >= TW_NAME_WINDOW || bpf_skb_load_bytes(skb, at, io->wire, n))
		return 0;
	for (__u32 i = 0; i < TW_NAME_WINDOW / 8; i++)
		w->w[i] = tw_host64(io->wire[i]);
	return 1;
}

static long step(__u32 i, void *context)
{
	const struct walk *walk = context;
	struct names_io *io = walk->io;

	if (TW_MEMORY(io->name.outcome) || !load_window(walk->skb, io))
		return 1;
	io->at += tw_name_step(&io->name, &io->window);
	io->steps++;
	return 0;
}

/* Returns the outcome. */
SEC("tc")
int tw_names(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct names_io *io = bpf_map_lookup_elem(&tw_names_io, &zero);
	struct walk walk = {skb, io};

	if (!io)
		return -1;
	tw_name_begin(&io->name, skb->mark);
	io->at = io->steps = 0;
	bpf_loop(TW_NAME_STEPS, step, &walk, 0);
	if (!io->name.outcome && io->at < skb->len - NAMES_ETHER)
		tw_name_end(&io->name, TW_NAME_BAD);
	return (int)io->name.outcome;
}

/* Reads a byte, and is the measure of a run without reading names. */
SEC("tc")
int tw_names_none(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct names_io *io = bpf_map_lookup_elem(&tw_names_io, &zero);

	return io && skb->len > NAMES_ETHER && !bpf_skb_load_bytes(skb, NAMES_ETHER, io->wire, 1)
		       ? 1
		       : 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
