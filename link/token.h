/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* token.h: the token with which a host without a certificate enrolls at the slow path.
 *
 * Why:        the fingerprint of the CA lets the host recognise the slow path before it sends anything; the
 *             secret lets the slow path recognise the host. So a machine in the middle can neither
 *             answer nor learn the secret.
 * How:        "tapwall-" and base64url (RFC 4648 section 5) of fingerprint, secret and two bytes of a
 *             checksum, which detects a token that was not copied completely.
 * Callers:    cli/enroll.c, slowpath/tokens.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TW_TOKEN_PRINT	32 /* bytes of a SHA-256 */
#define TW_TOKEN_SECRET 20
#define TW_TOKEN_HASH	65 /* bytes of the hash of a secret as text */
#define TW_TOKEN_TEXT	81 /* bytes of a token as text */

struct tw_token_parts {
	unsigned char print[TW_TOKEN_PRINT]; /* SHA-256 of the CA's certificate (DER) */
	unsigned char secret[TW_TOKEN_SECRET];
};

/* Fills in a new secret. Returns 0 or a negative errno. */
int tw_token_new(struct tw_token_parts *token);
/* Writes the token as text. Returns 0 or -ENOMEM. */
int tw_token_write(const struct tw_token_parts *token, char text[TW_TOKEN_TEXT]);
/* Reads a token; white space around it is ignored. Returns 0, or -EINVAL with *ret untouched. */
int tw_token_read(const char *text, struct tw_token_parts *ret);
/* True if the text begins like a token. */
bool tw_token_is(const char *text);
/* Writes the hash under which the slow path stores a secret. Returns 0, -EINVAL if the length is
 * not that of a secret, or -ENOMEM. */
int tw_token_hash(const void *secret, size_t len, char text[TW_TOKEN_HASH]);
