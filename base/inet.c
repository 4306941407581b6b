/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/inet.h"

#include <netinet/in.h>
#include <string.h>

#define IPV4_LEN 20
#define IPV6_LEN 40
#define TCP_LEN	 20
#define UDP_LEN	 8
#define DF	 0x4000 /* flags and fragment offset, RFC 791 §3.1 */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

bool tw_inet_is_v4(const uint8_t addr[16])
{
	return !memcmp(addr, mapped, sizeof(mapped));
}

uint32_t tw_inet_sum(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < len; i += 2) {
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len & 1)
		sum += (uint32_t)bytes[len - 1] << 8;
	return sum;
}

uint16_t tw_inet_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t tw_inet_pseudo(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, size_t len)
{
	size_t skip = tw_inet_is_v4(src) ? sizeof(mapped) : 0;
	uint32_t sum = proto + (uint32_t)(len >> 16) + (uint32_t)(len & 0xffff);

	sum = tw_inet_sum(src + skip, 16 - skip, sum);
	return tw_inet_sum(dst + skip, 16 - skip, sum);
}

size_t tw_inet_write_ip(uint8_t *at, const struct tw_inet_ip *ip)
{
	if (!tw_inet_is_v4(ip->src)) {
		put32(at, 6u << 28);
		put16(at + 4, ip->payload_len);
		at[6] = ip->proto;
		at[7] = ip->ttl;
		memcpy(at + 8, ip->src, 16);
		memcpy(at + 24, ip->dst, 16);
		return IPV6_LEN;
	}
	memset(at, 0, IPV4_LEN);
	at[0] = 4 << 4 | IPV4_LEN / 4;
	put16(at + 2, IPV4_LEN + ip->payload_len);
	put16(at + 6, DF);
	at[8] = ip->ttl;
	at[9] = ip->proto;
	memcpy(at + 12, ip->src + sizeof(mapped), 4);
	memcpy(at + 16, ip->dst + sizeof(mapped), 4);
	put16(at + 10, tw_inet_fold(tw_inet_sum(at, IPV4_LEN, 0)));
	return IPV4_LEN;
}

size_t tw_inet_write_tcp(uint8_t *at, const struct tw_inet_tcp *tcp)
{
	put16(at, tcp->sport);
	put16(at + 2, tcp->dport);
	put32(at + 4, tcp->seq);
	put32(at + 8, tcp->ack);
	at[12] = TCP_LEN / 4 << 4;
	at[13] = tcp->flags;
	put16(at + 14, tcp->window);
	put32(at + 16, 0);
	return TCP_LEN;
}

size_t tw_inet_write_udp(uint8_t *at, uint16_t sport, uint16_t dport, size_t payload_len)
{
	put16(at, sport);
	put16(at + 2, dport);
	put16(at + 4, UDP_LEN + payload_len);
	put16(at + 6, 0);
	return UDP_LEN;
}

void tw_inet_write_sum(uint8_t *message, size_t len, uint8_t proto, uint32_t sum)
{
	size_t at = proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2;
	uint16_t folded;

	put16(message + at, 0);
	folded = tw_inet_fold(tw_inet_sum(message, len, sum));
	/* RFC 768: a checksum of zero is sent as all ones. */
	put16(message + at, proto == IPPROTO_UDP && !folded ? 0xffff : folded);
}

/* RFC 1112 §6.4, RFC 2464 §7. */
bool tw_inet_group_mac(const uint8_t addr[16], uint8_t mac[6])
{
	static const uint8_t broadcast[4] = {0xff, 0xff, 0xff, 0xff};
	bool v4 = tw_inet_is_v4(addr);

	if (v4 && !memcmp(addr + sizeof(mapped), broadcast, sizeof(broadcast))) {
		memset(mac, 0xff, 6);
		return true;
	}
	if (v4 && (addr[12] & 0xf0) == 0xe0) {
		const uint8_t group[6] = {1, 0, 0x5e, addr[13] & 0x7f, addr[14], addr[15]};

		memcpy(mac, group, sizeof(group));
		return true;
	}
	if (!v4 && addr[0] == 0xff) {
		memset(mac, 0x33, 2);
		memcpy(mac + 2, addr + 12, 4);
		return true;
	}
	return false;
}
