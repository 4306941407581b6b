/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* publish.h: brings policy and ports together and makes the result what the kernel enforces.
 *
 * How:        a plan says, for every port, what its entry should be. What differs from the kernel
 *             is written for the coming epoch beside what is in force, then one word flips. Ports
 *             that were not judged by a policy before (new ones, unclaimed ones that are claimed)
 *             need no flip: their entry is written alone, and nobody's gates are decided again.
 * Invariants: 1. All or nothing: until the flip nothing that a packet sees has changed, and a
 *                failure takes back what was written.
 *             2. No packet is judged by parts of two policies (tests/e2e/swap).
 *             3. A policy that equals the one in force changes nothing in the kernel, so that a
 *                restarted agent adopts without a trace.
 *             4. Entries and images of the epoch before stay for a moment (TW_OLD_EPOCH_NS), for
 *                frames that were judged at their near end just before the flip.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/publish/applied.h"
#include "base/err.h"
#include "base/vec.h"
#include "fastpath/abi/types.h"
#include "policy/policy.h"

#define TW_OLD_EPOCH_NS 1000000000u

struct tw_enforcement;
struct tw_agent_port;

/* Learns what an earlier agent left in force. Before any port is met. */
int tw_publish_adopt(struct tw_enforcement *enforcement, struct tw_err *err);
/* After the entries that no port came for were taken down. */
void tw_publish_collect(struct tw_enforcement *enforcement);

/* A policy that is to be put in force. */
struct tw_apply_order {
	const char *text;
	size_t len;
	const char *source;
	bool dry_run;	      /* do everything but take effect */
	bool adopt;	      /* it is enforced already: what cannot be saved is saved later */
	bool allow_unprotect; /* protected ports may come to belong to no workload, and be open */
	uint64_t file_mark;   /* of --policy's file when this was given; 0: as it is now */
	uint64_t since_ns;    /* when it took effect, monotonic; 0: it does now */
};

/* Makes a text the policy in force. 0; -EINVAL (see diags); -ECANCELED if protected ports would be
 * open and the order does not allow it; another negative errno. `err` is filled on failure. A dry
 * run that would be cancelled returns 0. `ret` is always to be given to tw_applied_done(). */
int tw_publish_apply(struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	struct tw_diags *diags, struct tw_applied *ret, struct tw_err *err);

/* Ends what the log and status say of the state folder, if all that was to be written there is. */
void tw_publish_store_works(struct tw_enforcement *enforcement);
/* Saves what is known of ports and images, if it changed since the last time. */
void tw_publish_save(struct tw_enforcement *enforcement);

/* After ports changed: brings the kernel up to what they and the policy in force ask for. */
int tw_publish_refresh(struct tw_enforcement *enforcement, struct tw_err *err);
/* Clears what the epoch before left, ends adoption windows that are over. */
void tw_publish_tick(struct tw_enforcement *enforcement);
