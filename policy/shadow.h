/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* shadow.h: finds rules that are shadowed by earlier rules.
 *
 * What:       at each end where a rule is enforced, the earlier rules enforced there are subtracted
 *             from it piece by piece. If nothing is left at any end, the rule is shadowed.
 * Bounds:     exact for rules with at most TW_SHADOW_PIECES_MAX pieces. Beyond that, and after
 *             the limit of steps, a rule counts as not shadowed. So a warning is always true,
 *             but some may be missing.
 */
#pragma once

#include "policy/model.h"

#define TW_SHADOW_PIECES_MAX 64

struct tw_shadow;

int tw_shadow_new(const struct tw_policy *policy, struct tw_diags *diags, struct tw_shadow **ret);
void tw_shadow_free(struct tw_shadow *shadow); /* NULL is fine */
/* Warns if the rule is shadowed. Returns 0 or -ENOMEM. */
int tw_shadow_check(struct tw_shadow *shadow, size_t rule);
