/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sharing.h: finds CIDRs in `addresses` through which guests can use each other's addresses. */
#pragma once

#include "policy/model.h"

/* Warns of each CIDR that several workloads have, or that contains addresses of other workloads.
 * Returns 0 or -ENOMEM. */
int tw_sharing_check(const struct tw_policy *policy, struct tw_diags *diags);
