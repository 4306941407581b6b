/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* vary.bpf.c: changes the connection of a frame for each repeated run of a program.
 *
 * Why:        BPF_PROG_TEST_RUN repeats a program on the same frame. This program writes the ports
 *             of the next connection, or of a random one, into the frame, and tail-calls the
 *             program to be measured. So one call measures a whole batch of connections.
 * In:         an IPv4 frame without options. next[0] is the program to be measured.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PORTS_AT 34 /* 14 bytes of Ethernet, 20 of IPv4 */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

/* Connection n goes from port first_sport + n / n_dports to port first_dport + n % n_dports. */
__u32 first_sport, n_sports = 1;
__u32 first_dport, n_dports = 1;
__u32 n_random; /* pick one of the first n_random connections at random; 0: in order */
__u32 count;	/* number of the next connection in order */

SEC("tc")
int vary(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__be16 *ports = data + PORTS_AT;
	__u32 n = n_random ? bpf_get_prandom_u32() % n_random : count++;

	if ((void *)(ports + 2) > end)
		return TC_ACT_SHOT;
	ports[0] = bpf_htons((__u16)(first_sport + n / n_dports % n_sports));
	ports[1] = bpf_htons((__u16)(first_dport + n % n_dports));
	bpf_tail_call(skb, &next, 0);
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
