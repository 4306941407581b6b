/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* policies.h: the stored versions of policies, and which version is wanted at which agent.
 *
 * What:       the SQLite file `policies.db`: `version`, a row for each version with its text;
 *             `wish`, a row for each agent for which a version is wanted.
 * Invariants: 1. A call that changes the file is one transaction in WAL mode with synchronous=FULL:
 *                after a crash, all of it is there or nothing (tests/slowpath/policies.c).
 *             2. A version never changes. Its number is never used again, even after it was dropped.
 *             3. A version that is wanted, or to which an agent may return, is never dropped.
 *             4. A text is returned only if its SHA-256 is the stored one.
 * Bounds:     TW_POLICIES_TEXT_MAX bytes of a text; the limits given to tw_policies_open(), beyond
 *             which the oldest versions are dropped.
 * Callers:    slowpath/; one process, which locks the file, and one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "link/digest.h"
#include "link/stream.h"

#define TW_POLICIES_SCHEMA	1
#define TW_POLICIES_APPLICATION 0x7477706f /* "twpo" */
#define TW_POLICIES_TEXT_MAX	(8u << 20)
#define TW_POLICIES_KEPT	1000
#define TW_POLICIES_BYTES_MAX	(256u << 20)
#define TW_POLICIES_COMMENT_MAX 1024 /* bytes */
#define TW_POLICIES_AUTHOR_MAX	64
#define TW_POLICIES_SOURCE_MAX	256
#define TW_POLICIES_ALL		"*" /* agent of the wish for agents without their own */

struct tw_policies;

struct tw_policies_limits {
	uint64_t versions;
	uint64_t bytes; /* size of all texts */
};

struct tw_policies_version {
	uint64_t version; /* from 1 */
	uint64_t time_us; /* Unix time */
	uint32_t uid;
	char author[TW_POLICIES_AUTHOR_MAX];
	char comment[TW_POLICIES_COMMENT_MAX + 1];
	char source[TW_POLICIES_SOURCE_MAX];
	uint8_t sha256[TW_DIGEST_BYTES];
	uint64_t size;
};

/* The version that is wanted at an agent. */
struct tw_policies_wish {
	char agent[TW_STREAM_PEER_MAX];
	uint64_t wanted;
	bool delivered; /* the agent has had this version in force */
	bool allow_unprotect;
	/* A version that waits for its confirmation. */
	uint64_t
		until_s; /* Unix time at which `before` is wanted again; 0: it need not be confirmed */
	uint64_t before;  /* version wanted before; 0: none */
	bool confirm_due; /* confirmed here, but not yet at the agent */
};

/* Opens the file, and creates it if there is none. Returns 0, or a negative errno with `err`
 * filled: -EBUSY if another process uses it, -EPROTO if it has another schema, -EBADMSG if it is
 * damaged. */
int tw_policies_open(const char *path, const struct tw_policies_limits *limits,
	struct tw_policies **ret, struct tw_err *err);
void tw_policies_free(struct tw_policies *policies); /* NULL is fine */
TW_DEFINE_AUTO(tw_policies)
/* Returns the open file, in which ledger.c keeps a table of its own. */
struct sqlite3 *tw_policies_db(const struct tw_policies *policies);

/* Stores a text. Reads uid, author, comment and source of `facts`, and fills in the rest of it. If
 * the newest version has this text, stores nothing and returns that version's facts with *ret_same
 * set. Returns 0, or a negative errno with `err` filled. */
int tw_policies_add(struct tw_policies *policies, const char *text, size_t len,
	struct tw_policies_version *facts, bool *ret_same, struct tw_err *err);

/* Reads a version (0: the newest). `text` may be NULL. Returns 0, or a negative errno with `err`
 * filled: -ENOENT if there is none, -EBADMSG if its text is damaged. */
int tw_policies_get(struct tw_policies *policies, uint64_t version, struct tw_policies_version *ret,
	struct tw_buf *text, struct tw_err *err);
/* Calls `each` for versions below `before` (0: all), newest first, until it returns non-zero.
 * Returns 0 or a negative errno. */
int tw_policies_each(struct tw_policies *policies, uint64_t before,
	int (*each)(void *arg, const struct tw_policies_version *version), void *arg);
/* Returns the newest version with this text, or 0. */
uint64_t tw_policies_find(struct tw_policies *policies, const uint8_t sha256[TW_DIGEST_BYTES]);

/* Calls `each` for all wishes, until it returns non-zero. Returns 0 or a negative errno. */
int tw_policies_each_wish(struct tw_policies *policies,
	int (*each)(void *arg, const struct tw_policies_wish *wish), void *arg);
/* Stores wishes, all or none. A wish for version 0 removes the agent's wish. Returns 0, or a
 * negative errno with `err` filled. */
int tw_policies_wish(struct tw_policies *policies, const struct tw_policies_wish *wishes, size_t n,
	struct tw_err *err);
