/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* asks.h: brings the questions of rules that ask to deciders, and answers to the fast path.
 *
 * How:        the fast path sends a question with a copy of the first packet (path/ask.h). It waits in the
 *             queue of the port that pays until a decider has room, port by port in turn. An answer is
 *             written to `answers`, then the copy is sent again, which finds it there. A question without an
 *             answer ends when the fast path takes it for overdue; its copy is sent again then, too, so that
 *             on-timeout decides it and the log tells.
 * Invariants: 1. Only a copy of a question that is open here and in the kernel is sent, once.
 *             2. A question is answered by its number alone, which cannot be guessed.
 *             3. A port that floods, or a decider that hangs, lies or dies, delays only questions: each ends
 *                after the policy's timeout.
 * Bounds:     TW_ASKS_OPEN_MAX open questions, TW_ASKS_PORT_MAX of each port that pays; as many unanswered
 *             ones at a decider as it asks for.
 * Callers:    the agent's loop; one thread.
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

/* A subscribed decider. The caller owns it, and fills the first part. */
struct tw_decider {
	/* Gives it a question, with asked->cap_len bytes of its frame. False: it has no room now. */
	bool (*take)(struct tw_decider *decider, uint64_t id, const struct tw_asked *asked,
		const uint8_t *data);
	uint32_t window; /* unanswered questions that it takes */
	struct tw_decider *next;
	uint32_t n_open; /* unanswered ones */
};

struct tw_asks_counts {
	uint32_t deciders;
	uint32_t open;	   /* questions without an answer */
	uint64_t asked;	   /* questions so far */
	uint64_t answered; /* … by a decider */
	uint64_t overdue;  /* … without an answer in time */
	uint64_t dropped;  /* … for which there was no room here */
	uint64_t refused;  /* answers to no open question */
};

int tw_asks_new(struct tw_telemetry *telemetry, struct tw_asks **ret, struct tw_err *err);
void tw_asks_free(struct tw_asks *asks); /* NULL is fine */

void tw_asks_join(struct tw_asks *asks, struct tw_decider *decider);
/* Its unanswered questions go to other deciders. */
void tw_asks_leave(struct tw_asks *asks, struct tw_decider *decider);
/* 0; -ENOENT if no such question is open; -EINVAL; or another negative errno of the kernel's. */
int tw_asks_answer(struct tw_asks *asks, uint64_t id, const struct tw_answer_given *given);

/* Renews the deciders' lease, and removes answers that are over, some at each call. */
void tw_asks_tick(struct tw_asks *asks);
/* Removes answers for rules and ports that are no more; to be called after each change of the policy. */
void tw_asks_settle(struct tw_asks *asks);
void tw_asks_count(const struct tw_asks *asks, struct tw_asks_counts *ret);
