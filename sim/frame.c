/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/igmp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/inet.h"

#define TTL		64
#define TTL_GROUP	1   /* RFC 2236 §2: for the link only */
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

static uint32_t pseudo_of(const struct tw_query *tuple, size_t len)
{
	return tw_inet_pseudo(
		tuple->addr[TW_DIR_OUT].b, tuple->addr[TW_DIR_IN].b, tuple->proto, len);
}

static size_t write_tcp(const struct tw_query *tuple, uint8_t *at)
{
	const struct tw_inet_tcp tcp = {.sport = tuple->sport,
		.dport = tuple->dport,
		.seq = 1,
		.flags = TH_SYN,
		.window = WINDOW};
	size_t len = tw_inet_write_tcp(at, &tcp);

	tw_inet_write_sum(at, len, IPPROTO_TCP, pseudo_of(tuple, len));
	return len;
}

static size_t write_udp(const struct tw_query *tuple, uint8_t *at)
{
	size_t len = tw_inet_write_udp(at, tuple->sport, tuple->dport, 0);

	tw_inet_write_sum(at, len, IPPROTO_UDP, pseudo_of(tuple, len));
	return len;
}

/* Writes the datagram that an ICMP error quotes: one that the other end sent. */
static size_t write_quoted(const struct tw_query *tuple, uint8_t *at)
{
	const struct tw_inet_ip ip = {.src = tuple->addr[TW_DIR_IN].b,
		.dst = tuple->addr[TW_DIR_OUT].b,
		.proto = IPPROTO_UDP,
		.ttl = TTL,
		.payload_len = sizeof(struct udphdr)};
	size_t len = tw_inet_write_ip(at, &ip);

	return len + tw_inet_write_udp(at + len, INNER_SPORT, INNER_DPORT, 0);
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
	tw_inet_write_sum(
		at, len, tuple->proto, tuple->proto == IPPROTO_ICMPV6 ? pseudo_of(tuple, len) : 0);
	return len;
}

/* True for IGMP to a group: a report, which passes without a rule. */
static bool is_group_report(const struct tw_query *tuple)
{
	const struct tw_addr *to = &tuple->addr[TW_DIR_IN];

	return tuple->proto == IPPROTO_IGMP && tw_addr_is_v4(to) && IN_MULTICAST(ntohl(to->w[3]));
}

/* Writes a report of version 1 (RFC 1112 appendix I), which needs no IP option. */
static size_t write_group_report(const struct tw_query *tuple, uint8_t *at)
{
	at[0] = IGMP_V1_MEMBERSHIP_REPORT;
	memcpy(at + 4, &tuple->addr[TW_DIR_IN].w[3], sizeof(tuple->addr[TW_DIR_IN].w[3]));
	tw_inet_write_sum(at, OTHER_LEN, IPPROTO_IGMP, 0);
	return OTHER_LEN;
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
	case IPPROTO_IGMP:
		return is_group_report(tuple) ? write_group_report(tuple, at) : OTHER_LEN;
	default:
		return OTHER_LEN;
	}
}

void tw_frame_mac(
	enum tw_dir end, const struct tw_addr *addr, const struct tw_vnic *vnic, uint8_t mac[6])
{
	if (end == TW_DIR_IN && tw_inet_group_mac(addr->b, mac))
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
	struct tw_inet_ip ip = {.src = from->b,
		.dst = to->b,
		.proto = tuple->proto,
		.ttl = is_neighbour(tuple)	? TTL_NEIGHBOUR
		       : is_group_report(tuple) ? TTL_GROUP
						: TTL};

	memset(data, 0, TW_FRAME_MAX);
	tw_frame_mac(TW_DIR_IN, to, tuple->vnic[TW_DIR_IN], ether->ether_dhost);
	tw_frame_mac(TW_DIR_OUT, from, tuple->vnic[TW_DIR_OUT], ether->ether_shost);
	ether->ether_type = htons(v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	ip.payload_len = write_payload(tuple, data + ETH_HLEN + ip_len);
	tw_inet_write_ip(data + ETH_HLEN, &ip);
	return ETH_HLEN + ip_len + ip.payload_len;
}
