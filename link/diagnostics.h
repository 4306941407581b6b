/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* diagnostics.h: what the reader of policies says about a text, as rows of a response.
 *
 * Callers:    agent/answer/apply.c, slowpath/policies/answers.c.
 */
#pragma once

#include "base/cleanup.h"
#include "link/link.h"
#include "policy/policy.h"

#define TW_DIAGNOSTICS_MAX 1000 /* rows of one response; the rest is left out */

struct tw_diagnostics;

/* Adds the rows to a response. They point to the strings of `diags`. `ret` owns the rows, and must outlive the
 * response; it is unchanged on failure. 0 or -ENOMEM. */
int tw_diagnostics_fill(
	const struct tw_diags *diags, Tapwall__V1__Response *response, struct tw_diagnostics **ret);
void tw_diagnostics_free(struct tw_diagnostics *rows); /* NULL is fine */
TW_DEFINE_AUTO(tw_diagnostics)
