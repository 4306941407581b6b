/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/reply.h"

#include <errno.h>
#include <string.h>

#include "base/inet.h"
#include "tests/run/draft.h"

/* Maximum size of an ICMP error: RFC 1812 §4.3.2.3 and RFC 4443 §2.4 (c). */
#define ICMP_ERROR_MAX	576
#define ICMP6_ERROR_MAX 1280

struct view {
	const uint8_t *l3;
	size_t l3_off;
	size_t len;  /* length of the IP packet */
	size_t head; /* length of the IP header */
	bool v6;
	uint8_t proto;
	const uint8_t *l4;
	size_t l4_len;
	struct tw_addr src;
	struct tw_addr dst;
};

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

static int wrong(struct tw_err *err, const char *what)
{
	return tw_err_set(err, -EINVAL, NULL, NULL, "refusal: %s", what);
}

/* Returns the offset of the IP packet, after any VLAN tags and LLC/SNAP. */
static size_t find_l3(const uint8_t *frame, size_t len, uint32_t *ret_type)
{
	size_t off = 14;
	uint32_t type = len >= 14 ? get16(frame + 12) : 0;

	while ((type == 0x8100 || type == 0x88a8) && off + 4 <= len) {
		type = get16(frame + off + 2);
		off += 4;
	}
	if (type < 0x600 && off + 8 <= len) {
		type = get16(frame + off + 6);
		off += 8;
	}
	*ret_type = type;
	return off;
}

static bool is_extension(uint8_t next)
{
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60;
}

/* Returns the length in an IP header. In a super-frame it may be 0, because each segment gets its
 * own. */
static size_t stated(uint32_t length, bool super, size_t room)
{
	return length || !super ? length : room;
}

static bool look(const uint8_t *frame, size_t len, bool super, struct view *v)
{
	uint32_t type;
	size_t room;

	*v = (struct view){.l3_off = find_l3(frame, len, &type)};
	v->l3 = frame + v->l3_off;
	v->v6 = type == 0x86dd;
	v->head = v->v6 ? 40 : 20;
	if ((!v->v6 && type != 0x0800) || v->l3_off + v->head > len)
		return false;
	room = len - v->l3_off;
	if (v->v6) {
		v->len = 40 + stated(get16(v->l3 + 4), super, room - 40);
		v->proto = v->l3[6];
		memcpy(&v->src, v->l3 + 8, 16);
		memcpy(&v->dst, v->l3 + 24, 16);
	} else {
		v->head = (v->l3[0] & 15u) * 4;
		v->len = stated(get16(v->l3 + 2), super, room);
		v->proto = v->l3[9];
		v->src.b[10] = v->src.b[11] = v->dst.b[10] = v->dst.b[11] = 0xff;
		memcpy(v->src.b + 12, v->l3 + 12, 4);
		memcpy(v->dst.b + 12, v->l3 + 16, 4);
	}
	while (v->v6 && is_extension(v->proto) && v->head + 8 <= v->len) {
		const uint8_t *ext = v->l3 + v->head;

		v->head += v->proto == 44   ? 8
			   : v->proto == 51 ? (ext[1] + 2u) * 4
					    : (ext[1] + 1u) * 8;
		v->proto = ext[0];
	}
	if (v->head > v->len || v->l3_off + v->len > len)
		return false;
	v->l4 = v->l3 + v->head;
	v->l4_len = v->len - v->head;
	return true;
}

static int check_ip(const struct view *frame, const struct view *reply, struct tw_err *err)
{
	if (frame->v6 != reply->v6)
		return wrong(err, "not of the refused frame's IP version");
	if (reply->l3[0] >> 4 != (reply->v6 ? 6 : 4))
		return wrong(err, "version");
	if (!reply->v6 && tw_inet_fold(tw_inet_sum(reply->l3, reply->head, 0)))
		return wrong(err, "IPv4 header checksum");
	if (!reply->v6 && get16(reply->l3 + 6) & 0x3fff)
		return wrong(err, "it is a fragment");
	if (!(reply->v6 ? reply->l3[7] : reply->l3[8]))
		return wrong(err, "the hop limit is 0");
	if (memcmp(&reply->src, &frame->dst, 16) || memcmp(&reply->dst, &frame->src, 16))
		return wrong(err, "addresses are not those of the refused frame, swapped");
	return 0;
}

static bool transport_sum_ok(const struct view *v)
{
	uint32_t sum = v->proto == 1 ? 0 : tw_inet_pseudo(v->src.b, v->dst.b, v->proto, v->l4_len);

	return tw_inet_fold(tw_inet_sum(v->l4, v->l4_len, sum)) == 0;
}

static int check_reset(
	const struct view *frame, const struct view *reply, struct tw_buf *text, struct tw_err *err)
{
	static const char letters[] = "FSRPAUEC";
	uint8_t flags;

	if (frame->proto != 6)
		return wrong(err, "a reset for a packet other than TCP");
	if (reply->l4_len != 20 || reply->l4[12] >> 4 != 5)
		return wrong(err, "a reset must consist of a TCP header alone");
	if (memcmp(reply->l4, frame->l4 + 2, 2) || memcmp(reply->l4 + 2, frame->l4, 2))
		return wrong(err, "ports are not those of the refused segment, swapped");
	flags = reply->l4[13];
	tw_buf_addf(text, "tcp %u > %u ", get16(reply->l4), get16(reply->l4 + 2));
	for (int i = 0; i < 8; i++)
		if (flags >> i & 1)
			tw_buf_addf(text, "%c", letters[i]);
	tw_buf_addf(text, " seq=%u ack=%u", get32(reply->l4 + 4), get32(reply->l4 + 8));
	return 0;
}

static int check_icmp(
	const struct view *frame, const struct view *reply, struct tw_buf *text, struct tw_err *err)
{
	size_t max = reply->v6 ? ICMP6_ERROR_MAX : ICMP_ERROR_MAX;
	/* After IPv6 extension headers, the transport header may be beyond the end of a short
	 * quote. */
	size_t head = frame->v6 ? 40 : frame->head;
	/* All of a shorter packet, except an odd byte at its end. */
	size_t least = head + 8 < frame->len ? head + 8 : frame->len & ~1ul;

	if (reply->proto != (reply->v6 ? 58 : 1) || reply->l4_len < 8)
		return wrong(err, "neither a reset nor an ICMP message of its IP version");
	if (reply->len > max)
		return wrong(err, "longer than an ICMP error may be");
	if (reply->l4_len - 8 < least)
		return wrong(err, "quotes less than the IP header and eight bytes");
	if (reply->l4_len - 8 > frame->len || memcmp(reply->l4 + 8, frame->l3, reply->l4_len - 8))
		return wrong(err, "the quote is not the refused packet");
	tw_buf_addf(text, "%s %u.%u", reply->v6 ? "icmp6" : "icmp", reply->l4[0], reply->l4[1]);
	return 0;
}

int tw_reply_check(const uint8_t *frame, size_t len, bool super, const uint8_t *reply,
	size_t reply_len, struct tw_buf *text, struct tw_err *err)
{
	struct view f, r;
	int failed;

	if (!look(frame, len, super, &f))
		return wrong(err, "the refused frame itself cannot be read");
	if (!look(reply, reply_len, false, &r))
		return wrong(err, "it cannot be read as IP, or its lengths contradict each other");
	if (memcmp(reply, frame + 6, 6) || memcmp(reply + 6, frame, 6))
		return wrong(err, "MACs are not those of the refused frame, swapped");
	if (f.l3_off != r.l3_off || memcmp(frame + 12, reply + 12, f.l3_off - 14))
		return wrong(err, "its VLAN tags are not those of the refused frame");
	if (r.l3_off + r.len != reply_len && reply_len > 60)
		return wrong(err, "bytes after the IP packet");
	failed = check_ip(&f, &r, err);
	if (failed)
		return failed;
	if (!transport_sum_ok(&r))
		return wrong(err, "transport checksum");
	return r.proto == 6 ? check_reset(&f, &r, text, err) : check_icmp(&f, &r, text, err);
}
