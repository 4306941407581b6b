/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* check.h: the follow-up checks of apps.def: lengths and fields that must agree with each other.
 *
 * What:       each function returns 1 if the check holds, else 0. The sources are in apps.def.
 * Bounds:     no branches on a payload; no loop but that of tw_app_tftp().
 */
#pragma once

#include "fastpath/path/app/head.h"

/* ---- text ---- */

/* Returns 1 if a request's target begins at `off`: "/path", "*" or "http://". */
tw_inline __u64 tw_app_target(const struct tw_app_head *h, __u32 off)
{
	__u64 c = tw_app_u8(h, off);

	return tw_app_same(c, '/') | tw_app_same(c, '*') | tw_app_same(c | 0x20, 'h');
}

tw_inline __u64 tw_app_digit(__u64 c)
{
	return tw_app_within(c, '0', '9');
}

tw_inline __u64 tw_app_letter(__u64 c)
{
	return tw_app_within(c | 0x20, 'a', 'z');
}

tw_inline __u64 tw_app_printable(__u64 c)
{
	return tw_app_within(c, '!', '~');
}

/* Returns 1 if `off` begins what follows a syslog message's priority: a version and a space (RFC
 * 5424 §6.2), or text (RFC 3164 §4.1). */
tw_inline __u64 tw_app_after_priority(const struct tw_app_head *h, __u32 off)
{
	__u64 c = tw_app_u8(h, off);

	return tw_app_same(tw_app_be16(h, off), '1' << 8 | ' ') | tw_app_letter(c) |
	       (tw_app_digit(c) & tw_app_letter(tw_app_u8(h, off + 1))) | tw_app_same(c, ' ') |
	       tw_app_same(c, '[');
}

/* Returns 1 unless the request OPTIONS is one of RTSP: "rtsp://…", or "* RTSP/1.0". */
tw_inline __u64 tw_app_not_rtsp(const struct tw_app_head *h)
{
	return (tw_app_same(tw_app_be32(h, 8), 0x72747370) |
		       tw_app_same(tw_app_word(h, 8) >> 16, 0x2a2052545350)) ^
	       1;
}

/* Returns 1 if a stream of XMPP follows an XML declaration, in one of its usual lengths: with
 * neither encoding nor line feed, or with them. */
tw_inline __u64 tw_app_xmpp(const struct tw_app_head *h)
{
	__u64 stream = 0x3c73747265616d; /* "<stream" */

	return tw_app_same(tw_app_word(h, 21) >> 8, stream) |
	       tw_app_same(tw_app_word(h, 22) >> 8, stream) |
	       tw_app_same(tw_app_word(h, 38) >> 8, stream) |
	       tw_app_same(tw_app_word(h, 39) >> 8, stream);
}

/* ---- TLS, DTLS, QUIC ---- */

/* A handshake record: its length, and the type of the first message in it. */
tw_inline __u64 tw_app_tls_handshake(const struct tw_app_head *h)
{
	__u64 type = tw_app_u8(h, 5);

	return tw_app_within(tw_app_be16(h, 3), 4, 0x4120) & tw_app_below(type, 25) &
	       tw_app_below(tw_app_u8(h, 6), 2);
}

tw_inline __u64 tw_app_tls_data(const struct tw_app_head *h)
{
	return tw_app_within(tw_app_be16(h, 3), 16, 0x4120) & tw_app_below(5, h->payload);
}

/* An alert alone in its record, plain or encrypted. */
tw_inline __u64 tw_app_tls_alert(const struct tw_app_head *h)
{
	return tw_app_within(tw_app_be16(h, 3), 2, 96) &
	       tw_app_same(tw_app_be16(h, 3) + 5, h->payload);
}

/* A ClientHello in SSL 2.0's form (RFC 5246 appendix E.2). */
tw_inline __u64 tw_app_ssl2(const struct tw_app_head *h)
{
	return tw_app_same((tw_app_be16(h, 0) & 0x7fff) + 2, h->payload) & (tw_app_u8(h, 0) >> 7) &
	       tw_app_below(tw_app_u8(h, 4), 4) & tw_app_zero(tw_app_be16(h, 5) % 3);
}

tw_inline __u64 tw_app_dtls(const struct tw_app_head *h)
{
	return tw_app_within(tw_app_be16(h, 11) + 13, 14, h->payload);
}

/* A client's first Initial packet: the lengths of both connection ids, and of the datagram (RFC 9000
 * §14.1). */
tw_inline __u64 tw_app_quic_initial(const struct tw_app_head *h)
{
	__u64 len = tw_app_u8(h, 5);

	return tw_app_below(len, 21) & tw_app_below(tw_app_u8_at(h, 6 + len), 21) &
	       tw_app_below(1199, h->payload);
}

/* A long header's length of the destination connection id. */
tw_inline __u64 tw_app_quic(const struct tw_app_head *h)
{
	return tw_app_below(tw_app_u8(h, 5), 21) & tw_app_below(20, h->payload);
}

/* ---- STUN ---- */

tw_inline __u64 tw_app_stun(const struct tw_app_head *h, __u32 base)
{
	__u64 len = tw_app_be16(h, base + 2);

	return tw_app_zero(tw_app_u8(h, base) >> 6) & tw_app_zero(len & 3) &
	       tw_app_below(len + base + 19, h->payload);
}

/* A message of RFC 3489, without the cookie. The high byte of its first attribute's type is 0x00 or
 * 0x80, or the attribute is the only one. */
tw_inline __u64 tw_app_stun_classic(const struct tw_app_head *h)
{
	__u64 len = tw_app_be16(h, 2);

	return tw_app_same(len + 20, h->payload) & tw_app_below(7, len) &
	       tw_app_below(tw_app_be16(h, 22) + 3, len) &
	       (tw_app_zero(tw_app_u8(h, 20) & 0x7f) | tw_app_same(tw_app_be16(h, 22) + 4, len));
}

/* ---- names ---- */

/* The counts, flags and first name of a DNS message at `base`. */
tw_inline __u64 tw_app_dns(const struct tw_app_head *h, __u32 base)
{
	__u64 flags = tw_app_be16(h, base + 2), reply = flags >> 15, query = reply ^ 1;
	__u64 questions = tw_app_be16(h, base + 4), answers = tw_app_be16(h, base + 6);
	__u64 others = tw_app_be16(h, base + 8) | tw_app_be16(h, base + 10);
	__u64 label = tw_app_u8(h, base + 12), next = tw_app_u8_at(h, base + 13 + label);
	__u64 named = tw_app_below(label, 64) & tw_app_below(next, 64) &
		      tw_app_below(base + 16, h->payload);
	__u64 asks = query & tw_app_zero(flags & 0x068f) & tw_app_same(questions, 1) &
		     tw_app_zero(answers) & tw_app_zero(tw_app_be16(h, base + 8)) &
		     tw_app_below(others, 3) & named;
	__u64 tells = reply & tw_app_zero(flags & 0x0040) & tw_app_below(answers, 256) &
		      tw_app_below(others, 256);

	tells &= (tw_app_same(questions, 1) & named) |
		 (tw_app_zero(questions | answers | others) & tw_app_same(h->payload, base + 12));
	return (asks | tells) & tw_app_zero(flags & 0x5800);
}

/* A multicast DNS message: any of the four counts may be set, but none is above 255. */
tw_inline __u64 tw_app_mdns(const struct tw_app_head *h)
{
	__u64 counts = tw_app_be16(h, 4) | tw_app_be16(h, 6) | tw_app_be16(h, 8) |
		       tw_app_be16(h, 10);

	return tw_app_zero(tw_app_be16(h, 2) & 0x780f) & tw_app_within(counts, 1, 255) &
	       tw_app_below(tw_app_u8(h, 12), 64);
}

/* The only name of a NetBIOS name service packet: 32 letters of half an octet each. */
tw_inline __u64 tw_app_netbios_name(const struct tw_app_head *h)
{
	__u64 type = tw_app_be16(h, 46);

	return tw_app_same(tw_app_u8(h, 12), 32) &
	       tw_app_zero((tw_app_word(h, 13) - 0x4141414141414141ull) & 0xf0f0f0f0f0f0f0f0ull) &
	       tw_app_zero(tw_app_u8(h, 45)) & tw_app_zero((type & 0xfffe) ^ 0x20);
}

/* Returns 1 unless the bytes belong to a relative of DNS: mDNS, LLMNR, NetBIOS names. */
tw_inline __u64 tw_app_not_local_name(const struct tw_app_head *h)
{
	return (tw_app_port(h, 5353) | tw_app_port(h, 5355) | tw_app_port(h, 137)) ^ 1;
}

/* ---- ASN.1 ---- */

/* Extent of a BER value. */
struct tw_app_ber {
	__u64 value; /* offset of the value */
	__u64 end;   /* offset of what follows the value */
};

/* Reads the length field at `at`. The low 24 bits of the length count. */
tw_inline struct tw_app_ber tw_app_ber(const struct tw_app_head *h, __u64 at)
{
	__u64 word = tw_app_word_at(h, at), form = word >> 56, large = form >> 7;
	__u64 n = form & 7 & (0 - large);
	__u64 big = word << 8 >> 8 >> (56 - 8 * n);
	__u64 len = (big & (0 - large)) | (form & 0x7f & (large - 1));

	return (struct tw_app_ber){.value = at + 1 + n, .end = at + 1 + n + (len & 0xffffff)};
}

/* An LDAP message at the start: a sequence of the message id and a known operation. */
tw_inline __u64 tw_app_ldap(const struct tw_app_head *h)
{
	struct tw_app_ber all = tw_app_ber(h, 1);
	__u64 id = tw_app_word_at(h, all.value) >> 48, id_len = id & 0xff;
	__u64 op = tw_app_u8_at(h, all.value + 2 + id_len);

	return tw_app_same(all.end, h->payload) & tw_app_same(id >> 8, 2) &
	       tw_app_within(id_len, 1, 4) &
	       (tw_app_within(op, 0x60, 0x6e) | tw_app_within(op, 0x77, 0x78));
}

/* An SNMP message: a sequence of the version, and the community or the header of version 3. */
tw_inline __u64 tw_app_snmp(const struct tw_app_head *h)
{
	struct tw_app_ber all = tw_app_ber(h, 1);
	__u64 word = tw_app_word_at(h, all.value), version = word >> 40 & 0xff;
	__u64 tag = word >> 32 & 0xff;
	__u64 pdu = tw_app_u8_at(h, all.value + 5 + (word >> 24 & 0xff));

	return tw_app_same(all.end, h->payload) & tw_app_same(word >> 48, 0x0201) &
	       ((tw_app_below(version, 3) & tw_app_same(tag, 0x04) &
			(tw_app_within(pdu, 0xa0, 0xa8) | tw_app_zero(pdu))) |
		       (tw_app_same(version, 3) & tw_app_same(tag, 0x30)));
}

/* A Kerberos message at `base`: an application tag, a sequence, and the version 5 as its first
 * element, tagged 0 or 1. */
tw_inline __u64 tw_app_kerberos(const struct tw_app_head *h, __u32 base)
{
	struct tw_app_ber all = tw_app_ber(h, base + 1);
	struct tw_app_ber inner = tw_app_ber(h, all.value + 1);
	__u64 tag = tw_app_u8(h, base), version = tw_app_word_at(h, inner.value) >> 24;

	return (tw_app_within(tag, 0x6a, 0x6f) | tw_app_same(tag, 0x7e)) &
	       tw_app_same(tw_app_u8_at(h, all.value), 0x30) & tw_app_same(all.end, inner.end) &
	       tw_app_zero((version | 0x0100000000) ^ 0xa103020105);
}

/* ---- databases ---- */

/* A packet of MySQL's protocol: three bytes of length, little-endian, and a number. */
tw_inline __u64 tw_app_mysql(const struct tw_app_head *h)
{
	return tw_app_same((tw_app_le32(h, 0) & 0xffffff) + 4, h->payload);
}

tw_inline __u64 tw_app_mysql_greeting(const struct tw_app_head *h)
{
	__u64 c = tw_app_u8(h, 6);

	return tw_app_mysql(h) & tw_app_digit(tw_app_u8(h, 5)) &
	       (tw_app_same(c, '.') | tw_app_digit(c));
}

/* A startup message, whose first parameter begins with a letter. */
tw_inline __u64 tw_app_postgresql(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_be32(h, 0), h->payload) & tw_app_letter(tw_app_u8(h, 8));
}

/* The header of a TDS packet: length, and a window of zero. */
tw_inline __u64 tw_app_tds(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_be16(h, 2), h->payload) & tw_app_below(8, h->payload) &
	       tw_app_zero(tw_app_u8(h, 7));
}

/* A PRELOGIN packet: its first option is VERSION, six bytes long. */
tw_inline __u64 tw_app_tds_prelogin(const struct tw_app_head *h)
{
	return tw_app_tds(h) & tw_app_zero(tw_app_u8(h, 8)) & tw_app_below(tw_app_be16(h, 9), 256) &
	       tw_app_same(tw_app_be16(h, 11), 6);
}

/* A LOGIN7 packet, whose record says its own length and a version 7.x. */
tw_inline __u64 tw_app_tds_login(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_le32(h, 8) + 8, tw_app_be16(h, 2)) &
	       tw_app_same(tw_app_u8(h, 15) >> 4, 7);
}

/* A request of one packet: the first one, of the channel 0. */
tw_inline __u64 tw_app_tds_request(const struct tw_app_head *h)
{
	return tw_app_tds(h) & tw_app_same(tw_app_be32(h, 4), 0x0100);
}

/* A request header of MongoDB: the length of the message, and 0 or -1 as the request it answers. */
tw_inline __u64 tw_app_mongodb(const struct tw_app_head *h)
{
	return tw_app_within(tw_app_le32(h, 0), 26, 48000000 + 16384) &
	       (tw_app_zero(tw_app_be32(h, 8)) | tw_app_same(tw_app_be32(h, 8), 0xffffffff)) &
	       (tw_app_below(tw_app_le32(h, 0), h->payload) ^ 1);
}

/* A TNS connect packet: length, no checksums, versions 3xx. */
tw_inline __u64 tw_app_tns(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_be16(h, 0), h->payload) & tw_app_same(tw_app_u8(h, 8), 1) &
	       tw_app_same(tw_app_u8(h, 10), 1) & tw_app_zero(tw_app_be16(h, 6));
}

tw_inline __u64 tw_app_memcached(const struct tw_app_head *h)
{
	return tw_app_below(tw_app_u8(h, 1), 0x30) & tw_app_zero(tw_app_u8(h, 5)) &
	       tw_app_same(tw_app_be32(h, 8) + 24, h->payload) &
	       tw_app_below(tw_app_u8(h, 4) + tw_app_be16(h, 2), tw_app_be32(h, 8) + 1);
}

/* ---- authentication, time ---- */

/* Returns 1 if either end is at a port of RADIUS (RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3), or at
 * one of those that were used before. */
tw_inline __u64 tw_app_radius_port(const struct tw_app_head *h)
{
	return tw_app_port(h, 1812) | tw_app_port(h, 1813) | tw_app_port(h, 3799) |
	       tw_app_port(h, 1645) | tw_app_port(h, 1646);
}

tw_inline __u64 tw_app_radius_request(const struct tw_app_head *h)
{
	__u64 code = tw_app_u8(h, 0);

	return tw_app_same(code, 1) | tw_app_same(code, 4) | tw_app_same(code, 12) |
	       tw_app_same(code, 40) | tw_app_same(code, 43);
}

/* A RADIUS packet: its code, its length, and its first two attributes. */
tw_inline __u64 tw_app_radius(const struct tw_app_head *h)
{
	__u64 len = tw_app_be16(h, 2), first = tw_app_u8(h, 21), second = 20 + first;
	__u64 next = tw_app_word_at(h, second) >> 48;
	__u64 seen = tw_app_below(second + 1, h->len), code = tw_app_u8(h, 0);

	return (tw_app_within(code, 1, 5) | tw_app_within(code, 11, 12) |
		       tw_app_within(code, 40, 45)) &
	       tw_app_same(len, h->payload) & tw_app_below(len, 4097) &
	       tw_app_below(0, tw_app_u8(h, 20)) & tw_app_below(2, first) &
	       tw_app_below(second, len + 1) &
	       ((seen ^ 1) | (tw_app_below(0, next >> 8) & tw_app_below(2, next & 0xff)));
}

tw_inline __u64 tw_app_diameter(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_be24(h, 1), h->payload) & tw_app_zero(h->payload & 3) &
	       tw_app_zero(tw_app_u8(h, 4) & 0x0f) & tw_app_zero(tw_app_u8(h, 5)) &
	       tw_app_below(27, h->payload);
}

/* The lengths of an NTP packet: plain, with a MAC, or with extension fields. */
tw_inline __u64 tw_app_ntp(const struct tw_app_head *h)
{
	return tw_app_below(47, h->payload) & tw_app_zero(h->payload & 3) &
	       tw_app_below(tw_app_u8(h, 1), 17) & tw_app_below(0, tw_app_u8(h, 0) >> 3 & 7) &
	       tw_app_below(tw_app_u8(h, 0) >> 3 & 7, 5);
}

/* ---- RPC ---- */

/* An ONC RPC call at `base`: version 2 of the protocol, and a program of the assigned ones. */
tw_inline __u64 tw_app_rpc_call(const struct tw_app_head *h, __u32 base)
{
	__u64 program = tw_app_be32(h, base + 12);

	return tw_app_zero(tw_app_be32(h, base + 4)) & tw_app_same(tw_app_be32(h, base + 8), 2) &
	       tw_app_within(program, 100000, 400000) & tw_app_below(tw_app_be32(h, base + 16), 32);
}

/* The mark of one last record fragment over TCP. */
tw_inline __u64 tw_app_rpc_mark(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_be32(h, 0), 0x80000000 | (h->payload - 4));
}

tw_inline __u64 tw_app_nfs(const struct tw_app_head *h, __u32 base)
{
	return tw_app_same(tw_app_be32(h, base + 12), 100003);
}

/* An accepted reply, with a verifier of no or system flavour. */
tw_inline __u64 tw_app_rpc_reply(const struct tw_app_head *h, __u32 base)
{
	return tw_app_same(tw_app_word(h, base + 4), 1ull << 32) &
	       tw_app_below(tw_app_be32(h, base + 12), 7);
}

/* ---- remote desktops, tunnels ---- */

/* A TPKT (RFC 1006 §6) with a COTP header; the stream may have more. */
tw_inline __u64 tw_app_tpkt(const struct tw_app_head *h)
{
	return tw_app_below(tw_app_be16(h, 2), h->payload + 1) & tw_app_below(6, tw_app_be16(h, 2));
}

/* A connection request with a cookie or a negotiation request. */
tw_inline __u64 tw_app_rdp_request(const struct tw_app_head *h)
{
	return tw_app_tpkt(h) & (tw_app_same(tw_app_word(h, 11) >> 8, 0x436f6f6b69653a) |
					(tw_app_same(tw_app_u8(h, 11), 1) &
						tw_app_same(tw_app_be16(h, 13), 0x0800)));
}

/* A connection confirm with a negotiation response or failure. */
tw_inline __u64 tw_app_rdp_reply(const struct tw_app_head *h)
{
	return tw_app_tpkt(h) & tw_app_within(tw_app_u8(h, 11), 2, 3) &
	       tw_app_same(tw_app_be16(h, 13), 0x0800);
}

/* An IKE header at `base`: version, exchange type and length. */
tw_inline __u64 tw_app_ike(const struct tw_app_head *h, __u32 base)
{
	__u64 version = tw_app_u8(h, base + 17), exchange = tw_app_u8(h, base + 18);

	return tw_app_same(tw_app_be32(h, base + 24) + base, h->payload) &
	       ((tw_app_same(version, 0x10) &
			(tw_app_within(exchange, 1, 6) | tw_app_within(exchange, 32, 33))) |
		       (tw_app_same(version & 0xf0, 0x20) & tw_app_within(exchange, 34, 43))) &
	       tw_app_below(0, tw_app_word(h, base) >> 1);
}

/* A reset that begins a session, at `base`: plain; with an HMAC of 16, 20, 32 or 64 bytes, a packet
 * id of 1 and a time; or with tls-crypt, whose packet id comes first. */
tw_inline __u64 tw_app_openvpn(const struct tw_app_head *h, __u32 base)
{
	__u64 n = h->payload - base;

	return (tw_app_same(n, 14) & tw_app_zero(tw_app_u8(h, base + 9)) &
		       tw_app_zero(tw_app_be32(h, base + 10))) |
	       (tw_app_same(n, 38) & tw_app_same(tw_app_be32(h, base + 25), 1)) |
	       (tw_app_same(n, 42) & tw_app_same(tw_app_be32(h, base + 29), 1)) |
	       (tw_app_same(n, 54) & (tw_app_same(tw_app_be32(h, base + 41), 1) |
					     tw_app_same(tw_app_be32(h, base + 9), 1)));
}

/* A server's reset without protection: it acknowledges packet 0 of the client's session. */
tw_inline __u64 tw_app_openvpn_reply(const struct tw_app_head *h, __u32 base)
{
	return tw_app_same(h->payload - base, 26) & tw_app_same(tw_app_u8(h, base + 9), 1) &
	       tw_app_zero(tw_app_be32(h, base + 10)) & tw_app_zero(tw_app_be32(h, base + 22));
}

tw_inline __u64 tw_app_socks5(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_u8(h, 1) + 2, h->payload) & tw_app_below(0, tw_app_u8(h, 1)) &
	       tw_app_below(tw_app_u8(h, 2), 10);
}

/* ---- file sharing ---- */

/* A SYN of uTP: neither a delay nor an acknowledgement yet; bare, or with eight extension bits. */
tw_inline __u64 tw_app_utp_syn(const struct tw_app_head *h)
{
	__u64 extension = tw_app_u8(h, 1);

	return tw_app_zero(tw_app_be32(h, 8)) & tw_app_zero(tw_app_be16(h, 18)) &
	       tw_app_below(0, tw_app_be32(h, 4)) &
	       ((tw_app_zero(extension) & tw_app_same(h->payload, 20)) |
		       (tw_app_same(extension, 2) & tw_app_same(h->payload, 30)));
}

tw_inline __u64 tw_app_utp(const struct tw_app_head *h)
{
	return tw_app_below(tw_app_u8(h, 1), 3) & tw_app_below(19, h->payload) &
	       tw_app_below(0, tw_app_be32(h, 4));
}

/* ---- things and plants ---- */

tw_inline __u64 tw_app_modbus(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_be16(h, 4) + 6, h->payload) & tw_app_below(h->payload, 261) &
	       tw_app_below(7, h->payload) & tw_app_below(0, tw_app_u8(h, 7) & 0x7f);
}

/* A link frame of DNP3, and the start of a next one where there is one. User data goes in blocks of
 * 16 bytes, each with a CRC of two. */
tw_inline __u64 tw_app_dnp3(const struct tw_app_head *h)
{
	__u64 data = tw_app_u8(h, 2) - 5, end = data + ((data + 15) >> 4) * 2 + 10;

	return tw_app_below(4, tw_app_u8(h, 2)) &
	       (tw_app_same(end, h->payload) | tw_app_same(tw_app_word_at(h, end) >> 48, 0x0564));
}

/* A BVLC header, and the version of the NPDU behind it where there is one. */
tw_inline __u64 tw_app_bacnet(const struct tw_app_head *h)
{
	__u64 function = tw_app_u8(h, 1);
	__u64 at = 4 + 6 * tw_app_same(function, 4);
	__u64 bare = tw_app_below(function, 4) | tw_app_within(function, 5, 8);

	return tw_app_same(tw_app_be16(h, 2), h->payload) & tw_app_below(function, 12) &
	       (bare | tw_app_same(tw_app_u8_at(h, at), 1));
}

/* A message header of OPC UA's TCP mapping: its size. */
tw_inline __u64 tw_app_opcua(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_le32(h, 4), h->payload);
}

/* An APDU of IEC 104, and the start byte of a next one where there is one. */
tw_inline __u64 tw_app_iec104(const struct tw_app_head *h)
{
	__u64 len = tw_app_u8(h, 1), even = ((tw_app_u8(h, 2) | tw_app_u8(h, 4)) & 1) ^ 1;
	__u64 supervisory = tw_app_same(tw_app_be24(h, 1), 0x040100);
	__u64 whole = tw_app_same(len + 2, h->payload) |
		      tw_app_same(tw_app_u8_at(h, len + 2), 0x68);

	return whole & (supervisory | (even & tw_app_within(len, 8, 253)));
}

/* An encapsulation header of EtherNet/IP: length, success, no options. */
tw_inline __u64 tw_app_enip(const struct tw_app_head *h)
{
	return tw_app_same(tw_app_le16(h, 2) + 24, h->payload) & tw_app_zero(tw_app_be32(h, 8)) &
	       tw_app_zero(tw_app_be32(h, 20));
}

/* A CoAP header: its token is inside the datagram. */
tw_inline __u64 tw_app_coap(const struct tw_app_head *h)
{
	__u64 token = tw_app_u8(h, 0) & 0x0f;

	return tw_app_below(token, 9) & tw_app_below(token + 3, h->payload);
}

/* An MQTT CONNECT at the start, whose variable header is at `off`. */
tw_inline __u64 tw_app_mqtt(const struct tw_app_head *h, __u32 off)
{
	return tw_app_same(tw_app_u8(h, 0), 0x10) & tw_app_same(tw_app_u8(h, 1) >> 7, off - 2) &
	       tw_app_below(h->payload, 65536);
}

/* ---- TFTP ---- */

/* Returns 1 if the mode of a TFTP request is in the head. The search has a loop, so callers use it only
 * for datagrams that begin like a request. */
tw_inline __u64 tw_app_tftp(const struct tw_app_head *h)
{
	__u64 found = 0, word;
	__u32 off;

	for (off = 3; off < TW_APP_HEAD - 8; off++) {
		word = tw_app_word(h, off) >> 16 | 0x2020202020;
		found |= tw_app_same(word, 0x006f63746574) | tw_app_same(word, 0x006e65746173);
	}
	return found;
}
