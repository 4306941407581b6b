/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ca.h: the slow path's CA, which signs the certificates of its agents and of the slow path itself.
 *
 * Invariants: 1. Only the public key of a request is used, after its signature was verified. Name,
 *                purpose and lifetime are set by the caller.
 *             2. Keys are P-256 or Ed25519 keys only.
 * Callers:    slowpath/, tests/; one thread.
 * Source:     RFC 5280 (certificates), RFC 2986 (requests for them).
 */
#pragma once

#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "link/identity.h"

#define TW_CA_LIFE_S	  ((time_t)10 * 366 * 86400)
#define TW_CA_SKEW_S	  300 /* validity starts this long before issue, for slow clocks */
#define TW_CA_FINGERPRINT 65  /* bytes of a fingerprint as text */

struct tw_ca;

struct tw_ca_subject {
	const char *name; /* common name */
	enum tw_identity_side side;
	time_t from;
	time_t until;
};

/* Makes a CA with a new key, valid until a time. Returns 0 or a negative errno. */
int tw_ca_new(const char *name, time_t until, struct tw_ca **ret);
/* Reads a CA from PEM. Returns 0, -EKEYREJECTED if it is not a CA, or -ENOMEM. */
int tw_ca_read(const struct tw_buf *cert, const struct tw_buf *key, struct tw_ca **ret);
void tw_ca_free(struct tw_ca *ca); /* NULL is fine */
TW_DEFINE_AUTO(tw_ca)

/* Append the certificate and the key as PEM. Return 0 or a negative errno. */
int tw_ca_put_cert(const struct tw_ca *ca, struct tw_buf *pem);
int tw_ca_put_key(const struct tw_ca *ca, struct tw_buf *pem);
/* Sets `hash` to the SHA-256 of the CA's certificate. Returns 0 or a negative errno. */
int tw_ca_hash(const struct tw_ca *ca, unsigned char hash[TW_IDENTITY_PRINT]);
time_t tw_ca_until(const struct tw_ca *ca); /* end of its validity */
/* Writes the SHA-256 of the CA's certificate in hex. Returns 0 or a negative errno. */
int tw_ca_fingerprint(const struct tw_ca *ca, char text[TW_CA_FINGERPRINT]);

/* Appends a certificate for the key of a request (PEM). It does not outlive the CA. Returns 0,
 * -EKEYREJECTED if the request is invalid, -EKEYEXPIRED if the CA has expired, or another negative
 * errno. */
int tw_ca_sign(const struct tw_ca *ca, const struct tw_ca_subject *subject, const void *request,
	size_t len, struct tw_buf *pem);
/* Appends a new key and a certificate for it. Returns 0 or a negative errno. */
int tw_ca_issue(const struct tw_ca *ca, const struct tw_ca_subject *subject, struct tw_buf *pem);
