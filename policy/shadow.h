/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* shadow.h: finds rules that earlier rules leave nothing to decide.
 *
 * What:       a rule is looked at end by end: at each end where it is enforced, what it matches is
 *             taken away piece by piece by the earlier rules enforced there. Nothing left at any
 *             end: it is shadowed.
 * Bounds:     exact as long as a rule falls into at most TW_SHADOW_PIECES_MAX pieces; beyond that,
 *             and when all steps together are spent, a rule is taken to be alive. So a warning is
 *             always true; that there is none proves nothing.
 */
#pragma once

#include "policy/model.h"

#define TW_SHADOW_PIECES_MAX 64

struct tw_shadow;

int tw_shadow_new(const struct tw_policy *policy, struct tw_diags *diags, struct tw_shadow **ret);
void tw_shadow_free(struct tw_shadow *shadow); /* NULL is fine */
/* Looks at one rule, and warns when it is shadowed. 0 or -ENOMEM. */
int tw_shadow_check(struct tw_shadow *shadow, size_t rule);
