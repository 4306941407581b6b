/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* feed.h: follows the events of every connected agent and has them recorded.
 *
 * How:        at each tick, an agent that is connected and not followed is asked for its closes and
 *             denials (EventsRequest), from the position where the history stopped. Its batches go to
 *             the recorder's thread (recorder.h). The agent's window grows only
 *             by bytes that the recorder has handled: while the disk is full, agents send no more.
 * Bounds:     TW_PEER_WINDOW bytes of batches for each agent, and TW_RECORDER_WAITING_MAX for all agents
 *             together. A batch that exceeds the latter ends its stream, and the agent keeps the
 *             events. A stream that ended with an error is restarted after TW_FEED_RETRY_NS.
 * Callers:    daemon.c, history.c; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "slowpath/agents.h"
#include "slowpath/feed/recorder.h"

#define TW_FEED_RETRY_NS 30000000000u

struct tw_feed;

struct tw_feed_setup {
	struct tw_loop *loop;
	const char *path; /* the history, as in place.h; NULL: none is kept */
	struct tw_store_access access;
	struct tw_history_limits limits;
	struct tw_recorder_sink sinks[TW_RECORDER_SINKS];
	unsigned int n_sinks;
};

/* An agent's stream, for status. */
struct tw_feed_row {
	const char *agent;
	bool followed;
	const char *why; /* why the last stream ended; "": it has not */
	struct tw_source_facts facts;
};

/* Opens the history and starts its thread. Returns 0, or a negative errno with `err` filled in. */
int tw_feed_new(const struct tw_feed_setup *setup, struct tw_feed **ret, struct tw_err *err);
/* Commits what was received. Must be called after tw_agents_free(). NULL is fine. */
void tw_feed_free(struct tw_feed *feed);
/* Follows agents that are connected and not followed. Called at every tick. */
void tw_feed_tick(struct tw_feed *feed, struct tw_agents *agents);

void tw_feed_get_state(struct tw_feed *feed, struct tw_recorder_state *ret);
/* Fills the row of stream `i`, counted from 0. False if there is no such stream. Texts are valid
 * until the loop's next turn. */
bool tw_feed_row_at(struct tw_feed *feed, unsigned int i, struct tw_feed_row *ret);
