/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define CHUNK_BYTES ((size_t)16 * 1024)
#define ALIGN	    ((size_t)16)

struct tw_arena_chunk {
	struct tw_arena_chunk *next;
	size_t used;
	size_t max;
	_Alignas(16) unsigned char data[];
};

void tw_arena_done(struct tw_arena *arena)
{
	struct tw_arena_chunk *next;

	for (struct tw_arena_chunk *chunk = arena->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	arena->chunks = NULL;
}

void *tw_arena_alloc(struct tw_arena *arena, size_t count, size_t size)
{
	struct tw_arena_chunk *chunk = arena->chunks;
	size_t bytes;
	void *block;

	if (size && count > (SIZE_MAX / 4) / size)
		return NULL;
	bytes = (count * size + ALIGN - 1) & ~(ALIGN - 1);
	if (!chunk || chunk->max - chunk->used < bytes) {
		size_t max = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;

		chunk = tw_alloc(sizeof(*chunk) + max);
		if (!chunk)
			return NULL;
		chunk->max = max;
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	block = chunk->data + chunk->used;
	chunk->used += bytes;
	return block;
}

char *tw_arena_strndup(struct tw_arena *arena, const char *text, size_t len)
{
	char *copy = tw_arena_alloc(arena, len + 1, 1);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

void *tw_arena_copy(struct tw_arena *arena, const void *items, size_t count, size_t size)
{
	void *copy = tw_arena_alloc(arena, count, size);

	if (copy && count)
		memcpy(copy, items, count * size);
	return copy;
}
