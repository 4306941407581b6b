/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/draft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/inet.h"

#define ETH_P_8021Q  0x8100
#define ETH_P_8021AD 0x88a8

struct span {
	uint8_t *at; /* the layer's first byte */
	size_t len;  /* length from there to the end of the frame */
	size_t head; /* length of its own header */
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

struct tw_layer *tw_draft_add(struct tw_draft *draft, enum tw_layer_kind kind)
{
	struct tw_layer *layer;

	if (draft->n_layers == TW_DRAFT_LAYERS_MAX)
		return NULL;
	layer = &draft->layer[draft->n_layers++];
	*layer = (struct tw_layer){.kind = kind};
	return layer;
}

void tw_layer_set(struct tw_layer *layer, enum tw_field field, uint32_t value)
{
	layer->set |= 1ull << field;
	layer->field[field] = value;
}

void tw_layer_set_addr(struct tw_layer *layer, enum tw_field field, const struct tw_addr *addr)
{
	layer->set |= 1ull << field;
	*(field == TW_F_A ? &layer->a : &layer->b) = *addr;
}

void tw_layer_set_mac(struct tw_layer *layer, enum tw_field field, const uint8_t mac[6])
{
	layer->set |= 1ull << field;
	memcpy(field == TW_F_MAC_A ? layer->mac_a : layer->mac_b, mac, 6);
}

bool tw_layer_set_blob(
	struct tw_draft *draft, struct tw_layer *layer, const uint8_t *bytes, size_t len)
{
	if (len > TW_DRAFT_BLOB_MAX - draft->blob_len)
		return false;
	layer->set |= 1ull << TW_F_BLOB;
	layer->blob = draft->blob_len;
	layer->blob_len = len;
	memcpy(draft->blob + draft->blob_len, bytes, len);
	draft->blob_len += len;
	return true;
}

/* ---- default sizes and types ---- */

static size_t padded_blob(const struct tw_layer *layer)
{
	return (layer->blob_len + 3) & ~3ul;
}

static size_t nd_fixed_len(uint32_t type)
{
	switch (type) {
	case 134: /* router advertisement: reachable time and retransmission timer */
		return 8;
	case 135: /* neighbour solicitation and advertisement: the target */
	case 136:
		return 16;
	case 137: /* redirect: target and destination */
		return 32;
	default:
		return 0;
	}
}

static size_t head_len(const struct tw_layer *layer)
{
	switch (layer->kind) {
	case TW_L_ETH:
		return 14;
	case TW_L_VLAN:
		return 4;
	case TW_L_LLC:
		return 3;
	case TW_L_SNAP:
	case TW_L_FRAG:
	case TW_L_UDP:
		return 8;
	case TW_L_ARP:
		return 28;
	case TW_L_IP:
		return 20 + padded_blob(layer);
	case TW_L_IP6:
		return 40;
	case TW_L_EXT:
		return tw_layer_get(layer, TW_F_SIZE, 8);
	case TW_L_AH:
		return 24;
	case TW_L_TCP:
		return 20 + padded_blob(layer);
	case TW_L_ICMP:
		return 8;
	case TW_L_ICMP6:
		return 8 + nd_fixed_len(tw_layer_get(layer, TW_F_TYPE, 0)) +
		       (tw_layer_has(layer, TW_F_MAC_A) ? 8 : 0) +
		       (tw_layer_has(layer, TW_F_MAC_B) ? 8 : 0);
	case TW_L_DHCP:
		/* BOOTP, the cookie, one option and the end option */
		return 244 + (tw_layer_has(layer, TW_F_LEASE) ? 6 : 0) + layer->blob_len;
	case TW_L_DHCP6:
		return 4 + layer->blob_len;
	case TW_L_DATA:
	case TW_L__MAX:
		break;
	}
	return layer->blob_len + tw_layer_get(layer, TW_F_SIZE, 0);
}

static const struct tw_layer *next_layer(const struct tw_draft *draft, size_t i)
{
	return i + 1 < draft->n_layers ? &draft->layer[i + 1] : NULL;
}

static uint32_t ethertype_of(const struct tw_layer *next, size_t payload_len)
{
	switch (next ? next->kind : TW_L__MAX) {
	case TW_L_VLAN:
		return tw_layer_get(next, TW_F_TPID, ETH_P_8021Q);
	case TW_L_LLC:
	case TW_L_SNAP:
		return (uint32_t)payload_len; /* IEEE 802.3: a length, not a type */
	case TW_L_ARP:
		return 0x0806;
	case TW_L_IP:
		return 0x0800;
	case TW_L_IP6:
		return 0x86dd;
	default:
		return 0x88b5; /* IEEE Local Experimental Ethertype */
	}
}

static uint32_t protocol_of(const struct tw_layer *next, bool v6)
{
	switch (next ? next->kind : TW_L__MAX) {
	case TW_L_IP:
		return 4;
	case TW_L_IP6:
		return 41;
	case TW_L_EXT:
		return tw_layer_get(next, TW_F_KIND, 0);
	case TW_L_FRAG:
		return 44;
	case TW_L_AH:
		return 51;
	case TW_L_TCP:
		return 6;
	case TW_L_UDP:
		return 17;
	case TW_L_ICMP:
		return 1;
	case TW_L_ICMP6:
		return 58;
	default:
		return v6 ? 59 : 253; /* no next header; RFC 3692 experiment */
	}
}

/* ---- default addresses ---- */

/* True for an IP layer after an ICMP layer: the packet that an error quotes, which travelled in the
 * opposite direction. */
static bool is_quoted(const struct tw_draft *draft, size_t i)
{
	while (i-- > 0)
		if (draft->layer[i].kind == TW_L_ICMP || draft->layer[i].kind == TW_L_ICMP6)
			return true;
	return false;
}

static void ip_addr(
	const struct tw_draft *draft, size_t i, enum tw_field field, struct tw_addr *ret)
{
	const struct tw_layer *layer = &draft->layer[i];
	bool source = field == TW_F_A;
	const struct tw_draft_end *end = source != is_quoted(draft, i) ? &draft->from : &draft->to;

	*ret = (struct tw_addr){0};
	if (layer->kind == TW_L_IP)
		ret->w[2] = htonl(0xffff);
	if (tw_layer_has(layer, field))
		*ret = source ? layer->a : layer->b;
	else if (layer->kind == TW_L_IP && end->has_v4)
		*ret = end->v4;
	else if (layer->kind == TW_L_IP6 && end->has_v6)
		*ret = end->v6;
}

/* Returns the IP layer that encloses layer `i`, or NULL. */
static const struct tw_layer *enclosing_ip(const struct tw_draft *draft, size_t i, size_t *ret_at)
{
	while (i-- > 0) {
		if (draft->layer[i].kind == TW_L_IP || draft->layer[i].kind == TW_L_IP6) {
			*ret_at = i;
			return &draft->layer[i];
		}
	}
	return NULL;
}

static void default_dst_mac(const struct tw_draft *draft, uint8_t ret[6])
{
	struct tw_addr dst;

	memcpy(ret, draft->to.mac, 6);
	for (size_t i = 0; i < draft->n_layers; i++) {
		const struct tw_layer *layer = &draft->layer[i];

		if (layer->kind == TW_L_ARP && tw_layer_get(layer, TW_F_OP, 1) == 1) {
			memset(ret, 0xff, 6);
			return;
		}
		if (layer->kind == TW_L_IP || layer->kind == TW_L_IP6) {
			ip_addr(draft, i, TW_F_B, &dst);
			/* An IPv6 header may have an IPv4-mapped address, which has no group. */
			if (layer->kind == TW_L_IP || !tw_inet_is_v4(dst.b))
				tw_inet_group_mac(dst.b, ret);
			return;
		}
	}
}

/* ---- writing ---- */

static void write_eth(const struct tw_draft *draft, const struct tw_layer *layer,
	const struct tw_layer *next, const struct span *span)
{
	uint8_t dst[6];

	default_dst_mac(draft, dst);
	memcpy(span->at, tw_layer_has(layer, TW_F_MAC_B) ? layer->mac_b : dst, 6);
	memcpy(span->at + 6, tw_layer_has(layer, TW_F_MAC_A) ? layer->mac_a : draft->from.mac, 6);
	put16(span->at + 12,
		tw_layer_get(layer, TW_F_TYPE, ethertype_of(next, span->len - span->head)));
}

static void write_vlan(
	const struct tw_layer *layer, const struct tw_layer *next, const struct span *span)
{
	put16(span->at, tw_layer_get(layer, TW_F_PCP, 0) << 13 |
				tw_layer_get(layer, TW_F_DEI, 0) << 12 |
				(tw_layer_get(layer, TW_F_ID, 0) & 0xfff));
	put16(span->at + 2,
		tw_layer_get(layer, TW_F_TYPE, ethertype_of(next, span->len - span->head)));
}

static void write_llc(
	const struct tw_layer *layer, const struct tw_layer *next, const struct span *span)
{
	bool snap = layer->kind == TW_L_SNAP;

	span->at[0] = (uint8_t)tw_layer_get(layer, TW_F_DSAP, snap ? 0xaa : 0x42);
	span->at[1] = (uint8_t)tw_layer_get(layer, TW_F_SSAP, snap ? 0xaa : 0x42);
	span->at[2] = (uint8_t)tw_layer_get(layer, TW_F_CTL, 3);
	if (!snap)
		return;
	span->at[3] = (uint8_t)(tw_layer_get(layer, TW_F_OUI, 0) >> 16);
	put16(span->at + 4, tw_layer_get(layer, TW_F_OUI, 0));
	put16(span->at + 6,
		tw_layer_get(layer, TW_F_TYPE, ethertype_of(next, span->len - span->head)));
}

static void write_arp(const struct tw_draft *draft, const struct tw_layer *layer, uint8_t *at)
{
	uint32_t op = tw_layer_get(layer, TW_F_OP, 1);

	put16(at, tw_layer_get(layer, TW_F_HTYPE, 1));
	put16(at + 2, tw_layer_get(layer, TW_F_PTYPE, 0x0800));
	at[4] = (uint8_t)tw_layer_get(layer, TW_F_HLEN, 6);
	at[5] = (uint8_t)tw_layer_get(layer, TW_F_PLEN, 4);
	put16(at + 6, op);
	memcpy(at + 8, tw_layer_has(layer, TW_F_MAC_A) ? layer->mac_a : draft->from.mac, 6);
	memcpy(at + 14, tw_layer_has(layer, TW_F_A) ? &layer->a.w[3] : &draft->from.v4.w[3], 4);
	if (tw_layer_has(layer, TW_F_MAC_B))
		memcpy(at + 18, layer->mac_b, 6);
	else if (op != 1) /* a request leaves the target MAC zero */
		memcpy(at + 18, draft->to.mac, 6);
	memcpy(at + 24, tw_layer_has(layer, TW_F_B) ? &layer->b.w[3] : &draft->to.v4.w[3], 4);
}

static void write_ip(const struct tw_draft *draft, size_t i, const struct span *span)
{
	const struct tw_layer *layer = &draft->layer[i];
	uint8_t *at = span->at;
	struct tw_addr addr;

	at[0] = (uint8_t)(tw_layer_get(layer, TW_F_VERSION, 4) << 4 |
			  (tw_layer_get(layer, TW_F_IHL, (uint32_t)span->head / 4) & 15));
	at[1] = (uint8_t)tw_layer_get(layer, TW_F_TOS, 0);
	put16(at + 2, tw_layer_get(layer, TW_F_LEN, (uint32_t)span->len));
	put16(at + 4, tw_layer_get(layer, TW_F_ID, 0));
	put16(at + 6, tw_layer_get(layer, TW_F_RF, 0) << 15 |
			      tw_layer_get(layer, TW_F_DF, 0) << 14 |
			      tw_layer_get(layer, TW_F_MF, 0) << 13 |
			      tw_layer_get(layer, TW_F_OFF, 0) / 8);
	at[8] = (uint8_t)tw_layer_get(layer, TW_F_TTL, 64);
	at[9] = (uint8_t)tw_layer_get(layer, TW_F_PROTO, protocol_of(next_layer(draft, i), false));
	ip_addr(draft, i, TW_F_A, &addr);
	memcpy(at + 12, &addr.w[3], 4);
	ip_addr(draft, i, TW_F_B, &addr);
	memcpy(at + 16, &addr.w[3], 4);
	if (layer->blob_len)
		memcpy(at + 20, draft->blob + layer->blob, layer->blob_len);
	put16(at + 10, tw_layer_get(layer, TW_F_SUM, tw_inet_fold(tw_inet_sum(at, span->head, 0))));
}

static void write_ip6(const struct tw_draft *draft, size_t i, const struct span *span)
{
	const struct tw_layer *layer = &draft->layer[i];
	uint8_t *at = span->at;
	uint32_t hops = 64;
	struct tw_addr addr;

	/* RFC 4861 §4: the hop limit 255 proves that neighbour discovery was not forwarded. */
	for (size_t k = i + 1; k < draft->n_layers; k++) {
		uint32_t type = tw_layer_get(&draft->layer[k], TW_F_TYPE, 0);

		if (draft->layer[k].kind == TW_L_ICMP6 && type >= 133 && type <= 137)
			hops = 255;
	}
	put32(at, tw_layer_get(layer, TW_F_VERSION, 6) << 28 |
			  tw_layer_get(layer, TW_F_TOS, 0) << 20 |
			  (tw_layer_get(layer, TW_F_FLOW, 0) & 0xfffff));
	put16(at + 4, tw_layer_get(layer, TW_F_LEN, (uint32_t)(span->len - 40)));
	at[6] = (uint8_t)tw_layer_get(layer, TW_F_PROTO, protocol_of(next_layer(draft, i), true));
	at[7] = (uint8_t)tw_layer_get(layer, TW_F_TTL, hops);
	ip_addr(draft, i, TW_F_A, &addr);
	memcpy(at + 8, &addr, 16);
	ip_addr(draft, i, TW_F_B, &addr);
	memcpy(at + 24, &addr, 16);
}

static void write_ext(
	const struct tw_layer *layer, const struct tw_layer *next, const struct span *span)
{
	uint8_t *at = span->at;

	if (span->head < 8)
		return;
	at[0] = (uint8_t)tw_layer_get(layer, TW_F_PROTO, protocol_of(next, true));
	switch (layer->kind) {
	case TW_L_FRAG:
		put16(at + 2, (tw_layer_get(layer, TW_F_OFF, 0) & 0xfff8) |
				      tw_layer_get(layer, TW_F_MF, 0));
		put32(at + 4, tw_layer_get(layer, TW_F_ID, 0));
		return;
	case TW_L_AH:
		at[1] = (uint8_t)tw_layer_get(layer, TW_F_LEN, (uint32_t)span->head / 4 - 2);
		put32(at + 4, tw_layer_get(layer, TW_F_ID, 0x100));
		return;
	default:
		at[1] = (uint8_t)tw_layer_get(layer, TW_F_LEN, (uint32_t)span->head / 8 - 1);
	}
	if (tw_layer_get(layer, TW_F_KIND, 0) == 43) {
		at[2] = (uint8_t)tw_layer_get(layer, TW_F_TYPE, 0);
		at[3] = (uint8_t)tw_layer_get(layer, TW_F_LEFT, 0);
	} else {
		at[2] = 1; /* PadN over the rest, up to its maximum length */
		at[3] = (uint8_t)(span->head - 4 > 255 ? 255 : span->head - 4);
	}
}

static void write_tcp(
	const struct tw_draft *draft, const struct tw_layer *layer, const struct span *span)
{
	uint8_t *at = span->at;

	put16(at, tw_layer_get(layer, TW_F_SPORT, 0));
	put16(at + 2, tw_layer_get(layer, TW_F_DPORT, 0));
	put32(at + 4, tw_layer_get(layer, TW_F_SEQ, 0));
	put32(at + 8, tw_layer_get(layer, TW_F_ACK, 0));
	put16(at + 12, tw_layer_get(layer, TW_F_DOFF, (uint32_t)span->head / 4) << 12 |
			       tw_layer_get(layer, TW_F_FLAGS, 0));
	put16(at + 14, tw_layer_get(layer, TW_F_WIN, 65535));
	put16(at + 18, tw_layer_get(layer, TW_F_URG, 0));
	if (layer->blob_len)
		memcpy(at + 20, draft->blob + layer->blob, layer->blob_len);
}

static void write_udp(const struct tw_layer *layer, const struct span *span)
{
	put16(span->at, tw_layer_get(layer, TW_F_SPORT, 0));
	put16(span->at + 2, tw_layer_get(layer, TW_F_DPORT, 0));
	put16(span->at + 4, tw_layer_get(layer, TW_F_LEN, (uint32_t)span->len));
}

static void write_nd_option(
	uint8_t *at, uint8_t type, const struct tw_layer *layer, const uint8_t mac[6])
{
	at[0] = type;
	at[1] = (uint8_t)tw_layer_get(layer, TW_F_OPTLEN, 1);
	memcpy(at + 2, mac, 6);
}

static void write_icmp(const struct tw_layer *layer, const struct span *span)
{
	uint8_t *at = span->at;
	uint32_t type = tw_layer_get(layer, TW_F_TYPE, 0);

	at[0] = (uint8_t)type;
	at[1] = (uint8_t)tw_layer_get(layer, TW_F_CODE, 0);
	if (tw_layer_has(layer, TW_F_REST)) {
		put32(at + 4, layer->field[TW_F_REST]);
	} else {
		put16(at + 4, tw_layer_get(layer, TW_F_ID, 0));
		put16(at + 6, tw_layer_get(layer, TW_F_SEQ, 0));
	}
	if (layer->kind == TW_L_ICMP)
		return;
	at += 8;
	if (type >= 135 && type <= 137)
		memcpy(at, &layer->a, 16);
	if (type == 137)
		memcpy(at + 16, &layer->b, 16);
	at += nd_fixed_len(type);
	if (tw_layer_has(layer, TW_F_MAC_A)) {
		write_nd_option(at, 1, layer, layer->mac_a);
		at += 8;
	}
	if (tw_layer_has(layer, TW_F_MAC_B))
		write_nd_option(at, 2, layer, layer->mac_b);
}

static void write_dhcp(const struct tw_draft *draft, const struct tw_layer *layer, uint8_t *at)
{
	const uint8_t tail[] = {0x63, 0x82, 0x53, 0x63, 53, 1};
	uint32_t type = tw_layer_get(layer, TW_F_TYPE, 1);

	if (layer->kind == TW_L_DHCP6) {
		put32(at, type << 24 | tw_layer_get(layer, TW_F_XID, 0x123456));
		memcpy(at + 4, draft->blob + layer->blob, layer->blob_len);
		return;
	}
	/* RFC 2131: offers, acks and naks come from servers, other messages from clients. */
	at[0] = (uint8_t)tw_layer_get(layer, TW_F_OP, type == 2 || type == 5 || type == 6 ? 2 : 1);
	at[1] = 1;
	at[2] = 6;
	put32(at + 4, tw_layer_get(layer, TW_F_XID, 0x12345678));
	if (tw_layer_has(layer, TW_F_A))
		memcpy(at + 12, &layer->a.w[3], 4);
	if (tw_layer_has(layer, TW_F_B))
		memcpy(at + 16, &layer->b.w[3], 4);
	memcpy(at + 28, tw_layer_has(layer, TW_F_MAC_A) ? layer->mac_a : draft->from.mac, 6);
	memcpy(at + 236, tail, sizeof(tail));
	at[242] = (uint8_t)type;
	at += 243;
	if (tw_layer_has(layer, TW_F_LEASE)) {
		at[0] = 51;
		at[1] = 4;
		put32(at + 2, tw_layer_get(layer, TW_F_LEASE, 0));
		at += 6;
	}
	memcpy(at, draft->blob + layer->blob, layer->blob_len);
	at[layer->blob_len] = 255;
}

static void write_data(
	const struct tw_draft *draft, const struct tw_layer *layer, const struct span *span)
{
	if (layer->blob_len)
		memcpy(span->at, draft->blob + layer->blob, layer->blob_len);
	for (size_t i = layer->blob_len; i < span->head; i++)
		span->at[i] = (uint8_t)('a' + i % 26);
}

/* Writes the transport checksum, after the payload has been written. */
static void write_transport_sum(const struct tw_draft *draft, size_t i, const struct span *span)
{
	const struct tw_layer *layer = &draft->layer[i];
	static const uint8_t places[TW_L__MAX] = {
		[TW_L_TCP] = 16, [TW_L_UDP] = 6, [TW_L_ICMP] = 2, [TW_L_ICMP6] = 2};
	size_t place = places[layer->kind];
	struct tw_addr src = {0}, dst = {0};
	uint32_t sum = 0;
	size_t ip;

	if (!place)
		return;
	if (layer->kind != TW_L_ICMP && enclosing_ip(draft, i, &ip)) {
		ip_addr(draft, ip, TW_F_A, &src);
		ip_addr(draft, ip, TW_F_B, &dst);
		sum = tw_inet_pseudo(src.b, dst.b, (uint8_t)protocol_of(layer, true), span->len);
	}
	put16(span->at + place, 0);
	sum = tw_inet_fold(tw_inet_sum(span->at, span->len, sum));
	if (layer->kind == TW_L_UDP && sum == 0)
		sum = 0xffff; /* RFC 768: zero on the wire means "no checksum" */
	put16(span->at + place, tw_layer_get(layer, TW_F_SUM, sum));
}

static void write_layer(const struct tw_draft *draft, size_t i, const struct span *span)
{
	const struct tw_layer *layer = &draft->layer[i];
	const struct tw_layer *next = next_layer(draft, i);

	switch (layer->kind) {
	case TW_L_ETH:
		write_eth(draft, layer, next, span);
		break;
	case TW_L_VLAN:
		write_vlan(layer, next, span);
		break;
	case TW_L_LLC:
	case TW_L_SNAP:
		write_llc(layer, next, span);
		break;
	case TW_L_ARP:
		write_arp(draft, layer, span->at);
		break;
	case TW_L_IP:
		write_ip(draft, i, span);
		break;
	case TW_L_IP6:
		write_ip6(draft, i, span);
		break;
	case TW_L_EXT:
	case TW_L_FRAG:
	case TW_L_AH:
		write_ext(layer, next, span);
		break;
	case TW_L_TCP:
		write_tcp(draft, layer, span);
		break;
	case TW_L_UDP:
		write_udp(layer, span);
		break;
	case TW_L_ICMP:
	case TW_L_ICMP6:
		write_icmp(layer, span);
		break;
	case TW_L_DHCP:
	case TW_L_DHCP6:
		write_dhcp(draft, layer, span->at);
		break;
	case TW_L_DATA:
	case TW_L__MAX:
		write_data(draft, layer, span);
		break;
	}
	write_transport_sum(draft, i, span);
}

int tw_draft_build(const struct tw_draft *draft, struct tw_buf *out)
{
	size_t start[TW_DRAFT_LAYERS_MAX + 1] = {0};
	uint8_t *bytes;
	size_t len;

	for (size_t i = 0; i < draft->n_layers; i++)
		start[i + 1] = start[i] + head_len(&draft->layer[i]);
	len = start[draft->n_layers];
	if (len > TW_DRAFT_BYTES_MAX || draft->pad > TW_DRAFT_BYTES_MAX)
		return -EINVAL;
	bytes = tw_buf_extend(out, draft->pad > len ? draft->pad : len);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = draft->n_layers; i-- > 0;) {
		const struct span span = {
			bytes + start[i], len - start[i], start[i + 1] - start[i]};

		write_layer(draft, i, &span);
	}
	if (draft->cut && draft->cut < (draft->pad > len ? draft->pad : len))
		out->len = (size_t)((char *)bytes - out->data) + draft->cut;
	return 0;
}
