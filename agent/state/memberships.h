/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* memberships.h: the groups of each address in the kernel, for both epochs.
 *
 * How:        memberships are written for the next epoch, and take effect with ports and images
 *             when the epoch flips. Only differences are written.
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
	TW_VEC(struct tw_membership_row) rows; /* contents of `members`, ascending by address */
};

void tw_memberships_init(struct tw_memberships *m, struct tw_kernel *kernel);
void tw_memberships_done(struct tw_memberships *m);

/* Reads the state of an earlier agent. Returns 0 or a negative errno. */
int tw_memberships_adopt(struct tw_memberships *m);
/* True if an epoch has exactly these members. */
bool tw_memberships_equal(
	const struct tw_memberships *m, const struct tw_members *members, uint32_t epoch);
/* Writes the members of an epoch. After a failure some rows are written, which is recorded. */
int tw_memberships_write(struct tw_memberships *m, const struct tw_members *members, uint32_t epoch,
	struct tw_err *err);
