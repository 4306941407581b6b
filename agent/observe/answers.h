/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* answers.h: the maps `answers` and `askers`: answers to rules that ask, and who pays for them.
 *
 * Invariants: 1. An answer to a question is written only if the question is still open in the kernel: its entry
 *                exists, has the tick of the question, and has no answer.
 *             2. askers[port].entries counts the entries of `answers` that the port pays for. The code that
 *                makes an entry adds one, and the code that removes it subtracts one.
 *             3. A full run of tw_answers_sweep() removes all entries of rules that are no longer in force.
 *                It happens before the slot of such a rule can be used again.
 * Callers:    asks.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fastpath/abi/ask.h"

/* Time to live of an answer in seconds: the defaults by scope, and the maximum. */
#define TW_ANSWERS_TTL_CONNECTION 10
#define TW_ANSWERS_TTL_PAIR	  3600
#define TW_ANSWERS_TTL_MAX	  (20 * 86400)

struct tw_telemetry;

/* An answer as given by a decider. */
struct tw_answer_given {
	enum tw_verdict verdict; /* allow or deny */
	enum tw_ask_scope scope;
	uint32_t ttl_s; /* 0: the default */
};

struct tw_answers {
	struct tw_telemetry *telemetry;
	int fd;
	struct tw_asker *askers; /* mapped into memory; by port id */
	uint32_t quota;		 /* quota in force in the fast path; 0: none */
	uint32_t token;		 /* position of the sweep in the map */
	bool sweeping;
	struct tw_ask_key *keys; /* buffer for one step of the sweep */
	struct tw_answer *values;
};

/* Maps `askers` into memory and counts the entries of `answers`. Returns 0 or a negative errno. tw_answers_done()
 * must be called even after a failure. */
int tw_answers_init(struct tw_answers *answers, struct tw_telemetry *telemetry);
void tw_answers_done(struct tw_answers *answers);

/* Tells the fast path that a decider is connected, for TW_ASK_LEASE_TICKS from now, or that there is none. */
void tw_answers_lease(struct tw_answers *answers, bool held);
/* Returns how long a question waits for its answer under the policy in force. */
uint64_t tw_answers_timeout_ns(const struct tw_answers *answers);

/* Returns how many entries one port may pay for, if `n_ports` ports pay for `total` entries. If more than half of
 * all entries are used, the other half is shared equally, so that a few ports cannot use up the answers of all. */
uint32_t tw_answers_quota(uint32_t total, uint32_t n_ports);
/* Computes this quota and sets it in the fast path. Must be called several times a second. */
void tw_answers_share(struct tw_answers *answers);
/* True if a question is open in the kernel: its entry has no answer. */
bool tw_answers_is_open(const struct tw_answers *answers, const struct tw_asked *asked);
/* As tw_answers_is_open(). If the entry was removed just when the fast path reused it for this question, the entry is
 * made again, so that the question is not lost. */
bool tw_answers_open(struct tw_answers *answers, const struct tw_asked *asked);
/* Writes the answer to a question. Returns 0; -ENOENT if the question is no longer open in the kernel; -EINVAL if
 * the answer is invalid; or another negative errno. */
int tw_answers_write(struct tw_answers *answers, const struct tw_asked *asked,
	const struct tw_answer_given *given);
/* Writes an answer before any question. `key` is the key of a question with scope TW_ASK_CONNECTION. That question must
 * not be open. Returns 0; -EINVAL if the answer is invalid; -ENOSPC if the port that pays has too many; or another
 * negative errno. */
int tw_answers_install(struct tw_answers *answers, const struct tw_ask_key *key, uint32_t payer_id,
	const struct tw_answer_given *given);
/* Removes the answers that match, but no open question. Returns their number. */
uint64_t tw_answers_remove(struct tw_answers *answers,
	bool (*matches)(void *arg, const struct tw_ask_key *key), void *arg);
/* Removes the entry of a question that an answer for its pair covers. */
void tw_answers_void(struct tw_answers *answers, const struct tw_asked *asked);
/* True if an answer for a pair, given to the question `pair`, also answers the question `key`. */
bool tw_answers_covers(const struct tw_ask_key *pair, const struct tw_ask_key *key);

/* True if, at the tick `now`, an answer is no longer in force, or a question is older than two timeouts and a
 * second. `epoch`: epoch of the policy in force. An entry may be newer than `now`. */
bool tw_answers_expired(
	const struct tw_answer *answer, uint32_t now, uint64_t timeout_ns, uint32_t epoch);
/* Removes entries that have expired, or whose rule or port is gone. Checks the whole map if `all` is true,
 * otherwise the next part of it. */
void tw_answers_sweep(struct tw_answers *answers, bool all);
