/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* asks.h: brings the questions of rules that ask to deciders, and answers to the fast path.
 *
 * How:        the fast path sends a question with a copy of the first packet (path/ask.h). The question waits
 *             in the queue of the port that pays until a decider has room. The ports' queues are served in
 *             turn. The agent writes the answer to `answers`, then sends the copy again, and the fast path
 *             finds the answer. A question without an answer ends once the fast path considers it overdue.
 *             Its copy is sent again then, too: options.ask.on-timeout decides it, and the log shows it.
 * Invariants: 1. A copy is sent at most once, and only for a question that was still open here and in the kernel.
 *                If its sender's port has been removed since, is in quarantine or is another workload's, the
 *                copy is dropped.
 *             2. A question is identified by its number alone, which cannot be guessed.
 *             3. A port that floods, or a decider that hangs, lies or dies, delays only questions. Each
 *                question ends after the policy's timeout.
 * Bounds:     TW_ASKS_OPEN_MAX open questions, of which TW_ASKS_PORT_MAX for each port that pays. A decider
 *             has at most as many unanswered questions as it asks for.
 * Callers:    the agent's loop, in one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/observe/answers.h"
#include "base/cleanup.h"
#include "base/err.h"

#define TW_ASKS_OPEN_MAX   4096
#define TW_ASKS_PORT_MAX   512
#define TW_ASKS_WINDOW_MAX 1024

struct tw_asks;
struct tw_telemetry;

/* A subscribed decider. The caller owns it, and sets `take` and `window`. */
struct tw_decider {
	/* Gives the decider a question, with asked->cap_len bytes of the frame. False if it has no room now. */
	bool (*take)(struct tw_decider *decider, uint64_t id, const struct tw_asked *asked,
		const uint8_t *data);
	uint32_t window; /* maximum of n_open */
	struct tw_decider *next;
	uint32_t n_open; /* questions given to it and not answered yet */
};

struct tw_asks_counts {
	uint32_t deciders;
	uint32_t open;	   /* questions that are open now */
	uint64_t asked;	   /* questions received since the start */
	uint64_t answered; /* questions answered by a decider */
	uint64_t overdue;  /* questions without an answer in time */
	uint64_t dropped;  /* questions that came too late or found no room here */
	uint64_t refused;  /* answers that were invalid or to no open question */
};

int tw_asks_new(struct tw_telemetry *telemetry, struct tw_asks **ret, struct tw_err *err);
void tw_asks_free(struct tw_asks *asks); /* NULL is fine */

void tw_asks_join(struct tw_asks *asks, struct tw_decider *decider);
/* Removes a decider. Its unanswered questions go to other deciders. */
void tw_asks_leave(struct tw_asks *asks, struct tw_decider *decider);
/* Answers a question. Returns 0; -ENOENT if no such question is open; -EINVAL if the answer is invalid; or another
 * negative errno from the kernel. */
int tw_asks_answer(struct tw_asks *asks, uint64_t id, const struct tw_answer_given *given);

/* Answers a question in advance, and the open questions that the answer covers. `key` and `payer_id` are those of the
 * question. Returns as tw_answers_install() does. */
int tw_asks_install(struct tw_asks *asks, const struct tw_ask_key *key, uint32_t payer_id,
	const struct tw_answer_given *given);
/* As tw_answers_remove(). */
uint64_t tw_asks_remove(
	struct tw_asks *asks, bool (*matches)(void *arg, const struct tw_ask_key *key), void *arg);

/* Renews the deciders' lease, and removes expired answers from the next part of the map. */
void tw_asks_tick(struct tw_asks *asks);
/* Removes answers for rules and ports that no longer exist. Must be called after each change of the policy. */
void tw_asks_settle(struct tw_asks *asks);
void tw_asks_count(const struct tw_asks *asks, struct tw_asks_counts *ret);
