/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* answers.h: the maps `answers` and `askers`: answers to rules that ask, and who pays for them.
 *
 * Invariants: 1. An answer is written only for a question that is still open in the kernel: the same entry,
 *                asked at the same tick, without an answer.
 *             2. askers[port].entries counts the entries of `answers` that the port pays for: whoever makes
 *                an entry adds one, whoever removes it takes one off.
 *             3. No entry names a rule that is not in force once tw_answers_sweep() has run in full, which
 *                is before the rule's slot can be used again.
 * Callers:    asks.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fastpath/abi/ask.h"

/* Time to live of an answer, by default and at most. */
#define TW_ANSWERS_TTL_CONNECTION 10
#define TW_ANSWERS_TTL_PAIR	  3600
#define TW_ANSWERS_TTL_MAX	  (20 * 86400)

struct tw_telemetry;

/* An answer as a decider gives it. */
struct tw_answer_given {
	enum tw_verdict verdict; /* allow or deny */
	enum tw_ask_scope scope;
	uint32_t ttl_s; /* 0: the default */
};

struct tw_answers {
	struct tw_telemetry *telemetry;
	int fd;
	struct tw_asker *askers; /* mapped, by port id */
	uint32_t token;		 /* place of the sweep in the map */
	bool sweeping;
	struct tw_ask_key *keys; /* room for one step of the sweep */
	struct tw_answer *values;
};

/* Maps the tables and counts anew. 0 or a negative errno; tw_answers_done() also after a failure. */
int tw_answers_init(struct tw_answers *answers, struct tw_telemetry *telemetry);
void tw_answers_done(struct tw_answers *answers);

/* Says that a decider is there, for TW_ASK_LEASE_TICKS from now, or that there is none. */
void tw_answers_lease(struct tw_answers *answers, bool held);
/* Returns how long a question waits by the policy in force. */
uint64_t tw_answers_timeout_ns(const struct tw_answers *answers);

/* True if a question is open in the kernel: its entry has no answer. */
bool tw_answers_is_open(const struct tw_answers *answers, const struct tw_asked *asked);
/* Writes the answer to a question. 0; -ENOENT: it is no longer open in the kernel; -EINVAL: the answer is none;
 * or another negative errno. */
int tw_answers_write(struct tw_answers *answers, const struct tw_asked *asked,
	const struct tw_answer_given *given);
/* Removes the entry of a question that another answer covers. */
void tw_answers_void(struct tw_answers *answers, const struct tw_asked *asked);
/* True if an answer to `pair`, with any source port, is one to `key`. */
bool tw_answers_covers(const struct tw_ask_key *pair, const struct tw_ask_key *key);

/* Removes entries that are over, or whose rule or port is gone: some of the map, or all. */
void tw_answers_sweep(struct tw_answers *answers, bool all);
