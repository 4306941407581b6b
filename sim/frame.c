/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#define TTL		64
#define TTL_NEIGHBOUR	255 /* RFC 4861 §4: receivers discard anything less */
#define WINDOW		64240
#define OTHER_LEN	8
#define ECHO_ID		1
#define INNER_SPORT	50000
#define INNER_DPORT	33434 /* first port of traceroute, the cause of most ICMP errors */
#define ND_LEN		24    /* solicitation or advertisement: header, target */
#define ND_REDIRECT_LEN 40
#define RA_LEN		16

_Static_assert(ETH_HLEN + 2 * sizeof(struct ip6_hdr) + 8 + sizeof(struct udphdr) <= TW_FRAME_MAX,
	"the longest frame, an ICMPv6 error, fits");

static uint32_t sum_bytes(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (len & 1)
		sum += (uint32_t)bytes[len - 1] << 8;
	return sum;
}

/* Returns the Internet checksum in wire order (RFC 1071). */
static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static uint32_t pseudo_sum(const struct tw_query *tuple, size_t len)
{
	size_t skip = tw_addr_is_v4(&tuple->addr[TW_DIR_OUT]) ? 12 : 0;
	uint32_t sum = tuple->proto + (uint32_t)len;

	sum = sum_bytes(tuple->addr[TW_DIR_OUT].b + skip, 16 - skip, sum);
	return sum_bytes(tuple->addr[TW_DIR_IN].b + skip, 16 - skip, sum);
}

static size_t write_ip(uint8_t *at, const struct tw_addr *from, const struct tw_addr *to,
	uint8_t proto, uint8_t ttl, size_t payload_len)
{
	if (tw_addr_is_v4(from) && tw_addr_is_v4(to)) {
		struct ip ip = {.ip_v = 4, .ip_hl = 5, .ip_ttl = ttl, .ip_p = proto};

		ip.ip_len = htons((uint16_t)(sizeof(ip) + payload_len));
		ip.ip_off = htons(IP_DF);
		memcpy(&ip.ip_src, from->b + 12, 4);
		memcpy(&ip.ip_dst, to->b + 12, 4);
		ip.ip_sum = checksum(sum_bytes(&ip, sizeof(ip), 0));
		memcpy(at, &ip, sizeof(ip));
		return sizeof(ip);
	}
	struct ip6_hdr ip6 = {0};

	ip6.ip6_vfc = 6 << 4;
	ip6.ip6_plen = htons((uint16_t)payload_len);
	ip6.ip6_nxt = proto;
	ip6.ip6_hlim = ttl;
	memcpy(&ip6.ip6_src, from, sizeof(*from));
	memcpy(&ip6.ip6_dst, to, sizeof(*to));
	memcpy(at, &ip6, sizeof(ip6));
	return sizeof(ip6);
}

static size_t write_tcp(const struct tw_query *tuple, uint8_t *at)
{
	struct tcphdr tcp = {.th_seq = htonl(1), .th_off = 5, .th_flags = TH_SYN};

	tcp.th_sport = htons(tuple->sport);
	tcp.th_dport = htons(tuple->dport);
	tcp.th_win = htons(WINDOW);
	tcp.th_sum = checksum(sum_bytes(&tcp, sizeof(tcp), pseudo_sum(tuple, sizeof(tcp))));
	memcpy(at, &tcp, sizeof(tcp));
	return sizeof(tcp);
}

static size_t write_udp(const struct tw_query *tuple, uint8_t *at)
{
	struct udphdr udp = {.uh_ulen = htons(sizeof(udp))};

	udp.uh_sport = htons(tuple->sport);
	udp.uh_dport = htons(tuple->dport);
	udp.uh_sum = checksum(sum_bytes(&udp, sizeof(udp), pseudo_sum(tuple, sizeof(udp))));
	if (!udp.uh_sum)
		udp.uh_sum = 0xffff;
	memcpy(at, &udp, sizeof(udp));
	return sizeof(udp);
}

/* Writes the datagram that an ICMP error quotes: one that the other end sent. */
static size_t write_quoted(const struct tw_query *tuple, uint8_t *at)
{
	struct udphdr udp = {.uh_ulen = htons(sizeof(udp))};
	size_t len;

	udp.uh_sport = htons(INNER_SPORT);
	udp.uh_dport = htons(INNER_DPORT);
	len = write_ip(at, &tuple->addr[TW_DIR_IN], &tuple->addr[TW_DIR_OUT], IPPROTO_UDP, TTL,
		sizeof(udp));
	memcpy(at + len, &udp, sizeof(udp));
	return len + sizeof(udp);
}

static bool is_icmp_error(const struct tw_query *tuple)
{
	if (tuple->proto == IPPROTO_ICMPV6)
		return tuple->type < ICMP6_INFOMSG_MASK;
	return tuple->type == ICMP_DEST_UNREACH || tuple->type == ICMP_SOURCE_QUENCH ||
	       tuple->type == ICMP_REDIRECT || tuple->type == ICMP_TIME_EXCEEDED ||
	       tuple->type == ICMP_PARAMETERPROB;
}

static bool is_neighbour(const struct tw_query *tuple)
{
	return tuple->proto == IPPROTO_ICMPV6 && tuple->type >= ND_ROUTER_SOLICIT &&
	       tuple->type <= ND_REDIRECT;
}

/* Writes a neighbour discovery message (RFC 4861 §4). `at` is zeroed after type and code. */
static size_t write_neighbour(const struct tw_query *tuple, uint8_t *at)
{
	switch (tuple->type) {
	case ND_ROUTER_ADVERT:
		return RA_LEN;
	case ND_NEIGHBOR_SOLICIT:
		memcpy(at + 8, &tuple->addr[TW_DIR_IN], sizeof(struct tw_addr));
		return ND_LEN;
	case ND_NEIGHBOR_ADVERT:
		memcpy(at + 8, &tuple->addr[TW_DIR_OUT], sizeof(struct tw_addr));
		return ND_LEN;
	case ND_REDIRECT:
		memcpy(at + 8, &tuple->addr[TW_DIR_OUT], sizeof(struct tw_addr));
		memcpy(at + 24, &tuple->addr[TW_DIR_IN], sizeof(struct tw_addr));
		return ND_REDIRECT_LEN;
	default:
		return OTHER_LEN;
	}
}

static size_t write_icmp(const struct tw_query *tuple, uint8_t *at)
{
	size_t len = OTHER_LEN;
	uint16_t sum;

	at[0] = tuple->type;
	at[1] = tuple->code;
	if (is_icmp_error(tuple)) {
		len += write_quoted(tuple, at + OTHER_LEN);
	} else if (is_neighbour(tuple)) {
		len = write_neighbour(tuple, at);
	} else {
		at[5] = ECHO_ID;
		at[7] = 1;
	}
	sum = checksum(
		sum_bytes(at, len, tuple->proto == IPPROTO_ICMPV6 ? pseudo_sum(tuple, len) : 0));
	memcpy(at + 2, &sum, sizeof(sum));
	return len;
}

static size_t write_payload(const struct tw_query *tuple, uint8_t *at)
{
	switch (tuple->proto) {
	case IPPROTO_TCP:
		return write_tcp(tuple, at);
	case IPPROTO_UDP:
		return write_udp(tuple, at);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return write_icmp(tuple, at);
	default:
		return OTHER_LEN;
	}
}

/* Writes the MAC of a multicast or broadcast address (RFC 1112 §6.4, RFC 2464 §7). False if the
 * address is unicast. */
static bool group_mac(const struct tw_addr *addr, uint8_t *mac)
{
	if (tw_addr_is_v4(addr)) {
		if (addr->w[3] == htonl(INADDR_BROADCAST)) {
			memset(mac, 0xff, ETH_ALEN);
			return true;
		}
		memcpy(mac, (const uint8_t[]){0x01, 0x00, 0x5e}, 3);
		mac[3] = addr->b[13] & 0x7f;
		mac[4] = addr->b[14];
		mac[5] = addr->b[15];
		return IN_MULTICAST(ntohl(addr->w[3]));
	}
	memset(mac, 0x33, 2);
	memcpy(mac + 2, addr->b + 12, 4);
	return addr->b[0] == 0xff;
}

void tw_frame_mac(
	enum tw_dir end, const struct tw_addr *addr, const struct tw_vnic *vnic, uint8_t mac[6])
{
	if (end == TW_DIR_IN && group_mac(addr, mac))
		return;
	if (vnic && vnic->has_mac)
		memcpy(mac, vnic->mac, ETH_ALEN);
	else
		memcpy(mac, (const uint8_t[]){0x02, 0, 0, 0, 0, (uint8_t)(1 + end)}, ETH_ALEN);
}

size_t tw_frame_build(const struct tw_query *tuple, uint8_t *data)
{
	const struct tw_addr *from = &tuple->addr[TW_DIR_OUT], *to = &tuple->addr[TW_DIR_IN];
	bool v4 = tw_addr_is_v4(from);
	size_t ip_len = v4 ? sizeof(struct ip) : sizeof(struct ip6_hdr);
	struct ether_header *ether = (struct ether_header *)data;
	size_t payload_len;

	memset(data, 0, TW_FRAME_MAX);
	tw_frame_mac(TW_DIR_IN, to, tuple->vnic[TW_DIR_IN], ether->ether_dhost);
	tw_frame_mac(TW_DIR_OUT, from, tuple->vnic[TW_DIR_OUT], ether->ether_shost);
	ether->ether_type = htons(v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	payload_len = write_payload(tuple, data + ETH_HLEN + ip_len);
	write_ip(data + ETH_HLEN, from, to, tuple->proto, is_neighbour(tuple) ? TTL_NEIGHBOUR : TTL,
		payload_len);
	return ETH_HLEN + ip_len + payload_len;
}
