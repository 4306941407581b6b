/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* issue.h: makes the slow path's CA, and prints the key and certificate of an agent or a decider, which
 * the operator copies to its host.
 *
 * Invariants: 1. Existing files are never overwritten: with another CA, every agent would be
 *                refused.
 *             2. Files with keys are created with mode 0600.
 * Callers:    main.c, enroll.c, tokens.c, own.c.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "slowpath/ca.h"

#define TW_ISSUE_OWN_DAYS  365 /* validity of the slow path's own certificate */
#define TW_ISSUE_NAME_HINT "use letters, digits, dots, hyphens and underscores, at most 64"

/* Makes ca.pem, ca-key.pem and slowd.pem in a directory, or those that are missing. Returns an
 * exit code. */
int tw_issue_init(const char *folder);
/* Prints a key and certificate for an agent or a decider, issued by the CA in a directory and valid for
 * `life_s` seconds. Returns an exit code. */
int tw_issue_client(
	const char *folder, const char *name, enum tw_identity_side side, uint32_t life_s);
/* Reads the CA in a directory. The caller frees *ret. Returns 0 or a negative errno with `err`
 * filled in. */
int tw_issue_ca(const char *folder, struct tw_ca **ret, struct tw_err *err);
/* Appends a new key and certificate for the slow path itself, if the CA in a directory is the one in
 * the file `ca` and is valid beyond `until`. Returns 0 or a negative errno with `err` filled in. */
int tw_issue_own(
	const char *folder, const char *ca, time_t until, struct tw_buf *pem, struct tw_err *err);
/* Sets `print` to the SHA-256 of the certificate of the CA in a directory. Returns 0 or a negative
 * errno with `err` filled in. */
int tw_issue_print(const char *folder, unsigned char print[TW_IDENTITY_PRINT], struct tw_err *err);
