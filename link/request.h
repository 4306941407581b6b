/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* request.h: makes a key and the request for its certificate, and checks the certificate.
 *
 * Callers:    slowpath/ca.c, cli/enroll.c, agent/renewal.c.
 * Source:     RFC 2986.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "link/stream.h"

#define TW_REQUEST_MAX	       4096 /* maximum bytes of a request as PEM */
#define TW_REQUEST_FINGERPRINT 65   /* bytes of a fingerprint as text */

/* Appends a new key on curve P-256 to `key` and the request to `request`, as PEM. Returns 0 or a
 * negative errno. */
int tw_request_new(struct tw_buf *key, struct tw_buf *request);
/* A certificate that was issued for a request. */
struct tw_request_cert {
	char name[TW_STREAM_PEER_MAX];
	time_t from;
	time_t until;
	bool decides; /* it is a decider's, not an agent's */
};

/* Checks that a certificate has the public key of `key` and a name, is valid now, and was issued by
 * a CA of `ca` for an agent or a decider. All three are PEM. Because clocks differ, its validity may begin up to
 * TW_REQUEST_SKEW_S from now. Returns 0, -EKEYREJECTED or -ENOMEM. */
#define TW_REQUEST_SKEW_S 86400
int tw_request_check(const struct tw_buf *key, const void *cert, size_t cert_len,
	const struct tw_buf *ca, struct tw_request_cert *ret);
/* Writes the SHA-256 of a DER certificate in hex. Returns 0 or a negative errno. */
int tw_request_fingerprint(const void *der, size_t len, char text[TW_REQUEST_FINGERPRINT]);
