/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/bench.h"

#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

#define WINDOW 65535

struct headers {
	struct virtio_net_hdr vnet;
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

_Static_assert(sizeof(struct virtio_net_hdr) == TW_BENCH_VNET_LEN, "IFF_VNET_HDR's header");

static const uint8_t macs[][6] = {
	[TW_BENCH_A] = {0x52, 0x54, 0, 0, 0, 0x0a},
	[TW_BENCH_B] = {0x52, 0x54, 0, 0, 0, 0x0b},
};
static const uint32_t addresses[] = {
	[TW_BENCH_A] = 0x0a00000b, /* 10.0.0.11 */
	[TW_BENCH_B] = 0x0a000015, /* 10.0.0.21 */
};

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* RFC 1071 sum of 16-bit words in host order. */
static uint32_t sum_words(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

void tw_bench_frame_tcp(struct tw_bench_frame *frame, const struct tw_bench_tcp *tcp)
{
	enum tw_bench_end to = tcp->from == TW_BENCH_A ? TW_BENCH_B : TW_BENCH_A;
	uint16_t ip_len = (uint16_t)(tcp->frame_len - sizeof(struct ether_header));
	uint16_t tcp_len = (uint16_t)(ip_len - sizeof(struct iphdr));
	struct headers h = {
		.vnet =
			{
				.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				.csum_start = sizeof(h.eth) + sizeof(h.ip),
				.csum_offset = offsetof(struct tcphdr, check),
			},
		.eth.ether_type = htons(ETHERTYPE_IP),
		.ip =
			{
				.version = 4,
				.ihl = 5,
				.tot_len = htons(ip_len),
				.frag_off = htons(IP_DF),
				.ttl = 64,
				.protocol = IPPROTO_TCP,
				.saddr = htonl(addresses[tcp->from]),
				.daddr = htonl(addresses[to]),
			},
		.tcp =
			{
				.source = htons(tcp->sport),
				.dest = htons(tcp->dport),
				.seq = htonl(tcp->seq),
				.ack_seq = htonl(tcp->ack),
				.doff = 5,
				.window = htons(WINDOW),
			},
	};

	memcpy(h.eth.ether_dhost, macs[to], sizeof(macs[to]));
	memcpy(h.eth.ether_shost, macs[tcp->from], sizeof(macs[to]));
	h.tcp.th_flags = tcp->flags;
	h.ip.check = htons((uint16_t)~fold(sum_words(&h.ip, sizeof(h.ip))));
	/* Only the pseudo-header's sum: who needs the whole one completes it. */
	h.tcp.check = htons(
		fold(sum_words(&h.ip.saddr, 2 * sizeof(h.ip.saddr)) + IPPROTO_TCP + tcp_len));
	frame->len = sizeof(h.vnet) + tcp->frame_len;
	memset(frame->data, 0, frame->len);
	memcpy(frame->data, &h, sizeof(h));
}

bool tw_bench_frame_is_ours(const uint8_t *data, size_t len)
{
	struct headers h;

	if (len < sizeof(h))
		return false;
	memcpy(&h, data, sizeof(h));
	return h.eth.ether_type == htons(ETHERTYPE_IP) && h.ip.protocol == IPPROTO_TCP &&
	       (!memcmp(h.eth.ether_shost, macs[TW_BENCH_A], 6) ||
		       !memcmp(h.eth.ether_shost, macs[TW_BENCH_B], 6));
}
