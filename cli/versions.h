/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* versions.h: the policies that were in force at an agent.
 *
 * Callers:    policy, diff, rollback, apply.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Reads the number of a version. Prints an error, which says that `list` lists the numbers. Returns an
 * exit code. */
int tw_versions_number(const char *text, const char *name, const char *list, uint64_t *ret);
/* Prints the policies that were in force, the newest first. `limit` 0: all. Returns an exit code. */
int tw_versions_history(const char *socket, uint32_t limit, bool json);
/* Prints which policy is in force, who applied it, and when. Returns an exit code. */
int tw_versions_current(const char *socket, bool json);
/* Gets the text of a policy by its number; 0: of the policy in force. Prints errors, unless the text is
 * `optional`. Returns an exit code. */
int tw_versions_fetch(const char *socket, uint64_t number, bool optional, struct tw_buf *text);
/* Prints the text of a policy, or as JSON all about it. Returns an exit code. */
int tw_versions_show(const char *socket, const char *number, bool json);
/* Finds the policy that was in force before the present one. Prints errors. Returns an exit code. */
int tw_versions_before(const char *socket, uint64_t *ret);
