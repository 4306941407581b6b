/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"

#define HEADER_LEN   4
#define REQUEST_MARK 0x80 /* in a frame's first byte, if both ends send requests */

int tw_link_pack(struct tw_buf *out, const ProtobufCMessage *message)
{
	return tw_link_pack_with(out, message, NULL, 0);
}

int tw_link_pack_with(
	struct tw_buf *out, const ProtobufCMessage *message, const uint8_t *rest, size_t rest_len)
{
	size_t first_len = protobuf_c_message_get_packed_size(message), len = first_len + rest_len;
	uint8_t *frame;

	if (len > TW_LINK_FRAME_MAX)
		return -EMSGSIZE;
	frame = tw_buf_extend(out, HEADER_LEN + len);
	if (!frame)
		return -ENOMEM;
	for (size_t i = 0; i < HEADER_LEN; i++)
		frame[i] = (uint8_t)(len >> (8 * (HEADER_LEN - 1 - i)));
	protobuf_c_message_pack(message, frame + HEADER_LEN);
	if (rest_len)
		memcpy(frame + HEADER_LEN + first_len, rest, rest_len);
	return 0;
}

int tw_link_pack_request(struct tw_buf *out, const Tapwall__V1__Request *request)
{
	size_t start = out->len;
	int code = tw_link_pack(out, &request->base);

	if (!code)
		out->data[start] = (char)((unsigned char)out->data[start] | REQUEST_MARK);
	return code;
}

long tw_link_frame_either(const uint8_t *data, size_t len, bool *ret_request,
	const uint8_t **ret_body, size_t *ret_body_len)
{
	size_t body_len;

	if (len < HEADER_LEN)
		return 0;
	body_len = data[0] & ~REQUEST_MARK;
	for (size_t i = 1; i < HEADER_LEN; i++)
		body_len = body_len << 8 | data[i];
	if (body_len > TW_LINK_FRAME_MAX)
		return -EMSGSIZE;
	if (len - HEADER_LEN < body_len)
		return 0;
	*ret_request = data[0] & REQUEST_MARK;
	*ret_body = data + HEADER_LEN;
	*ret_body_len = body_len;
	return (long)(HEADER_LEN + body_len);
}

long tw_link_frame(const uint8_t *data, size_t len, const uint8_t **ret_body, size_t *ret_body_len)
{
	bool request;

	if (len && data[0] & REQUEST_MARK)
		return len < HEADER_LEN ? 0 : -EMSGSIZE;
	return tw_link_frame_either(data, len, &request, ret_body, ret_body_len);
}

/* One byte of a message can take forty bytes of memory once unpacked, so memory is bounded too. */
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
	size_t left = len + TW_LINK_UNPACK_MORE;
	ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &left};

	return tapwall__v1__request__unpack(&allocator, len, body);
}

Tapwall__V1__Response *tw_link_unpack_response(const uint8_t *body, size_t len)
{
	size_t left = len + TW_LINK_UNPACK_MORE;
	ProtobufCAllocator allocator = {bounded_alloc, bounded_free, &left};

	return tapwall__v1__response__unpack(&allocator, len, body);
}

/* ---- the texts of a message ---- */

/* Handles one text. False ends the walk. */
typedef bool text_fn(char *text);

static bool walk_texts(ProtobufCMessage *message, text_fn *each);

static bool walk_value(const ProtobufCFieldDescriptor *field, void *value, text_fn *each)
{
	void *at = *(void **)value;

	if (!at)
		return true;
	return field->type == PROTOBUF_C_TYPE_STRING ? each(at) : walk_texts(at, each);
}

static bool walk_field(
	ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, text_fn *each)
{
	char *at = (char *)message + field->offset;
	uint32_t number = 1;
	bool go_on = true;

	if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	/* The members of a oneof share their memory. Its case says which of them is set. */
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		memcpy(&number, (char *)message + field->quantifier_offset, sizeof(number));
		return number != field->id || walk_value(field, at, each);
	}
	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return walk_value(field, at, each);
	for (size_t i = 0; i < *(size_t *)((char *)message + field->quantifier_offset) && go_on;
		i++)
		go_on = walk_value(field, *(void ***)at + i, each);
	return go_on;
}

/* The recursion is bounded by the nesting of messages in link.proto, which has no cycles. */
static bool walk_texts(ProtobufCMessage *message, text_fn *each)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;
	bool go_on = true;

	for (unsigned int i = 0; i < descriptor->n_fields && go_on; i++)
		go_on = walk_field(message, &descriptor->fields[i], each);
	return go_on;
}

static bool text_fits(char *text)
{
	return strnlen(text, TW_LINK_TEXT_MAX + 1) <= TW_LINK_TEXT_MAX;
}

static bool clean_text(char *text)
{
	tw_clean(text, strlen(text));
	return true;
}

bool tw_link_texts_fit(ProtobufCMessage *message)
{
	return walk_texts(message, text_fits);
}

void tw_link_clean(ProtobufCMessage *message)
{
	walk_texts(message, clean_text);
}
