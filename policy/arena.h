/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* arena.h: memory with the lifetime of one policy, or of one reading of a text.
 *
 * Blocks are zeroed, aligned to 16 bytes, and freed all at once. A policy made from another one
 * shares its memory, which is freed with the last of them.
 */
#pragma once

#include <stddef.h>

struct tw_arena_pool;

struct tw_arena {
	struct tw_arena_pool *pool; /* NULL while empty */
};

void tw_arena_done(struct tw_arena *arena);
/* Returns NULL if out of memory. A size of 0 gives a valid block. */
void *tw_arena_alloc(struct tw_arena *arena, size_t count, size_t size);
/* Lets an empty arena share the memory of another one. */
void tw_arena_share(struct tw_arena *arena, const struct tw_arena *with);
/* Returns the total bytes allocated. */
size_t tw_arena_bytes(const struct tw_arena *arena);
char *tw_arena_strndup(struct tw_arena *arena, const char *text, size_t len);
/* Returns a copy of `count` items of `size` bytes, or NULL if out of memory. */
void *tw_arena_copy(struct tw_arena *arena, const void *items, size_t count, size_t size);
