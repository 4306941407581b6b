/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* spool.h: events for the slow path, kept until it acknowledges them.
 *
 * Why:        the slow path stores a history. It may be away for a while, and what it has received but not yet written
 *             to its disk is lost when it dies. Until it acknowledges an event, the agent keeps it.
 * How:        rows are packed into batches as soon as they arrive. Batches are collected in chunks. A chunk defines
 *             all names that it uses, each once, so that it can be sent at any later time, also by a later agent.
 *             While more than half of the spool's size is in memory, a separate thread (spool_disk.h) compresses
 *             chunks and writes them to disk. A chunk is freed when all its rows are acknowledged.
 * Numbers:    rows are numbered from 1 without gaps, under an id that is new each time the agent starts. A reader that
 *             continues at a number whose row was dropped learns from the numbers how many it misses.
 * Bounds:     `bytes_max` in memory and on disk together. Beyond it, the oldest chunk is dropped; its rows are counted
 *             in `status`, in the log and in the stream. In addition, memory may hold up to TW_SPOOL_WRITES chunks
 *             while the disk hangs, and the chunk that is being read. One reader: a new one replaces it.
 * At the end: the agent writes the chunks in memory to disk, and the next one reads them. If the agent is killed, it
 *             loses those in memory.
 * Callers:    events.c and snapshot.c add; answer/spooled.c reads; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "link/event_row.h"

#define TW_SPOOL_CHUNK	(1u << 20) /* bytes of a chunk in memory */
#define TW_SPOOL_WRITES 4
#define TW_SPOOL_DIR	"spool" /* in the state directory */

struct tw_spool;

struct tw_spool_options {
	uint64_t bytes_max;
	const char *dir;		   /* directory of the files; NULL: memory only */
	const struct tw_dictionary *names; /* dictionary of the ids in rows that are added */
};

/* A batch to send. */
struct tw_spool_batch {
	/* A Response with an EventBatch and without an id, packed; valid until the next call of any function. */
	const uint8_t *data;
	size_t len;
	uint64_t journal; /* as in EventBatch */
	uint64_t first;
	uint64_t
		lost; /* rows and events lost before this batch, without the losses that it reports itself */
};

/* For status. */
struct tw_spool_state {
	uint64_t rows; /* rows that are not acknowledged */
	uint64_t memory;
	uint64_t disk;
	uint64_t dropped;    /* rows dropped since the agent started */
	const char *trouble; /* why the disk cannot be used; "": it can */
};

/* Creates the directory if there is none, and takes over the files in it. If it cannot be used, the spool has memory
 * only. The strings and objects of `options` must outlive the spool. Returns 0 or -ENOMEM. */
int tw_spool_new(const struct tw_spool_options *options, struct tw_spool **ret);
/* Writes the chunks in memory to disk, for at most two seconds. NULL is fine. */
void tw_spool_free(struct tw_spool *spool);
TW_DEFINE_AUTO(tw_spool)
/* Deletes the files in a directory, and the directory. */
void tw_spool_remove(const char *dir);

/* Returns the descriptor that is readable when tw_spool_turn() has something to do; -1: none. */
int tw_spool_fd(const struct tw_spool *spool);
/* Handles what the disk has done. True if a reader that waits may have something to read. */
bool tw_spool_turn(struct tw_spool *spool);

/* Adds a row. Its number is replaced. */
void tw_spool_add(struct tw_spool *spool, struct tw_event_row *row);
/* Counts events that were lost after the rows so far. */
void tw_spool_lose(struct tw_spool *spool, uint64_t n);
/* Packs the rows that are not in a batch yet, and ends the dictionary's generation. Must be called before ids of the
 * dictionary become invalid. */
void tw_spool_seal(struct tw_spool *spool);

/* Starts a reader at the row `from` of `journal`, as in EventsRequest. Returns the number of this reader. */
uint64_t tw_spool_open(struct tw_spool *spool, uint64_t journal, uint64_t from);
/* Returns 1 and the next batch; 0 if there is none now; or -ECANCELED if another reader has replaced this one. The
 * first batches may have rows before `from`. */
int tw_spool_read(struct tw_spool *spool, uint64_t reader, struct tw_spool_batch *ret);
void tw_spool_close(struct tw_spool *spool, uint64_t reader);
bool tw_spool_is_read(const struct tw_spool *spool); /* true if there is a reader */

/* Forgets the rows before `next`. Returns 0, or -EINVAL if they have not been read. */
int tw_spool_ack(struct tw_spool *spool, uint64_t journal, uint64_t next);

void tw_spool_describe(const struct tw_spool *spool, struct tw_spool_state *ret);
