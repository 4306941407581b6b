/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* draft.h: a policy between the reading of its text and the time when it takes effect.
 *
 * Why:        reading and checking a large policy takes seconds, and the agent's loop must not wait for it.
 * How:        the loop begins a draft and ends it. Any thread may read and check in between.
 * Invariants: 1. tw_draft_read() and tw_draft_check() touch only the order, the draft, and the policy in force when
 *                the draft began. The draft has a reference to it. That policy never changes, except its images and
 *                its compiler, which a draft does not read.
 *             2. A draft does not know ports, quarantines or leases. publish.c adds their current state when the
 *                policy takes effect.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/state/versions.h"
#include "base/err.h"
#include "policy/policy.h"

struct tw_applied;
struct tw_enforcement;
struct tw_inforce;

/* A policy to be put in force. */
struct tw_apply_order {
	const char *text;
	size_t len;
	const char *source;
	bool dry_run; /* do everything except take effect */
	bool adopt;   /* already in force: if saving fails, it is retried later */
	bool returns; /* to the last confirmed policy: dropped if the one in force is confirmed meanwhile */
	bool allow_unprotect; /* protected ports may lose their workload and become open */
	uint64_t file_mark;   /* mark of the --policy file; 0: its mark when the order begins */
	uint64_t since_ns;    /* when it took effect, monotonic; 0: now */
	struct tw_authorship by;
	uint32_t
		tripwire; /* with confirm_s: number of cut connections that ends the wait; 0: never */
	uint32_t confirm_s; /* time in which it must be confirmed (confirm.h); 0: it need not be */
};

struct tw_draft {
	struct tw_inforce *old;	    /* the policy in force when it began, a reference; NULL: none */
	struct tw_inforce *inforce; /* the policy that was read; NULL: none */
	int64_t now_s;		    /* Unix time at which rules with `until` are looked at */
	int code;	  /* result of reading: 0, -EINVAL (see the diagnostics), -ENOMEM */
	uint64_t read_ns; /* time that reading took */
};

void tw_draft_begin(struct tw_draft *draft, const struct tw_enforcement *enforcement);
/* Reads the policy, prepares its compiler, and lists in `applied` what changes. The result is in the draft. */
void tw_draft_read(struct tw_draft *draft, const struct tw_apply_order *order,
	struct tw_diags *diags, struct tw_applied *applied);
/* Returns 0 if the policy was read, and the policy in force is still the one with which it was compared. Otherwise
 * fills `err`, with `source` as its place, and returns a negative errno. */
int tw_draft_verify(const struct tw_draft *draft, const struct tw_enforcement *enforcement,
	const char *source, struct tw_err *err);
/* Adds the warnings of tw_policy_check(). Called once the policy has taken effect or was tried, because no packet
 * waits for warnings. Returns 0 or -ENOMEM. */
int tw_draft_check(const struct tw_draft *draft, struct tw_diags *diags);
/* Drops the references. */
void tw_draft_done(struct tw_draft *draft);
