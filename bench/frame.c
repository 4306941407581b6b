/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/frame.h"

#include <arpa/inet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/inet.h"

#define WINDOW 65535

#define L3 ((size_t)TW_BENCH_VNET_LEN + ETH_HLEN)
#define L4 (L3 + sizeof(struct iphdr))

_Static_assert(sizeof(struct virtio_net_hdr) == TW_BENCH_VNET_LEN, "IFF_VNET_HDR's header");
_Static_assert(TW_BENCH_VNET_LEN + TW_BENCH_SUPER_LEN <= TW_BENCH_FRAME_MAX, "a super-frame fits");

/* An address, IPv4-mapped. */
#define MAPPED(address)                                                                    \
	{                                                                                  \
		[10] = 0xff, 0xff, (uint8_t)((address) >> 24), (uint8_t)((address) >> 16), \
		(uint8_t)((address) >> 8), (uint8_t)(address)                              \
	}

static const uint8_t macs[][6] = {
	[TW_BENCH_A] = {0x52, 0x54, 0, 0, 0, 0x0a},
	[TW_BENCH_B] = {0x52, 0x54, 0, 0, 0, 0x0b},
};
static const uint8_t addresses[][16] = {
	[TW_BENCH_A] = MAPPED(TW_BENCH_ADDRESS_A),
	[TW_BENCH_B] = MAPPED(TW_BENCH_ADDRESS_B),
};

void tw_bench_frame_make(struct tw_bench_frame *frame, const struct tw_bench_packet *packet)
{
	bool udp = packet->protocol == IPPROTO_UDP;
	struct ether_header eth = {.ether_type = htons(ETHERTYPE_IP)};
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = L4 - TW_BENCH_VNET_LEN,
		.csum_offset = udp ? offsetof(struct udphdr, check)
				   : offsetof(struct tcphdr, check),
	};
	const struct tw_inet_ip ip = {.src = addresses[packet->from],
		.dst = addresses[!packet->from],
		.proto = packet->protocol,
		.ttl = 64,
		.payload_len = packet->len + TW_BENCH_VNET_LEN - L4};
	const struct tw_inet_tcp tcp = {.sport = packet->sport,
		.dport = packet->dport,
		.seq = packet->seq,
		.ack = packet->ack,
		.flags = packet->flags,
		.window = WINDOW};
	uint16_t pseudo = (uint16_t)~tw_inet_fold(
		tw_inet_pseudo(ip.src, ip.dst, packet->protocol, ip.payload_len));

	if (packet->gso_size) {
		vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		vnet.gso_size = packet->gso_size;
		vnet.hdr_len = L4 + sizeof(struct tcphdr) - TW_BENCH_VNET_LEN;
	}
	memcpy(eth.ether_dhost, macs[!packet->from], sizeof(macs[0]));
	memcpy(eth.ether_shost, macs[packet->from], sizeof(macs[0]));
	frame->len = TW_BENCH_VNET_LEN + packet->len;
	memset(frame->data, 0, frame->len);
	memcpy(frame->data, &vnet, sizeof(vnet));
	memcpy(frame->data + sizeof(vnet), &eth, sizeof(eth));
	tw_inet_write_ip(frame->data + L3, &ip);
	if (udp)
		tw_inet_write_udp(
			frame->data + L4, packet->sport, packet->dport, ip.payload_len - 8);
	else
		tw_inet_write_tcp(frame->data + L4, &tcp);
	pseudo = htons(pseudo);
	memcpy(frame->data + L4 + vnet.csum_offset, &pseudo, sizeof(pseudo));
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
	sum = htons(tw_inet_fold(tw_inet_sum(l4, len, 0)));
	memcpy(l4 + vnet.csum_offset, &sum, sizeof(sum));
}

bool tw_bench_frame_is_ours(const uint8_t *data, size_t len)
{
	struct ether_header eth;
	uint8_t protocol;

	if (len < L4 + sizeof(struct udphdr))
		return false;
	memcpy(&eth, data + TW_BENCH_VNET_LEN, sizeof(eth));
	protocol = data[L3 + offsetof(struct iphdr, protocol)];
	return eth.ether_type == htons(ETHERTYPE_IP) &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) &&
	       (!memcmp(eth.ether_shost, macs[TW_BENCH_A], 6) ||
		       !memcmp(eth.ether_shost, macs[TW_BENCH_B], 6));
}
