/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/glance.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "sim/tuple.h"

#define TAGS_MAX     2
#define TYPE_QINQ    0x88a8
#define VLAN_ID	     0xfff
#define LLC_SNAP_LEN 8
#define ARP_LEN	     28
#define IP4_LEN	     20
#define IP6_LEN	     40
#define TCP_FLAGS_AT 13
#define TCP_LEN	     20
#define UDP_LEN	     8
#define IP4_FRAGMENT 0x1fff /* fragment offset, RFC 791 §3.1 */

static uint16_t read_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static struct tw_addr mapped(const uint8_t *at)
{
	struct tw_addr addr = {.w = {[2] = htonl(0xffff)}};

	memcpy(&addr.w[3], at, 4);
	return addr;
}

/* Reads the MACs and the type after VLAN tags. Returns the offset of the network layer. */
static size_t read_ether(const uint8_t *data, size_t len, struct tw_glance *glance)
{
	static const uint8_t snap[] = {0xaa, 0xaa, 0x03, 0, 0, 0};
	size_t at = 2 * ETH_ALEN;

	if (len < ETH_HLEN)
		return len;
	memcpy(glance->mac[TW_DIR_IN], data, ETH_ALEN);
	memcpy(glance->mac[TW_DIR_OUT], data + ETH_ALEN, ETH_ALEN);
	glance->type = read_be16(data + at);
	at += 2;
	for (int i = 0; i < TAGS_MAX && len - at >= 4; i++) {
		if (glance->type != ETHERTYPE_VLAN && glance->type != TYPE_QINQ)
			break;
		if (!glance->vlan)
			glance->vlan = read_be16(data + at) & VLAN_ID;
		glance->type = read_be16(data + at + 2);
		at += 4;
	}
	if (glance->type < ETHERTYPE_PUP && len - at >= LLC_SNAP_LEN &&
		!memcmp(data + at, snap, sizeof(snap))) {
		glance->type = read_be16(data + at + 6);
		at += LLC_SNAP_LEN;
	}
	return at;
}

static uint32_t read_be32(const uint8_t *at)
{
	return (uint32_t)read_be16(at) << 16 | read_be16(at + 2);
}

/* Finds the payload in `len` bytes of TCP or UDP, of which `here` are in the frame. */
static void read_payload(const uint8_t *at, size_t here, size_t len, struct tw_glance *glance)
{
	size_t header = UDP_LEN;

	if (glance->proto == IPPROTO_TCP && here >= TCP_LEN) {
		header = (size_t)(at[12] >> 4) * 4;
		glance->tcp_seq = read_be32(at + 4);
	} else if (glance->proto == IPPROTO_UDP && here >= UDP_LEN) {
		len = read_be16(at + 4);
	} else {
		return;
	}
	if (header < (glance->proto == IPPROTO_TCP ? TCP_LEN : UDP_LEN) || header > here ||
		header > len)
		return;
	glance->has_payload = true;
	glance->payload_at = header;
	glance->payload_len = len - header;
	glance->payload_here = here - header;
	if (glance->payload_here > glance->payload_len)
		glance->payload_here = glance->payload_len;
}

static void read_transport(const uint8_t *at, size_t len, struct tw_glance *glance)
{
	if (tw_tuple_has_ports(glance->proto) && len >= 4) {
		glance->port[TW_DIR_OUT] = read_be16(at);
		glance->port[TW_DIR_IN] = read_be16(at + 2);
		glance->has_ports = true;
		if (glance->proto == IPPROTO_TCP && len > TCP_FLAGS_AT)
			glance->tcp_flags = at[TCP_FLAGS_AT];
	} else if (tw_tuple_is_icmp(glance->proto) && len >= 2) {
		glance->icmp_type = read_be16(at);
		glance->has_ports = true;
	}
}

/* As read_payload(), behind a network header in a packet of `total` bytes, `len` of them here. */
static void read_payload_in(
	const uint8_t *at, size_t header, size_t len, size_t total, struct tw_glance *glance)
{
	read_payload(at + header, (len < total ? len : total) - header, total - header, glance);
	glance->payload_at += header;
}

static void take_ip4(const uint8_t *at, size_t len, struct tw_glance *glance)
{
	size_t header_len = (size_t)(at[0] & 0xf) * 4, total = read_be16(at + 2);

	glance->addr[TW_DIR_OUT] = mapped(at + 12);
	glance->addr[TW_DIR_IN] = mapped(at + 16);
	glance->has_addrs = true;
	glance->proto = at[9];
	glance->has_proto = true;
	if (header_len < IP4_LEN || header_len > len || read_be16(at + 6) & IP4_FRAGMENT)
		return;
	read_transport(at + header_len, len - header_len, glance);
	if (total > header_len || !total)
		read_payload_in(at, header_len, len, total ? total : len, glance);
}

static void take_ip6(const uint8_t *at, size_t len, struct tw_glance *glance)
{
	size_t total = read_be16(at + 4);

	memcpy(&glance->addr[TW_DIR_OUT], at + 8, 16);
	memcpy(&glance->addr[TW_DIR_IN], at + 24, 16);
	glance->has_addrs = true;
	glance->proto = at[6];
	glance->has_proto = true;
	read_transport(at + IP6_LEN, len - IP6_LEN, glance);
	read_payload_in(at, IP6_LEN, len, total ? total + IP6_LEN : len, glance);
}

void tw_glance_read(const uint8_t *data, size_t len, struct tw_glance *ret)
{
	size_t at;

	*ret = (struct tw_glance){0};
	at = read_ether(data, len, ret);
	data += at;
	len -= at;
	if (ret->type == ETHERTYPE_IP && len >= IP4_LEN) {
		take_ip4(data, len, ret);
	} else if (ret->type == ETHERTYPE_IPV6 && len >= IP6_LEN) {
		take_ip6(data, len, ret);
	} else if (ret->type == ETHERTYPE_ARP && len >= ARP_LEN) {
		ret->addr[TW_DIR_OUT] = mapped(data + 14);
		ret->addr[TW_DIR_IN] = mapped(data + 24);
		ret->has_addrs = true;
	}
	ret->payload_at += at;
}

void tw_glance_ends(const struct tw_glance *glance, const struct tw_policy *policy,
	const struct tw_vnic *ret[TW_DIR__MAX])
{
	for (int d = 0; d < TW_DIR__MAX; d++) {
		ret[d] = tw_policy_find_mac(policy, glance->mac[d]);
		if (!ret[d] && glance->has_addrs)
			ret[d] = tw_policy_find_owner(policy, &glance->addr[d]);
	}
	/* The other end's network tells whose address it is. */
	for (int d = 0; d < TW_DIR__MAX; d++)
		if (!ret[d] && ret[!d] && glance->has_addrs)
			ret[d] = tw_policy_find_owner_in(policy, ret[!d]->space, &glance->addr[d]);
}

static void put_addr(const struct tw_glance *glance, enum tw_dir end, char *text, size_t max)
{
	bool port = glance->has_ports && tw_tuple_has_ports(glance->proto);
	bool v6 = !tw_addr_is_v4(&glance->addr[end]);
	char addr[INET6_ADDRSTRLEN];

	tw_addr_format(&glance->addr[end], addr);
	if (port)
		snprintf(text, max, v6 ? "[%s]:%u" : "%s:%u", addr, glance->port[end]);
	else
		snprintf(text, max, "%s", addr);
}

static void put_mac(const uint8_t *mac, char *text, size_t max)
{
	snprintf(text, max, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
}

const char *tw_glance_text(const struct tw_glance *glance, const char *arrow, char *text)
{
	char what[24], number[4], from[64], to[64];

	if (glance->has_addrs) {
		put_addr(glance, TW_DIR_OUT, from, sizeof(from));
		put_addr(glance, TW_DIR_IN, to, sizeof(to));
	} else {
		put_mac(glance->mac[TW_DIR_OUT], from, sizeof(from));
		put_mac(glance->mac[TW_DIR_IN], to, sizeof(to));
	}
	if (glance->has_proto && glance->has_ports && tw_tuple_is_icmp(glance->proto))
		snprintf(what, sizeof(what), "%s %u.%u", tw_tuple_proto_name(glance->proto, number),
			glance->icmp_type >> 8, glance->icmp_type & 0xff);
	else if (glance->has_proto)
		snprintf(what, sizeof(what), "%s", tw_tuple_proto_name(glance->proto, number));
	else if (glance->type == ETHERTYPE_ARP)
		snprintf(what, sizeof(what), "arp");
	else
		snprintf(what, sizeof(what), "0x%04x", glance->type);
	snprintf(text, TW_GLANCE_TEXT_MAX, "%s %s %s %s", what, from, arrow, to);
	return text;
}
