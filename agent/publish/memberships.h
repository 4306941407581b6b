/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* memberships.h: which addresses are in which groups, as the kernel has it for either epoch.
 *
 * How:        a flip makes what it writes for the coming epoch's parity the one in force, together with
 *             ports and images; only what differs there is written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "fastpath/kernel/load.h"
#include "policy/policy.h"

struct tw_membership_row {
	struct tw_addr addr;
	struct tw_membership now;
};

struct tw_memberships {
	struct tw_kernel *kernel;
	TW_VEC(struct tw_membership_row) rows; /* all that `members` holds, ascending by address */
};

void tw_memberships_init(struct tw_memberships *m, struct tw_kernel *kernel);
void tw_memberships_done(struct tw_memberships *m);

/* Learns what an earlier agent left. 0 or a negative errno. */
int tw_memberships_adopt(struct tw_memberships *m);
/* Whether an epoch has just these. */
bool tw_memberships_equal(
	const struct tw_memberships *m, const struct tw_members *members, uint32_t epoch);
/* Makes it so. After a failure part of it is written, and known to be. */
int tw_memberships_write(struct tw_memberships *m, const struct tw_members *members, uint32_t epoch,
	struct tw_err *err);
