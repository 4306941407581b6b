/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* arena.h: memory that lives and dies with one policy, or with one reading of a text.
 *
 * Blocks are zeroed, aligned to 16 bytes, and freed all at once. A policy that was made from another
 * one shares its memory: what is in it stays until the last of them is gone.
 */
#pragma once

#include <stddef.h>

struct tw_arena_pool;

struct tw_arena {
	struct tw_arena_pool *pool; /* NULL: nothing in it yet */
};

void tw_arena_done(struct tw_arena *arena);
/* NULL when there is no memory. A size of 0 gives a valid block. */
void *tw_arena_alloc(struct tw_arena *arena, size_t count, size_t size);
/* Makes an empty arena one with another. */
void tw_arena_share(struct tw_arena *arena, const struct tw_arena *with);
/* What was asked for in all. */
size_t tw_arena_bytes(const struct tw_arena *arena);
char *tw_arena_strndup(struct tw_arena *arena, const char *text, size_t len);
/* A copy of `count` items of `size` bytes. */
void *tw_arena_copy(struct tw_arena *arena, const void *items, size_t count, size_t size);
