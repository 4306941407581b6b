/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: any bytes as a stream of the link protocol. Every unpacked message packs into the same
 * message again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "link/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* An unpacked message packs into bytes that, if they unpack, pack into the same bytes again. */
static void check_again(const ProtobufCMessage *message, int request)
{
	tw_auto_buf struct tw_buf once = {0}, twice = {0};
	const uint8_t *body;
	size_t body_len;
	void *again;

	if (tw_link_pack(&once, message) < 0)
		return;
	require(tw_link_frame((const uint8_t *)once.data, once.len, &body, &body_len) ==
		(long)once.len);
	again = request ? (void *)tw_link_unpack_request(body, body_len)
			: (void *)tw_link_unpack_response(body, body_len);
	/* protobuf-c keeps an unknown field with number 0, but cannot read it back. */
	if (!again)
		return;
	require(tw_link_pack(&twice, again) == 0);
	require(once.len == twice.len && !memcmp(once.data, twice.data, once.len));
	protobuf_c_message_free_unpacked(again, NULL);
}

static void check_body(const uint8_t *body, size_t len)
{
	Tapwall__V1__Response *response = tw_link_unpack_response(body, len);
	Tapwall__V1__Request *request = tw_link_unpack_request(body, len);

	if (request)
		check_again(&request->base, 1);
	if (response)
		check_again(&response->base, 0);
	if (request)
		tapwall__v1__request__free_unpacked(request, NULL);
	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *body;
	size_t body_len;
	long used;

	check_body(data, len);
	while ((used = tw_link_frame(data, len, &body, &body_len)) > 0) {
		require(body == data + 4 && body_len == (size_t)used - 4 && (size_t)used <= len);
		check_body(body, body_len);
		data += used;
		len -= (size_t)used;
	}
	return 0;
}
