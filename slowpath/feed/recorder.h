/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* recorder.h: a thread that reads the agents' event streams into the history.
 *
 * Why:        a commit waits for the disk, and no module may block the loop.
 * How:        the loop gives parcels, one for each batch of a stream. The thread handles them in order,
 *             commits every TW_RECORDER_COMMIT_NS or TW_RECORDER_COMMIT_ROWS rows, and gives them
 *             back. If a commit fails and no more rows can wait, it keeps its parcels and tries again
 *             every TW_RECORDER_RETRY_NS; the flow control of the streams then stops the agents.
 *             A source's position is committed with its rows (history.h).
 * Bounds:     TW_RECORDER_WAITING_MAX bytes, as sent, in the waiting batches of all agents together.
 * Sinks:      exporters see the same rows, in this thread, as they arrive. After a crash, an agent
 *             sends the rows that were not committed again, so a sink may see a row twice.
 * Invariants: 1. A stream begins with a parcel without a batch. When the recorder gives it back, no
 *                batch of the source's earlier stream is left.
 *             2. After a malformed batch, batches of that stream are ignored.
 * Callers:    feed.c, in the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "link/event_reader.h"
#include "link/link.h"
#include "link/stream.h"
#include "slowpath/feed/translate.h"
#include "slowpath/history/history.h"
#include "slowpath/store/store.h"

#define TW_RECORDER_COMMIT_NS	1000000000u
#define TW_RECORDER_COMMIT_ROWS 20000u
#define TW_RECORDER_RETRY_NS	1000000000u
#define TW_RECORDER_SINKS	4
#define TW_RECORDER_WAITING_MAX (32u << 20)

/* A consumer of rows. `take` is called in the recorder's thread with the rows of each batch, and must not
 * block; `pause` at least every TW_RECORDER_COMMIT_NS while there are rows, and once at the end. */
struct tw_recorder_sink {
	void (*take)(void *arg, const char *agent, const struct tw_event_reader *reader);
	void (*pause)(void *arg); /* may be NULL */
	void *arg;
};

/* Numbers of a source, for status. */
struct tw_source_facts {
	uint64_t rows;	   /* since tapwall-slowd started */
	uint64_t lost;	   /* events that its agent had lost before they were read */
	uint64_t unusable; /* rows with an unknown kind, verdict or direction */
	uint64_t last_us;  /* time of its last row; 0: none */
	uint64_t next;	   /* position up to which its rows were read */
	uint64_t durable;  /* position up to which they were committed */
	uint64_t journal;  /* the journal of both positions */
};

/* An agent whose rows are read. Made by feed.c, and lives as long as the recorder. */
struct tw_source {
	char name[TW_STREAM_PEER_MAX];
	/* Only for the recorder's thread. */
	struct tw_event_reader reader;
	struct tw_translation translation;
	bool found;  /* its position was looked up */
	bool failed; /* its stream had a malformed batch */
	bool dirty;  /* rows were read since the last commit */
	uint64_t journal, next;
	struct tw_source *next_dirty;
	/* Shared by both threads, under the recorder's lock. */
	struct tw_source_facts facts;
};

struct tw_parcel {
	struct tw_parcel *next;
	struct tw_source *source;
	Tapwall__V1__EventBatch *batch; /* NULL: a stream is to begin */
	size_t bytes;			/* length of the response that carried it */
	/* Filled in by the recorder. */
	int code;		/* 0, -EBADMSG or -ENOMEM: the stream must be ended */
	uint64_t journal, from; /* where the stream is to begin, as in EventsRequest */
};

struct tw_recorder_setup {
	const char *path; /* the history, as in place.h; NULL: none, only sinks */
	struct tw_store_access access;
	struct tw_history_limits limits;
	size_t waiting_max; /* 0: TW_RECORDER_WAITING_MAX */
	int wake_fd; /* eventfd, written when there are parcels to take back or rows became durable */
	struct tw_recorder_sink sinks[TW_RECORDER_SINKS];
	unsigned int n_sinks;
};

struct tw_recorder_state {
	struct tw_history_state history; /* at the last commit; without rows, bytes and blocks */
	uint64_t commits;
	uint64_t damaged;
};

struct tw_recorder;

/* Opens the history and starts the thread. Returns 0, or a negative errno with `err` filled in. */
int tw_recorder_new(
	const struct tw_recorder_setup *setup, struct tw_recorder **ret, struct tw_err *err);
/* Handles the parcels that wait, commits if possible, and ends the thread. NULL is fine. */
void tw_recorder_free(struct tw_recorder *recorder);

/* Gives a parcel to the thread. The caller must not touch it until it is taken back. Returns 0, or -ENOBUFS if
 * the waiting bytes leave no room for its batch; the parcel then stays with the caller. */
int tw_recorder_give(struct tw_recorder *recorder, struct tw_parcel *parcel);
/* True if the waiting bytes are less than half of `waiting_max`, so that another stream may begin. */
bool tw_recorder_has_room(const struct tw_recorder *recorder);
/* Returns the parcels that were handled, oldest first; NULL: none. The caller frees them. */
struct tw_parcel *tw_recorder_take_back(struct tw_recorder *recorder);

void tw_recorder_get_state(struct tw_recorder *recorder, struct tw_recorder_state *ret);
void tw_recorder_get_facts(
	struct tw_recorder *recorder, const struct tw_source *source, struct tw_source_facts *ret);
