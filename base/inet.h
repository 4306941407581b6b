/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* inet.h: writes the headers of IP, TCP and UDP, and computes their checksums.
 *
 * Why:        simulation, demo, benchmark and tests build frames. Each describes different frames,
 *             but all need the same correct headers.
 * What:       an address has 16 bytes; an IPv4 address is IPv4-mapped (RFC 4291 §2.5.5.2). Both
 *             addresses of a packet are of one family. Ports and numbers are in host order.
 * Source:     RFC 768, 791, 1071, 1112, 2464, 8200, 9293.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if the address is IPv4-mapped. */
bool tw_inet_is_v4(const uint8_t addr[16]);

/* Adds 16-bit words in wire order to `sum`; a last odd byte counts as the high half of a word. The
 * result is below 2^17 if `sum` was. */
uint32_t tw_inet_sum(const void *data, size_t len, uint32_t sum);
/* Returns the checksum for a sum: folded and complemented, in host order. */
uint16_t tw_inet_fold(uint32_t sum);
/* Returns the sum of the pseudo-header for `len` bytes of transport header and payload. */
uint32_t tw_inet_pseudo(const uint8_t src[16], const uint8_t dst[16], uint8_t proto, size_t len);

/* Header of IPv4 (without options or identification, with the flag DF) or IPv6. */
struct tw_inet_ip {
	const uint8_t *src;
	const uint8_t *dst;
	uint8_t proto;
	uint8_t ttl; /* or hop limit */
	size_t payload_len;
};
/* Returns the header's length. The checksum is correct. */
size_t tw_inet_write_ip(uint8_t *at, const struct tw_inet_ip *ip);

struct tw_inet_tcp {
	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint8_t flags; /* TH_… */
	uint16_t window;
};
/* Return the header's length. The checksum is 0. */
size_t tw_inet_write_tcp(uint8_t *at, const struct tw_inet_tcp *tcp);
size_t tw_inet_write_udp(uint8_t *at, uint16_t sport, uint16_t dport, size_t payload_len);

/* Writes the checksum of a TCP, UDP, ICMP or ICMPv6 message of `len` bytes. `sum` is that of the
 * pseudo-header; 0 for ICMP, which has none. */
void tw_inet_write_sum(uint8_t *message, size_t len, uint8_t proto, uint32_t sum);

/* Writes the MAC of a multicast or broadcast address. False if the address is unicast; `mac` is
 * untouched then. */
bool tw_inet_group_mac(const uint8_t addr[16], uint8_t mac[6]);
