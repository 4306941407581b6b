/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/reply.h"

/* Strings of messages are not const in generated code, and are only read. */
#define TEXT(text) ((char *)(uintptr_t)(text))

int tw_reply_send(struct tw_buf *out, uint64_t id, Tapwall__V1__Response *response, bool last)
{
	response->id = id;
	response->last = last;
	return tw_link_pack(out, &response->base);
}

int tw_reply_packed(struct tw_buf *out, uint64_t id, const uint8_t *packed, size_t len)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.id = id;
	return tw_link_pack_with(out, &response.base, packed, len);
}

int tw_reply_error(
	struct tw_buf *out, uint64_t id, Tapwall__V1__Response *response, const struct tw_err *err)
{
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;
	int result;

	error.code = -err->code;
	error.place = TEXT(err->place);
	error.text = TEXT(err->text);
	error.hint = TEXT(err->hint);
	response->error = &error;
	result = tw_reply_send(out, id, response, true);
	response->error = NULL;
	return result;
}
