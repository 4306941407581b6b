/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* enroll.h: issues certificates over the link, to hosts with a token and agents that renew theirs.
 *
 * Why:        the host makes the key, and only a request for the certificate leaves it. Nothing but
 *             the public key is taken from the request (ca.h). Name and role come from the token.
 *             Only an agent renews: the name comes from its present certificate, and the new one
 *             is an agent's.
 * Invariants: 1. A token is spent before its certificate is sent.
 *             2. A name that was revoked after the token was made, or after the present certificate
 *                became valid, gets no certificate.
 * Callers:    agents.c, daemon.c; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "link/link.h"
#include "link/stream.h"
#include "slowpath/revoked.h"
#include "slowpath/tokens.h"

struct tw_enroll {
	const char *folder; /* directory of the CA */
	uint32_t life_s;    /* validity of the certificates */
	struct tw_revoked *revoked;
	struct tw_tokens tokens;
};

/* `folder` and `revoked` must outlive `enroll`. Returns 0 or -ENAMETOOLONG. */
int tw_enroll_init(
	struct tw_enroll *enroll, const char *folder, uint32_t life_s, struct tw_revoked *revoked);
void tw_enroll_done(struct tw_enroll *enroll);
/* True if any token is valid now, so that peers without a certificate may connect. `arg` is a struct
 * tw_enroll. */
bool tw_enroll_is_open(void *arg);
/* Answers an EnrollRequest or a RenewRequest that came on a stream. *ret_until is the end of the
 * certificate's validity, or 0 if the request was refused. Returns 0, or a negative errno if the
 * connection must be closed. */
int tw_enroll_answer(struct tw_enroll *enroll, const struct tw_stream *stream,
	const Tapwall__V1__Request *request, struct tw_buf *out, time_t *ret_until);
