/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* versions.h: keeps the policies that were in force on this host, with author, time and comment.
 *
 * How:        policies.json lists them, the oldest first. The text of a policy is a hard link to the
 *             policy.yaml of its time, so it takes no further space while the policy is in force, and
 *             no data is written for it. The link is named by the policy's number modulo
 *             TW_VERSIONS_MAX, so that even if the list is lost, no more files than that remain.
 * Invariants: 1. Keeping a policy never delays or fails the apply. If a policy cannot be kept, this is
 *                reported, and tw_versions_tick() tries again.
 *             2. A text whose mark is not the one in the list is not given out.
 *             Test: tests/agent/versions.c, tests/e2e/versions.sh.
 * Bounds:     TW_VERSIONS_MAX policies and TW_VERSIONS_BYTES of texts; the newest one always stays.
 * Callers:    agent/publish, agent/answer; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/state/store.h"
#include "base/err.h"
#include "base/vec.h"

#define TW_VERSIONS_MAX		64
#define TW_VERSIONS_BYTES	(256u << 20) /* four texts of full size */
#define TW_VERSIONS_COMMENT_MAX 1024

struct tw_inforce;

/* User who put a policy in force, with a comment. */
struct tw_authorship {
	const char *author;  /* name of a user; NULL: the agent itself */
	const char *comment; /* NULL: none */
	uint32_t uid;
};

struct tw_version {
	uint64_t number; /* the generation of the policy */
	int64_t time_s;	 /* Unix time at which it took effect */
	uint32_t uid;
	char *author; /* owned, like comment and source; empty: the agent itself */
	char *comment;
	char *source;
	uint64_t mark; /* tw_policy_text_mark() of its text */
	uint64_t size; /* bytes of its text */
	uint8_t sha256[32];
	bool kept; /* its text is in the directory */
};

struct tw_versions {
	TW_VEC(struct tw_version) list; /* ascending by number */
	bool unsaved;			/* the file differs from the list */
	bool failed;			/* the last attempt to save failed, and the log says so */
	uint64_t retry_ns;
	int64_t now_s; /* latest time that tw_versions_now() returned */
};

/* Reads policies.json. A damaged list is logged, and counts as empty. */
void tw_versions_load(struct tw_versions *versions, struct tw_store *store);
void tw_versions_done(struct tw_versions *versions);

/* Adds the policy in force, unless it is the newest one already. `linkable`: policy.yaml has its text.
 * Returns 0, or a negative errno with `err` filled if it is not kept on disk yet. */
int tw_versions_add(struct tw_versions *versions, struct tw_store *store,
	const struct tw_inforce *inforce, const struct tw_authorship *by, bool linkable,
	struct tw_err *err);
/* Called if another program changed policy.yaml: the link to it is made again. */
void tw_versions_doubt(struct tw_versions *versions);
/* Saves what could not be saved before. `inforce` may be NULL. */
void tw_versions_tick(struct tw_versions *versions, struct tw_store *store,
	const struct tw_inforce *inforce, bool linkable);

/* Returns a policy that was in force, or NULL. */
const struct tw_version *tw_versions_find(const struct tw_versions *versions, uint64_t number);
/* Returns the number of the newest policy, 0 if there is none. */
uint64_t tw_versions_last(const struct tw_versions *versions);
/* Returns the Unix time by which rules end. It never goes back, and is no earlier than that of the newest
 * policy, so a rule that has ended does not return if the clock is set back. */
int64_t tw_versions_now(struct tw_versions *versions);
/* Reads the text of a policy, which the caller frees. Returns 0, or a negative errno with `err`
 * filled: -ENOENT if it is not in the list, -ENODATA if its text is not kept or was changed. */
int tw_versions_read(const struct tw_versions *versions, struct tw_store *store, uint64_t number,
	char **ret, size_t *ret_len, struct tw_err *err);
