/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* own.h: the slow path's own certificate: read at start, read again when its file changes, renewed by
 * its own CA after two thirds of its validity.
 *
 * Invariants: 1. Connections that exist keep the identity that they began with.
 *             2. A file that cannot be read or written changes nothing: the log shows it, and the
 *                present certificate stays in use.
 *             3. Only a certificate in the same file as its key, issued by the CA in the state
 *                directory, is renewed.
 * Callers:    daemon.c; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "link/identity.h"

#define TW_OWN_LOOK_NS 2000000000u /* between two looks at the file */

struct tw_own {
	struct tw_identity_files files;
	const char *folder; /* directory of the CA */
	struct tw_identity *identity;
	struct stat seen; /* state of the certificate's file when it was read */
	uint64_t next_ns; /* time of the next look */
	time_t renewed;	  /* time of the last attempt to renew; 0: none */
	time_t told;	  /* time of the last warning about an expiry; 0: none */
};

/* Reads the files. `folder` and the paths must outlive `own`. Returns 0 or a negative errno with
 * `err` filled in. */
int tw_own_init(struct tw_own *own, const struct tw_identity_files *files, const char *folder,
	struct tw_err *err);
void tw_own_done(struct tw_own *own);
/* Looks at the file, renews the certificate if it is due, and warns before an expiry. True if
 * own->identity was replaced. Must be called a few times a second. */
bool tw_own_tick(struct tw_own *own);
