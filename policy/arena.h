/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* arena.h: memory that lives and dies with one policy, or with one reading of a text.
 *
 * Blocks are zeroed, aligned to 16 bytes, and freed all at once.
 */
#pragma once

#include <stddef.h>

struct tw_arena_chunk;

struct tw_arena {
	struct tw_arena_chunk *chunks; /* the one in use first */
};

void tw_arena_done(struct tw_arena *arena);
/* NULL when there is no memory. A size of 0 gives a valid block. */
void *tw_arena_alloc(struct tw_arena *arena, size_t count, size_t size);
char *tw_arena_strndup(struct tw_arena *arena, const char *text, size_t len);
/* A copy of `count` items of `size` bytes. */
void *tw_arena_copy(struct tw_arena *arena, const void *items, size_t count, size_t size);
