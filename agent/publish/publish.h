/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* publish.h: writes the policy for the current ports to the kernel, and puts it in force.
 *
 * How:        a plan has the entry that each port needs. Changed entries are written for the next
 *             epoch, beside those in force. Then the epoch flips, in one word. Ports without gates
 *             (new ones, or unclaimed ones that are now claimed) need no flip: only their entry is
 *             written, and no gate is decided again.
 * Invariants: 1. All or nothing: before the flip nothing changes for a packet, and a failure is
 *                rolled back.
 *             2. No packet is judged by parts of two policies (tests/e2e/swap).
 *             3. A policy equal to the one in force changes nothing in the kernel, so a restarted
 *                agent adopts it without effect on traffic.
 *             4. Entries and images of the previous epoch stay for TW_OLD_EPOCH_NS, for frames
 *                that were judged at their sending end just before the flip.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/publish/applied.h"
#include "agent/publish/draft.h"
#include "agent/publish/prepare.h"
#include "base/err.h"
#include "base/vec.h"
#include "fastpath/abi/types.h"
#include "policy/policy.h"

#define TW_OLD_EPOCH_NS 1000000000u

struct tw_enforcement;
struct tw_agent_port;

/* Reads the state of an earlier agent from the kernel. Called before any port is added. */
int tw_publish_adopt(struct tw_enforcement *enforcement, struct tw_err *err);
/* Drops the images that no entry of either epoch uses. Called after the entries without a port were
 * removed. */
void tw_publish_collect(struct tw_enforcement *enforcement);

/* Puts a draft in force for the current ports, quarantines and learned addresses. tw_draft_read() has
 * filled `applied`; if the draft could be read, tw_prepare_run() has filled `prepared`. Returns 0; -EINVAL
 * if the text is invalid; -ESTALE if another policy took effect
 * since the draft began; -ECANCELED if protected ports would be open and the order does not allow it; another negative
 * errno. `err` is filled on failure. A dry run that would be cancelled returns 0. */
int tw_publish_apply(struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	struct tw_draft *draft, struct tw_preparation *prepared, struct tw_diags *diags,
	struct tw_applied *applied, struct tw_err *err);

/* Updates the kernel after ports changed, according to the policy in force. */
int tw_publish_refresh(struct tw_enforcement *enforcement, struct tw_err *err);
/* Clears the entries of the previous epoch, and ends and extends adoption windows. */
void tw_publish_tick(struct tw_enforcement *enforcement);
