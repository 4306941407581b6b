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

struct tw_arena_pool {
	_Atomic unsigned int refs;
	size_t bytes;
	struct tw_arena_chunk *chunks; /* the current chunk first */
};

void tw_arena_done(struct tw_arena *arena)
{
	struct tw_arena_pool *pool = arena->pool;
	struct tw_arena_chunk *next;

	arena->pool = NULL;
	if (!pool || --pool->refs)
		return;
	for (struct tw_arena_chunk *chunk = pool->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(pool);
}

void tw_arena_share(struct tw_arena *arena, const struct tw_arena *with)
{
	arena->pool = with->pool;
	if (arena->pool)
		arena->pool->refs++;
}

size_t tw_arena_bytes(const struct tw_arena *arena)
{
	return arena->pool ? arena->pool->bytes : 0;
}

static struct tw_arena_pool *pool_of(struct tw_arena *arena)
{
	if (!arena->pool) {
		arena->pool = tw_alloc(sizeof(*arena->pool));
		if (arena->pool)
			arena->pool->refs = 1;
	}
	return arena->pool;
}

void *tw_arena_alloc(struct tw_arena *arena, size_t count, size_t size)
{
	struct tw_arena_pool *pool = pool_of(arena);
	struct tw_arena_chunk *chunk;
	size_t bytes;
	void *block;

	if (!pool || (size && count > (SIZE_MAX / 4) / size))
		return NULL;
	chunk = pool->chunks;
	bytes = (count * size + ALIGN - 1) & ~(ALIGN - 1);
	if (!chunk || chunk->max - chunk->used < bytes) {
		size_t max = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;

		chunk = tw_alloc(sizeof(*chunk) + max);
		if (!chunk)
			return NULL;
		chunk->max = max;
		chunk->next = pool->chunks;
		pool->chunks = chunk;
	}
	block = chunk->data + chunk->used;
	chunk->used += bytes;
	pool->bytes += bytes;
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
