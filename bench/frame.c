/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/frame.h"

#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#define WINDOW 65535

struct headers {
	struct virtio_net_hdr vnet;
	struct ether_header eth;
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct udphdr udp;
	};
} __attribute__((packed));

_Static_assert(sizeof(struct virtio_net_hdr) == TW_BENCH_VNET_LEN, "IFF_VNET_HDR's header");
_Static_assert(TW_BENCH_VNET_LEN + TW_BENCH_SUPER_LEN <= TW_BENCH_FRAME_MAX, "a super-frame fits");

static const uint8_t macs[][6] = {
	[TW_BENCH_A] = {0x52, 0x54, 0, 0, 0, 0x0a},
	[TW_BENCH_B] = {0x52, 0x54, 0, 0, 0, 0x0b},
};
static const uint32_t addresses[] = {
	[TW_BENCH_A] = TW_BENCH_ADDRESS_A,
	[TW_BENCH_B] = TW_BENCH_ADDRESS_B,
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

static void fill_ip(struct headers *h, const struct tw_bench_packet *packet, uint16_t len)
{
	h->ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = htons(len),
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.protocol = packet->protocol,
		.saddr = htonl(addresses[packet->from]),
		.daddr = htonl(addresses[!packet->from]),
	};
	h->ip.check = htons((uint16_t)~fold(sum_words(&h->ip, sizeof(h->ip))));
}

static void fill_transport(
	struct headers *h, const struct tw_bench_packet *packet, uint16_t len, uint16_t pseudo)
{
	if (packet->protocol == IPPROTO_UDP) {
		h->udp = (struct udphdr){
			.source = htons(packet->sport),
			.dest = htons(packet->dport),
			.len = htons(len),
			.check = htons(pseudo),
		};
		return;
	}
	h->tcp = (struct tcphdr){
		.source = htons(packet->sport),
		.dest = htons(packet->dport),
		.seq = htonl(packet->seq),
		.ack_seq = htonl(packet->ack),
		.doff = 5,
		.window = htons(WINDOW),
		.check = htons(pseudo),
	};
	h->tcp.th_flags = packet->flags;
}

void tw_bench_frame_make(struct tw_bench_frame *frame, const struct tw_bench_packet *packet)
{
	uint16_t ip_len = (uint16_t)(packet->len - sizeof(struct ether_header));
	uint16_t l4_len = (uint16_t)(ip_len - sizeof(struct iphdr));
	bool udp = packet->protocol == IPPROTO_UDP;
	struct headers h = {
		.vnet =
			{
				.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				.csum_start = sizeof(h.eth) + sizeof(h.ip),
				.csum_offset = udp ? offsetof(struct udphdr, check)
						   : offsetof(struct tcphdr, check),
			},
		.eth.ether_type = htons(ETHERTYPE_IP),
	};

	if (packet->gso_size) {
		h.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h.vnet.gso_size = packet->gso_size;
		h.vnet.hdr_len = sizeof(h) - sizeof(h.vnet);
	}
	memcpy(h.eth.ether_dhost, macs[!packet->from], sizeof(macs[0]));
	memcpy(h.eth.ether_shost, macs[packet->from], sizeof(macs[0]));
	fill_ip(&h, packet, ip_len);
	fill_transport(&h, packet, l4_len,
		fold(sum_words(&h.ip.saddr, 2 * sizeof(h.ip.saddr)) + packet->protocol + l4_len));
	frame->len = sizeof(h.vnet) + packet->len;
	memset(frame->data, 0, frame->len);
	memcpy(frame->data, &h, sizeof(h));
}

void tw_bench_frame_finish(struct tw_bench_frame *frame)
{
	struct virtio_net_hdr vnet;
	uint8_t *l4;
	size_t len;
	uint16_t sum;

	memcpy(&vnet, frame->data, sizeof(vnet));
	l4 = frame->data + sizeof(vnet) + vnet.csum_start;
	len = frame->len - sizeof(vnet) - vnet.csum_start;
	sum = htons((uint16_t)~fold(sum_words(l4, len)));
	memcpy(l4 + vnet.csum_offset, &sum, sizeof(sum));
}

bool tw_bench_frame_is_ours(const uint8_t *data, size_t len)
{
	struct headers h = {0};
	size_t least = offsetof(struct headers, tcp) + sizeof(h.udp);

	if (len < least)
		return false;
	memcpy(&h, data, least);
	return h.eth.ether_type == htons(ETHERTYPE_IP) &&
	       (h.ip.protocol == IPPROTO_TCP || h.ip.protocol == IPPROTO_UDP) &&
	       (!memcmp(h.eth.ether_shost, macs[TW_BENCH_A], 6) ||
		       !memcmp(h.eth.ether_shost, macs[TW_BENCH_B], 6));
}
