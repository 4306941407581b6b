/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tokens.h: the tokens with which hosts may enroll (link/token.h): a directory with a file for each.
 *
 * Why:        one unlink() spends a token, so it is valid only once, even if two hosts use it at the
 *             same time or tapwall-slowd crashes. Another process, `tapwall-slowd --token`, adds tokens.
 * How:        the file's name is the SHA-256 of the secret, which itself is stored nowhere. The file has
 *             one line: NAME MADE UNTIL, the times in Unix seconds, and for a decider the word decider.
 * Invariants: 1. A token is valid for one name and role, until it expires or the name is revoked.
 *             2. A file that cannot be read, or has an invalid line, is no token.
 * Bounds:     TW_TOKENS_MAX tokens, each valid for at most TW_TOKENS_TTL_MAX.
 * Callers:    enroll.c (one thread), main.c.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/vec.h"
#include "link/identity.h"
#include "link/stream.h"
#include "link/token.h"

#define TW_TOKENS_MAX	  64
#define TW_TOKENS_TTL_MAX (7 * 86400)

struct tw_tokens_row {
	char hash[TW_TOKEN_HASH];
	char name[TW_STREAM_PEER_MAX];
	enum tw_identity_side side; /* the token is for an agent or a decider */
	time_t made;
	time_t until;
};

struct tw_tokens {
	char path[PATH_MAX];
	struct timespec seen; /* time of the directory's last change that was read */
	TW_VEC(struct tw_tokens_row) rows;
};

/* Returns 0 or -ENAMETOOLONG. */
int tw_tokens_init(struct tw_tokens *tokens, const char *folder);
void tw_tokens_done(struct tw_tokens *tokens);
/* Reads the directory again if it has changed, and deletes expired tokens. Returns the number of
 * tokens that are valid now. */
size_t tw_tokens_look(struct tw_tokens *tokens);
/* Finds the valid token with a secret. The row is valid until the next call. NULL: none. */
const struct tw_tokens_row *tw_tokens_find(
	struct tw_tokens *tokens, const void *secret, size_t len);
/* Spends a token. Returns 0 the first time, and -ENOENT from then on. After another negative errno,
 * the token may or may not be spent. */
int tw_tokens_spend(struct tw_tokens *tokens, const struct tw_tokens_row *row);
/* Makes a token for the agent or decider of this name, valid for `ttl_s` seconds, in the directory of
 * the CA, and prints it. Returns an exit code. */
int tw_tokens_add(const char *folder, const char *name, enum tw_identity_side side, uint32_t ttl_s);
