/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "demo/frame.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/inet.h"

#define ETHERTYPE_V4  0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_V6  0x86dd
#define ARP_TARGET    32  /* offset of the target's hardware address */
#define FRAME_MIN     60  /* IEEE 802.3, without the checksum */
#define ND_OPTION     253 /* for experiments, RFC 4727 §5.1.3 */
#define ND_OPTION_LEN 24  /* a multiple of 8 with room for the token */

static const char *const kind_names[TW_LAB__MAX] = {
	[TW_LAB_TCP] = "tcp",
	[TW_LAB_UDP] = "udp",
	[TW_LAB_ECHO] = "echo",
	[TW_LAB_ECHO_REPLY] = "echo-reply",
	[TW_LAB_ARP] = "arp",
	[TW_LAB_ND] = "nd",
	[TW_LAB_ROUTER_ADVERT] = "router-advert",
	[TW_LAB_DHCP_OFFER] = "dhcp-offer",
};

const char *tw_lab_kind_name(enum tw_lab_kind kind)
{
	return kind_names[kind];
}

static void put(struct tw_lab_frame *frame, const void *data, size_t len)
{
	memcpy(frame->data + frame->len, data, len);
	frame->len += len;
}

static void put8(struct tw_lab_frame *frame, uint8_t value)
{
	put(frame, &value, 1);
}

static void put16(struct tw_lab_frame *frame, uint16_t value)
{
	value = htons(value);
	put(frame, &value, sizeof(value));
}

static void put32(struct tw_lab_frame *frame, uint32_t value)
{
	value = htonl(value);
	put(frame, &value, sizeof(value));
}

static void put_zeros(struct tw_lab_frame *frame, size_t len)
{
	memset(frame->data + frame->len, 0, len);
	frame->len += len;
}

static void put_token(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	char text[TW_LAB_TOKEN_LEN + 1];

	if (spec->plain)
		return;
	snprintf(text, sizeof(text), TW_LAB_TOKEN "%04x", (unsigned int)spec->number);
	put(frame, text, TW_LAB_TOKEN_LEN);
}

/* ARP carries the token as the target's hardware address, which a gratuitous reply does not use
 * (RFC 5227 §3). It cannot follow the ARP packet, because that padding must be zeros. */
static const uint8_t arp_token[4] = {0x02, 't', 'w', 0};

static void put_arp_token(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	if (spec->plain) {
		put(frame, spec->dst_mac, 6);
		return;
	}
	put(frame, arp_token, sizeof(arp_token));
	put16(frame, spec->number);
}

/* Returns the number of the token in an ARP frame, or -1. */
static int read_arp_token(const uint8_t *data, size_t len)
{
	if (len < ARP_TARGET + 6 || data[12] << 8 != (ETHERTYPE_ARP & 0xff00) ||
		data[13] != (ETHERTYPE_ARP & 0xff) ||
		memcmp(data + ARP_TARGET, arp_token, sizeof(arp_token)) != 0)
		return -1;
	return data[ARP_TARGET + 4] << 8 | data[ARP_TARGET + 5];
}

/* Adds the token as an option that every receiver skips (RFC 4861 §4.6). */
static void put_nd_token(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	put8(frame, ND_OPTION);
	put8(frame, ND_OPTION_LEN / 8);
	put_token(frame, spec);
	put_zeros(frame, ND_OPTION_LEN - 2 - TW_LAB_TOKEN_LEN);
}

static void write16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint8_t protocol_of(const struct tw_lab_spec *spec, bool v4)
{
	switch (spec->kind) {
	case TW_LAB_TCP:
		return IPPROTO_TCP;
	case TW_LAB_UDP:
	case TW_LAB_DHCP_OFFER:
		return IPPROTO_UDP;
	default:
		return v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	}
}

static void put_tcp(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	const struct tw_inet_tcp tcp = {.sport = spec->sport,
		.dport = spec->dport,
		.seq = spec->seq,
		.ack = spec->ack,
		.flags = spec->tcp_flags,
		.window = 64240};

	frame->len += tw_inet_write_tcp(frame->data + frame->len, &tcp);
	put_token(frame, spec);
}

/* Adds a UDP header. put_ip() fills in its checksum and length once the payload is added. */
static void put_udp(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	frame->len += tw_inet_write_udp(frame->data + frame->len, spec->sport, spec->dport, 0);
}

static void put_dhcp_offer(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	static const uint8_t cookie[4] = {0x63, 0x82, 0x53, 0x63};

	put_udp(frame, spec);
	put8(frame, 2); /* BOOTREPLY */
	put8(frame, 1); /* Ethernet */
	put8(frame, 6);
	put8(frame, 0);
	put32(frame, spec->number);
	put_zeros(frame, 8);
	put(frame, &spec->src.b[12],
		4); /* yiaddr: any address; the offer itself is the violation */
	put(frame, &spec->src.b[12], 4); /* siaddr */
	put_zeros(frame, 4);
	put(frame, spec->dst_mac, 6);
	put_zeros(frame, 10 + 64 + 128);
	put(frame, cookie, sizeof(cookie));
	put8(frame, 53); /* message type */
	put8(frame, 1);
	put8(frame, 2); /* OFFER */
	put8(frame, 255);
	put_token(frame, spec);
}

static void put_icmp(struct tw_lab_frame *frame, const struct tw_lab_spec *spec, bool v4)
{
	bool reply = spec->kind == TW_LAB_ECHO_REPLY;

	put8(frame, v4 ? (reply ? 0 : 8) : (reply ? 129 : 128));
	put8(frame, 0);
	put16(frame, 0);
	put16(frame, spec->sport);
	put16(frame, 1);
	put_token(frame, spec);
}

static void put_neighbour_advert(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	put8(frame, 136);
	put8(frame, 0);
	put16(frame, 0);
	put32(frame, 0x20000000); /* override */
	put(frame, spec->src.b, 16);
	put8(frame, 2); /* target link-layer address */
	put8(frame, 1);
	put(frame, spec->src_mac, 6);
	put_nd_token(frame, spec);
}

static void put_router_advert(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	put8(frame, 134);
	put8(frame, 0);
	put16(frame, 0);
	put8(frame, 64);
	put8(frame, 0);
	put16(frame, 1800);
	put32(frame, 0);
	put32(frame, 0);
	put8(frame, 1); /* source link-layer address */
	put8(frame, 1);
	put(frame, spec->src_mac, 6);
	put_nd_token(frame, spec);
}

static void put_l4(struct tw_lab_frame *frame, const struct tw_lab_spec *spec, bool v4)
{
	switch (spec->kind) {
	case TW_LAB_TCP:
		put_tcp(frame, spec);
		break;
	case TW_LAB_UDP:
		put_udp(frame, spec);
		put_token(frame, spec);
		break;
	case TW_LAB_DHCP_OFFER:
		put_dhcp_offer(frame, spec);
		break;
	case TW_LAB_ND:
		put_neighbour_advert(frame, spec);
		break;
	case TW_LAB_ROUTER_ADVERT:
		put_router_advert(frame, spec);
		break;
	default:
		put_icmp(frame, spec, v4);
		break;
	}
}

static void put_ip(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	bool v4 = tw_inet_is_v4(spec->src.b);
	bool nd = spec->kind == TW_LAB_ND || spec->kind == TW_LAB_ROUTER_ADVERT;
	struct tw_inet_ip ip = {.src = spec->src.b,
		.dst = spec->dst.b,
		.proto = protocol_of(spec, v4),
		.ttl = nd ? 255 : 64}; /* RFC 4861 §7.1 */
	uint8_t *l3 = frame->data + frame->len, *l4;
	uint32_t sum = 0;

	/* Written again once the payload's length is known. */
	frame->len += tw_inet_write_ip(l3, &ip);
	l4 = frame->data + frame->len;
	put_l4(frame, spec, v4);
	ip.payload_len = (size_t)(frame->data + frame->len - l4);
	tw_inet_write_ip(l3, &ip);
	if (ip.proto == IPPROTO_UDP)
		write16(l4 + 4, (uint16_t)ip.payload_len);
	if (ip.proto != IPPROTO_ICMP)
		sum = tw_inet_pseudo(ip.src, ip.dst, ip.proto, ip.payload_len);
	tw_inet_write_sum(l4, ip.payload_len, ip.proto, sum);
}

static void put_arp(struct tw_lab_frame *frame, const struct tw_lab_spec *spec)
{
	put16(frame, 1);
	put16(frame, ETHERTYPE_V4);
	put8(frame, 6);
	put8(frame, 4);
	put16(frame, 2);
	put(frame, spec->src_mac, 6);
	put(frame, &spec->src.b[12], 4);
	put_arp_token(frame, spec);
	put(frame, &spec->dst.b[12], 4);
}

void tw_lab_frame_build(const struct tw_lab_spec *spec, struct tw_lab_frame *ret)
{
	uint16_t ethertype = tw_inet_is_v4(spec->src.b) ? ETHERTYPE_V4 : ETHERTYPE_V6;

	ret->len = 0;
	put(ret, spec->dst_mac, 6);
	put(ret, spec->src_mac, 6);
	put16(ret, spec->kind == TW_LAB_ARP ? ETHERTYPE_ARP : ethertype);
	if (spec->kind == TW_LAB_ARP) {
		put_arp(ret, spec);
	} else {
		put_ip(ret, spec);
	}
	if (ret->len < FRAME_MIN)
		put_zeros(ret, FRAME_MIN - ret->len);
}

int tw_lab_frame_token(const uint8_t *data, size_t len)
{
	char digits[5] = "";
	const char *at;
	unsigned int number;
	int arp = read_arp_token(data, len);

	if (arp >= 0)
		return arp;
	while (len && !data[len - 1])
		len--;
	if (len < TW_LAB_TOKEN_LEN)
		return -1;
	at = (const char *)data + len - TW_LAB_TOKEN_LEN;
	if (memcmp(at, TW_LAB_TOKEN, sizeof(TW_LAB_TOKEN) - 1) != 0)
		return -1;
	memcpy(digits, at + sizeof(TW_LAB_TOKEN) - 1, 4);
	if (sscanf(digits, "%4x", &number) != 1)
		return -1;
	return (int)number;
}
