/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/held.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define TAG_LEN 4
#define TAG_AT	12 /* offset of the tag, behind the MACs */

/* Returns the one's complement sum of 16-bit words (RFC 1071). */
static uint16_t sum(const uint8_t *data, size_t len)
{
	uint32_t total = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		total += (uint32_t)(data[i] << 8 | data[i + 1]);
	if (len & 1)
		total += (uint32_t)data[len - 1] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

/* Completes a checksum whose field has the sum of the pseudo-header. A result of 0 is written as all ones: UDP
 * requires that (RFC 768), and for other protocols both mean the same number. */
static size_t complete(const struct tw_asked *asked, uint8_t *frame, size_t len)
{
	size_t start = asked->csum_start, at = start + asked->csum_offset;
	uint16_t csum;

	if (at + 2 > len || at < start)
		return 0;
	csum = (uint16_t)~sum(frame + start, len - start);
	if (!csum)
		csum = 0xffff;
	frame[at] = (uint8_t)(csum >> 8);
	frame[at + 1] = (uint8_t)csum;
	return len;
}

size_t tw_held_finish(const struct tw_asked *asked, const uint8_t *data, uint8_t out[TW_HELD_MAX])
{
	const uint16_t tci = htons(asked->vlan_tci);
	size_t len = asked->cap_len;

	if (len < TAG_AT || len > TW_ASK_FRAME_MAX)
		return 0;
	memcpy(out, data, len);
	if (asked->csum_start && !complete(asked, out, len))
		return 0;
	if (!asked->vlan_type)
		return len;
	memmove(out + TAG_AT + TAG_LEN, out + TAG_AT, len - TAG_AT);
	memcpy(out + TAG_AT, &asked->vlan_type, sizeof(asked->vlan_type));
	memcpy(out + TAG_AT + 2, &tci, sizeof(tci));
	return len + TAG_LEN;
}
