/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* issue.h: makes the slow path's CA, and prints an agent's key and certificate, which the operator
 * copies to its host.
 *
 * Invariants: 1. Existing files are never overwritten: with another CA, every agent would be
 *                refused.
 *             2. Files with keys are created with mode 0600.
 * Caller:     main.c.
 */
#pragma once

#define TW_ISSUE_DAYS 365

/* Makes ca.pem, ca-key.pem and slowd.pem in a directory, or those that are missing. Returns an
 * exit code. */
int tw_issue_init(const char *folder);
/* Prints a key and certificate for an agent, issued by the CA in a directory. Returns an exit
 * code. */
int tw_issue_agent(const char *folder, const char *name);
