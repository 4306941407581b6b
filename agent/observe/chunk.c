/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/chunk.h"

#include <errno.h>
#include <string.h>

/* Precedes each batch. The byte order is the host's, because files are read on the host that wrote them. */
struct head {
	uint64_t first;
	uint32_t rows;
	uint32_t len;
};

size_t tw_chunk_size(const Tapwall__V1__Response *response)
{
	return sizeof(struct head) + protobuf_c_message_get_packed_size(&response->base);
}

int tw_chunk_add(struct tw_chunk *chunk, const Tapwall__V1__Response *response)
{
	const Tapwall__V1__EventBatch *batch = response->events;
	size_t size = tw_chunk_size(response);
	struct head head = {
		.first = batch->first, .rows = batch->rows, .len = (uint32_t)(size - sizeof(head))};
	uint8_t *to = tw_buf_extend(&chunk->data, size);

	if (!to) {
		/* The buffer is unchanged: it still holds only whole batches. */
		chunk->data.failed = false;
		return -ENOMEM;
	}
	memcpy(to, &head, sizeof(head));
	protobuf_c_message_pack(&response->base, to + sizeof(head));
	if (!chunk->part.rows)
		chunk->part.first = head.first;
	chunk->part.rows += head.rows;
	chunk->part.lost += batch->lost_before;
	return 0;
}

size_t tw_chunk_batch_at(const struct tw_chunk *chunk, size_t at, struct tw_chunk_batch *ret)
{
	struct head head;

	memcpy(&head, chunk->data.data + at, sizeof(head));
	*ret = (struct tw_chunk_batch){
		.data = (const uint8_t *)chunk->data.data + at + sizeof(head),
		.first = head.first,
		.rows = head.rows,
		.len = head.len};
	return at + sizeof(head) + head.len;
}

bool tw_chunk_is_whole(const struct tw_buf *data, const struct tw_spool_part *part)
{
	uint64_t next = part->first;
	size_t at = 0;
	struct head head;

	while (data->len - at >= sizeof(head)) {
		memcpy(&head, data->data + at, sizeof(head));
		at += sizeof(head);
		if (head.first != next || !head.rows || head.len > data->len - at)
			return false;
		at += head.len;
		next += head.rows;
	}
	return at == data->len && next == part->first + part->rows;
}
