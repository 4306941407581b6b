/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* parse.bpf.h: subprograms of the parser, for headers that most frames do not have, and for
 * checksums (path/parse.h, path/transport.h, path/checksum.h).
 *
 * Callers:    tap.bpf.c, which includes it.
 */
#pragma once

/* Reads the headers of a frame into the packet in scratch. Returns an enum tw_reason. */
__noinline int tw_sub_parse(struct __sk_buff *skb)
{
	struct tw_frame f = {
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.len = skb->len,
		.gso_size = skb->gso_size,
		.vlan_tci = (__u16)skb->vlan_tci,
		.has_vlan = skb->vlan_present != 0,
		.target = skb,
	};

	return (int)tw_path_parse(&f);
}

/* Returns the reason to deny IPv4 options, or TW_R_NONE. */
__noinline int tw_sub_ip_options(struct __sk_buff *skb, __u32 off, __u32 end)
{
	struct tw_frame f = {
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.len = skb->len,
		.gso_size = skb->gso_size,
		.target = skb,
	};

	return tw_check_options(&f, off, end);
}

/* Reads the packet that an ICMP error quotes at `off`. */
__noinline int tw_sub_quoted(struct __sk_buff *skb, __u32 off)
{
	struct tw_frame f = {
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.len = skb->len,
		.gso_size = skb->gso_size,
		.target = skb,
	};

	tw_path_quoted(&f, off);
	return 0;
}

/* Returns TW_R_BAD_CHECKSUM if the receiver will drop the packet in scratch, or TW_R_NONE. */
__noinline int tw_sub_checksum(struct __sk_buff *skb)
{
	struct tw_frame f = {
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.gso_size = skb->gso_size,
		.target = skb,
	};

	return tw_path_checksum(&f);
}

/* Reads the window scale that a SYN offers. */
__noinline int tw_sub_options(struct __sk_buff *skb)
{
	struct tw_frame f = {
		.data = (void *)(long)skb->data,
		.data_end = (void *)(long)skb->data_end,
		.target = skb,
	};

	tw_path_options(&f);
	return 0;
}
