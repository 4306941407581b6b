/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* identity.h: who this end of a TLS connection is, and which peers it believes.
 *
 * Why:        A certificate alone says little. The peer must have one of this CA, for the other side's purpose:
 *             with a stolen certificate of an agent nobody plays the slow path, or listens for other agents.
 * Invariants: 1. An agent accepts only a certificate for TLS servers, the slow path only one for TLS clients.
 *                One without a purpose is neither.
 *             2. No CA of the system is trusted, only the one of the files.
 * Callers:    tls.c, agent/dial.c, slowpath/; one thread.
 * Source:     RFC 5280 section 4.2.1.12 (purposes), RFC 8446 section 6 (alerts).
 */
#pragma once

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Paths of PEM files. `cert` and `key` may be one file. */
struct tw_identity_files {
	const char *cert;
	const char *key;
	const char *ca;
};

enum tw_identity_side {
	TW_IDENTITY_AGENT,
	TW_IDENTITY_SLOW_PATH,
};

struct tw_identity {
	unsigned int n_holders;
	enum tw_identity_side side;
	gnutls_certificate_credentials_t credentials;
	time_t expires; /* when the own certificate does */
	/* True if a certificate of this name that began at `from` was revoked. NULL: none is. */
	bool (*is_revoked)(void *arg, const char *name, time_t from);
	void *arg;
};

/* Reads the files. The caller frees *ret. 0 or a negative errno, with `err` filled: -ENOENT, -EACCES,
 * -EKEYREJECTED if they are no certificate, no key, or do not belong together. */
int tw_identity_load(const struct tw_identity_files *files, enum tw_identity_side side,
	struct tw_identity **ret, struct tw_err *err);
struct tw_identity *tw_identity_hold(struct tw_identity *identity);
/* Frees it once no stream holds it. NULL is fine. */
void tw_identity_free(struct tw_identity *identity);
TW_DEFINE_AUTO(tw_identity)

/* True if a text can be the name of an agent. */
bool tw_identity_is_name(const char *name);

/* Checks the peer of a session whose handshake is over, and puts its name into `name` and when its
 * certificate began into *ret_from. 0, or -EKEYREJECTED with
 * `why` and the alert that tells the peer. */
int tw_identity_check(const struct tw_identity *identity, gnutls_session_t session, char *name,
	size_t name_max, time_t *ret_from, char *why, size_t why_max,
	gnutls_alert_description_t *ret_alert);
