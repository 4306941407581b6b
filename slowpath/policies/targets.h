/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* targets.h: puts the wanted versions of policies in force at agents, and follows what is in force.
 *
 * How:        an agent reports the digest of its policy in force with each Hello. If it has not had
 *             the wanted version yet, it is sent the text. A refusal is kept, and tried again only
 *             when the agent connects again or the version is pushed again.
 * Invariants: 1. A version that an agent has had in force is not sent again when another policy
 *                takes its place: a change that an operator made at the host, perhaps to end an
 *                outage, is shown and logged as drift, and stays until a push.
 *             2. No agent waits for another one, except for memory: TW_TARGETS_BYTES of texts are
 *                on their way at once, or one larger text.
 *             3. A wish is stored before its text is sent.
 *             4. An agent returns by itself from a version that was not confirmed. Then the version
 *                before it is wanted again here, even if tapwall-slowd has restarted.
 * Callers:    slowpath/; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "slowpath/agents.h"
#include "slowpath/policies/policies.h"

#define TW_TARGETS_BYTES    (64u << 20)
#define TW_TARGETS_RETRY_NS 5000000000u
#define TW_TARGETS_QUIET_NS 10000000000u

struct tw_targets;

enum tw_target_state {
	TW_TARGET_UNMANAGED, /* no version is wanted */
	TW_TARGET_WAITING,   /* away, and has not had the version */
	TW_TARGET_PUSHING,
	TW_TARGET_REFUSED,
	TW_TARGET_IN_FORCE,
	TW_TARGET_DRIFT,     /* the version was in force, and another policy is now */
	TW_TARGET_AWAY,	     /* away, and has had the version */
	TW_TARGET_RETURNING, /* the version was not confirmed in time */
	TW_TARGET__MAX,
};

/* One agent. */
struct tw_target {
	struct tw_target *next;
	struct tw_policies_wish wish;
	uint8_t sha256[TW_DIGEST_BYTES]; /* digest of the wanted version */
	uint64_t size;			 /* bytes of the wanted version's text */
	enum tw_target_state state;
	uint64_t since_ns;
	bool sent;		   /* a request to the agent is not answered yet */
	uint64_t sent_version;	   /* the version in that request */
	uint64_t quiet_ns;	   /* end of the time in which the agent may still return */
	uint64_t sent_bytes;	   /* bytes of the text in that request */
	uint64_t refused_connects; /* number of the connection on which the agent refused */
	uint64_t retry_ns; /* time to send the version again after a temporary error; 0: none */
	char error[TW_ERR_TEXT_MAX]; /* why the agent refused */
	struct tw_targets *targets;
};

struct tw_targets_setup {
	struct tw_policies *policies;
	struct tw_agents *agents;
	void (*told)(void *arg); /* called when the state of an agent has changed */
	void *arg;
};

/* Reads the stored wishes. Returns 0, or a negative errno with `err` filled. */
int tw_targets_new(
	const struct tw_targets_setup *setup, struct tw_targets **ret, struct tw_err *err);
/* Must be called after tw_agents_free(), which still reports about requests. NULL is fine. */
void tw_targets_free(struct tw_targets *targets);

struct tw_targets_order {
	const struct tw_policies_version *version;
	char **agents;	 /* names */
	size_t n_agents; /* 0: all, and agents that connect later without a wish of their own */
	bool allow_unprotect;
	uint32_t confirm_s; /* time in which the version must be confirmed; 0: it need not be */
};
/* Returns 0, or -ENOENT with `err` filled if an agent of the order is not known. */
int tw_targets_know(
	const struct tw_targets *targets, const struct tw_targets_order *order, struct tw_err *err);
/* True if the order is for this agent. */
bool tw_targets_has(const struct tw_targets_order *order, const char *agent);
/* Makes a stored version the wanted one at agents. Returns 0, or a negative errno with `err` filled:
 * -ENOENT if an agent is not known. Nothing changes on failure. */
int tw_targets_want(
	struct tw_targets *targets, const struct tw_targets_order *order, struct tw_err *err);

/* Confirms all versions that wait for it, and sets *ret_n to the number of agents. Returns 0, or a
 * negative errno with `err` filled: -ENOENT if there are none. */
int tw_targets_confirm(struct tw_targets *targets, size_t *ret_n, struct tw_err *err);

/* Sends versions, and updates the states. Must be called a few times a second. NULL is fine. */
void tw_targets_tick(struct tw_targets *targets);

struct tw_target *tw_targets_first(const struct tw_targets *targets);
struct tw_target *tw_targets_find(const struct tw_targets *targets, const char *agent);
const char *tw_target_state_name(enum tw_target_state state);
