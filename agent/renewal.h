/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* renewal.h: renews this host's certificate over its connection to the slow path.
 *
 * How:        after two thirds of the certificate's validity, and up to a twentieth more at random,
 *             so that not all agents come at once. Each renewal makes a new key. The file with key and
 *             certificate is replaced as a whole; until then, the old certificate stays in use.
 * Invariants: 1. Only a certificate for the new key, of the same name, issued by the configured CA
 *                and valid for longer than the present one, replaces the file.
 *             2. A failure changes nothing: `status` and the log show it, and the agent tries again.
 * Bounds:     one request at a time. After a failure, the time until the next attempt doubles from
 *             TW_RENEWAL_MIN_NS to a hundredth of the validity, at most TW_RENEWAL_MAX_NS.
 * Callers:    dial.c (one thread).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "link/identity.h"
#include "link/peer.h"

#define TW_RENEWAL_MIN_NS 15000000000u
#define TW_RENEWAL_MAX_NS 3600000000000u
#define TW_RENEWAL_WARN_NS \
	60000000000u /* no warning before the first attempt had time to succeed */

struct tw_renewal {
	struct tw_identity_files files;
	time_t from; /* validity of the certificate in the file; 0: there is none */
	time_t until;
	time_t due;		       /* time of the renewal */
	char name[TW_STREAM_PEER_MAX]; /* name in the certificate; empty: none */
	uint64_t next_ns;	       /* no request before this time */
	uint64_t again_ns; /* time from the last attempt to the next; 0: no attempt yet */
	uint64_t set_ns;   /* time when the certificate was read */
	time_t told;	   /* time of the last warning about the certificate's end; 0: none */
	bool asking;
	struct tw_buf key;	   /* key of the request under way */
	char why[TW_ERR_TEXT_MAX]; /* why the last renewal failed; empty: it did not */
};

/* The paths in `files` must outlive `renewal`. */
void tw_renewal_init(struct tw_renewal *renewal, const struct tw_identity_files *files);
void tw_renewal_done(struct tw_renewal *renewal);
/* Takes the validity of the certificate that was read from the file. */
void tw_renewal_set(struct tw_renewal *renewal, const struct tw_identity *identity);
/* Renews the certificate if it is due, and warns if it expires soon. `peer` is NULL while there is
 * no connection. Must be called a few times a second. */
void tw_renewal_tick(struct tw_renewal *renewal, struct tw_peer *peer);
