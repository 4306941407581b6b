/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* issue.h: certificates by hand: makes the slow path's CA, and prints an agent's key and certificate, which the
 * operator carries to its host.
 *
 * Invariants: 1. Nothing that exists is overwritten: another CA would shut every agent out.
 *             2. Files with keys are their owner's alone from the instant they exist.
 * Caller:     main.c.
 */
#pragma once

#define TW_ISSUE_DAYS 365

/* Makes ca.pem, ca-key.pem and slowd.pem in a folder, or those that are missing. Returns an exit code. */
int tw_issue_init(const char *folder);
/* Prints the key and the certificate of an agent, by the CA in a folder. Returns an exit code. */
int tw_issue_agent(const char *folder, const char *name);
