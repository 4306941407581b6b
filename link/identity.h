/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* identity.h: the certificate of this end of a TLS connection, and the check of the peer's.
 *
 * Why:        A valid certificate is not enough: it must be issued by the configured CA, for the
 *             purpose of the other side. So an agent's stolen certificate cannot be used to
 *             impersonate the slow path.
 * Invariants: 1. An agent accepts only certificates for TLS servers, the slow path only
 *                certificates for TLS clients. A certificate without a purpose is refused by both.
 *             2. Only the CA in the configured file is trusted, not those of the system. A host
 *                that enrolls has no such file: it trusts the CA whose fingerprint it was given.
 *             3. The role of a client is in its certificate. With the organizational unit
 *                TW_IDENTITY_UNIT_DECIDER it is a decider's; without a unit of tapwall's, it is an
 *                agent's. The slow path refuses a certificate with any other unit of tapwall's.
 *             4. The slow path accepts a peer without a certificate only while `is_enrolling` says
 *                so. Such a peer has no name (stream.h), and may do nothing but enroll.
 * Callers:    tls.c, agent/dial.c, slowpath/; one thread.
 * Source:     RFC 5280 section 4.2.1.12 (purposes), RFC 8446 section 6 (alerts).
 */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

#define TW_IDENTITY_PRINT 32 /* bytes of the SHA-256 of a certificate */

struct tw_stream;

/* Paths of PEM files. `cert` and `key` may be one file. */
struct tw_identity_files {
	const char *cert;
	const char *key;
	const char *ca;
};

enum tw_identity_side {
	TW_IDENTITY_AGENT,
	TW_IDENTITY_SLOW_PATH,
	TW_IDENTITY_DECIDER,
};

/* Organizational units (RFC 5280 appendix A.1) with this prefix are tapwall's. */
#define TW_IDENTITY_UNITS	 "tapwall-"
#define TW_IDENTITY_UNIT_DECIDER TW_IDENTITY_UNITS "decider"

struct tw_identity {
	unsigned int n_holders;
	enum tw_identity_side side;
	gnutls_certificate_credentials_t credentials;
	time_t from;	   /* start of the validity of this end's certificate; 0: it has none */
	time_t expires;	   /* end of its validity */
	time_t ca_expires; /* end of the validity of the first CA in the file */
	char name[65];	   /* name in this end's certificate; empty: it has none */
	/* True if a certificate of this name, valid from `from` on, was revoked. NULL: none is. */
	bool (*is_revoked)(void *arg, const char *name, time_t from);
	void *arg;
	/* True if peers without a certificate may connect now. NULL: never. */
	bool (*is_enrolling)(void *arg);
	void *enrolling_arg;
	/* For a host that enrolls: the fingerprint of the CA that it trusts, and that CA's
	 * certificate as PEM, once the slow path has sent it. */
	bool is_pinned;
	unsigned char pin[TW_IDENTITY_PRINT];
	struct tw_buf pinned_ca;
};

/* Reads the files. The caller frees *ret. Returns 0 or a negative errno with `err` filled in:
 * -ENOENT, -EACCES, or -EKEYREJECTED if certificate or key is invalid, they do not match, or the
 * certificate is for another role than `side`. */
int tw_identity_load(const struct tw_identity_files *files, enum tw_identity_side side,
	struct tw_identity **ret, struct tw_err *err);
/* Makes the identity of a host that has no certificate yet, and trusts the CA with this fingerprint.
 * The caller frees *ret. Returns 0 or -ENOMEM. */
int tw_identity_pin(const unsigned char pin[TW_IDENTITY_PRINT], struct tw_identity **ret);
struct tw_identity *tw_identity_hold(struct tw_identity *identity);
/* Drops one reference; the last one frees the identity. NULL is fine. */
void tw_identity_free(struct tw_identity *identity);
TW_DEFINE_AUTO(tw_identity)

/* Reads from the subject of a client's certificate whether it is a decider's. Returns 0, or
 * -EKEYREJECTED if the role is unknown. */
int tw_identity_read_role(gnutls_x509_crt_t cert, bool *ret_decides);

/* True if `name` is valid as the name of an agent or a decider. */
bool tw_identity_is_name(const char *name);

/* Checks the certificate of the peer after the handshake, and sets the stream's `peer`, `peer_from`,
 * `peer_until` and `peer_decides`. Returns 0, or -EKEYREJECTED with the reason in the stream's `why` and the alert
 * to send. */
int tw_identity_check(struct tw_identity *identity, gnutls_session_t session,
	struct tw_stream *stream, gnutls_alert_description_t *ret_alert);
