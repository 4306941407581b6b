/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* chunk.h: consecutive batches of the spool (spool.h), in memory or on disk.
 *
 * Callers:    spool.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/observe/spool_disk.h"
#include "base/buf.h"
#include "link/link.h"

struct tw_chunk {
	struct tw_chunk *next;
	struct tw_spool_part part;
	struct tw_buf data;  /* batches; empty: only on disk */
	uint64_t lost_ahead; /* losses before this chunk that neither numbers nor batches show */
	uint64_t acked;	     /* rows before this number are acknowledged */
	bool closed;	     /* no batch will be added */
	bool on_disk;
	bool busy; /* its job is with the disk */
	bool dead; /* not in the spool's list any more: freed when its job is done */
	struct tw_spool_job job;
};

/* A batch in a chunk. */
struct tw_chunk_batch {
	const uint8_t *data; /* a Response without an id, packed */
	uint64_t first;	     /* number of its first row */
	uint32_t rows;
	uint32_t len;
};

/* Returns the number after that of the last row. */
static inline uint64_t tw_chunk_end(const struct tw_chunk *chunk)
{
	return chunk->part.first + chunk->part.rows;
}

/* Returns how many rows are not acknowledged. */
static inline uint64_t tw_chunk_kept(const struct tw_chunk *chunk)
{
	return chunk->acked > chunk->part.first ? tw_chunk_end(chunk) - chunk->acked
						: chunk->part.rows;
}

/* Returns the bytes that a response takes in a chunk. */
size_t tw_chunk_size(const Tapwall__V1__Response *response);
/* Adds a response with a batch. Returns 0, or -ENOMEM with the chunk unchanged. */
int tw_chunk_add(struct tw_chunk *chunk, const Tapwall__V1__Response *response);
/* Reads the batch at offset `at`. The chunk's data must be whole. Returns the offset of the next batch. */
size_t tw_chunk_batch_at(const struct tw_chunk *chunk, size_t at, struct tw_chunk_batch *ret);
/* True if data from a file are whole batches with exactly the rows of `part`. */
bool tw_chunk_is_whole(const struct tw_buf *data, const struct tw_spool_part *part);

/* Returns the chunk that a job belongs to. */
static inline struct tw_chunk *tw_chunk_of(struct tw_spool_job *job)
{
	return (struct tw_chunk *)((char *)job - offsetof(struct tw_chunk, job));
}
