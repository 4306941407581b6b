/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/link.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

#define HEADER_LEN 4

int tw_link_pack(struct tw_buf *out, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *frame;

	if (len > TW_LINK_FRAME_MAX)
		return -EMSGSIZE;
	frame = tw_buf_extend(out, HEADER_LEN + len);
	if (!frame)
		return -ENOMEM;
	for (size_t i = 0; i < HEADER_LEN; i++)
		frame[i] = (uint8_t)(len >> (8 * (HEADER_LEN - 1 - i)));
	protobuf_c_message_pack(message, frame + HEADER_LEN);
	return 0;
}

long tw_link_frame(const uint8_t *data, size_t len, const uint8_t **ret_body, size_t *ret_body_len)
{
	size_t body_len = 0;

	if (len < HEADER_LEN)
		return 0;
	for (size_t i = 0; i < HEADER_LEN; i++)
		body_len = body_len << 8 | data[i];
	if (body_len > TW_LINK_FRAME_MAX)
		return -EMSGSIZE;
	if (len - HEADER_LEN < body_len)
		return 0;
	*ret_body = data + HEADER_LEN;
	*ret_body_len = body_len;
	return (long)(HEADER_LEN + body_len);
}

/* A byte of a message can cost forty of memory: what one message may take is bounded too. */
static void *bounded_alloc(void *arg, size_t size)
{
	size_t *left = arg;

	if (size > *left)
		return NULL;
	*left -= size;
	return tw_alloc(size);
}

static void bounded_free(void *arg, void *memory)
{
	free(memory);
}

Tapwall__V1__Request *tw_link_unpack_request(const uint8_t *body, size_t len)
{
	size_t left = TW_LINK_UNPACK_MAX;
	ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &left};

	return tapwall__v1__request__unpack(&allocator, len, body);
}

Tapwall__V1__Response *tw_link_unpack_response(const uint8_t *body, size_t len)
{
	size_t left = TW_LINK_UNPACK_MAX;
	ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &left};

	return tapwall__v1__response__unpack(&allocator, len, body);
}
