/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/token.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#include "link/request.h"

#define PREFIX	   "tapwall-"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define SUM_LEN	   2
#define BODY_LEN   (TW_TOKEN_PRINT + TW_TOKEN_SECRET)
#define DIGITS	   (TW_TOKEN_TEXT - 1 - PREFIX_LEN) /* of base64, without padding */

_Static_assert((BODY_LEN + SUM_LEN) % 3 == 0, "base64 needs no padding");
_Static_assert((BODY_LEN + SUM_LEN) / 3 * 4 == DIGITS, "the length of a token as text");

static int write_sum(const unsigned char body[BODY_LEN], unsigned char *to)
{
	unsigned char hash[32];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, body, BODY_LEN, hash) < 0)
		return -ENOMEM;
	memcpy(to, hash, SUM_LEN);
	return 0;
}

int tw_token_new(struct tw_token_parts *token)
{
	return gnutls_rnd(GNUTLS_RND_KEY, token->secret, sizeof(token->secret)) < 0 ? -EIO : 0;
}

int tw_token_write(const struct tw_token_parts *token, char text[TW_TOKEN_TEXT])
{
	unsigned char bytes[BODY_LEN + SUM_LEN];
	const gnutls_datum_t body = {bytes, sizeof(bytes)};
	gnutls_datum_t base64 = {0};

	memcpy(bytes, token->print, TW_TOKEN_PRINT);
	memcpy(bytes + TW_TOKEN_PRINT, token->secret, TW_TOKEN_SECRET);
	if (write_sum(bytes, bytes + BODY_LEN) < 0 || gnutls_base64_encode2(&body, &base64) < 0)
		return -ENOMEM;
	snprintf(text, TW_TOKEN_TEXT, PREFIX "%.*s", (int)base64.size, (char *)base64.data);
	for (char *c = text + PREFIX_LEN; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	gnutls_memset(base64.data, 0, base64.size);
	gnutls_free(base64.data);
	return 0;
}

/* Decodes the digits of a token. False if they are not base64url. */
static bool decode(const char *digits, unsigned char bytes[BODY_LEN + SUM_LEN])
{
	char base64[DIGITS + 1];
	const gnutls_datum_t text = {(unsigned char *)base64, DIGITS};
	gnutls_datum_t body = {0};
	bool good;

	for (size_t i = 0; i < DIGITS; i++) {
		char c = digits[i];

		if (!isalnum((unsigned char)c) && c != '-' && c != '_')
			return false;
		base64[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
	}
	if (gnutls_base64_decode2(&text, &body) < 0)
		return false;
	good = body.size == BODY_LEN + SUM_LEN;
	if (good)
		memcpy(bytes, body.data, BODY_LEN + SUM_LEN);
	gnutls_free(body.data);
	return good;
}

int tw_token_read(const char *text, struct tw_token_parts *ret)
{
	unsigned char bytes[BODY_LEN + SUM_LEN], sum[SUM_LEN];
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strcspn(text, " \t\r\n");
	if (len != PREFIX_LEN + DIGITS || strncmp(text, PREFIX, PREFIX_LEN) != 0 ||
		text[len + strspn(text + len, " \t\r\n")] || !decode(text + PREFIX_LEN, bytes) ||
		write_sum(bytes, sum) < 0 || memcmp(sum, bytes + BODY_LEN, SUM_LEN) != 0)
		return -EINVAL;
	memcpy(ret->print, bytes, TW_TOKEN_PRINT);
	memcpy(ret->secret, bytes + TW_TOKEN_PRINT, TW_TOKEN_SECRET);
	return 0;
}

bool tw_token_is(const char *text)
{
	return !strncmp(text, PREFIX, PREFIX_LEN) && strlen(text) > PREFIX_LEN + DIGITS / 2;
}

int tw_token_hash(const void *secret, size_t len, char text[TW_TOKEN_HASH])
{
	return len == TW_TOKEN_SECRET ? tw_request_fingerprint(secret, len, text) : -EINVAL;
}
