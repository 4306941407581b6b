/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* staged.h: policy.yaml and rules.json, which are staged before a policy takes effect.
 *
 * Invariants: see store.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "agent/state/store.h"

struct tw_inforce;
struct tw_slots;

/* Stages a policy and its rules beside the current files. They become the current ones by
 * tw_store_keep(), or when an agent starts and finds the kernel in that epoch. */
int tw_staged_write(struct tw_store *store, struct tw_slots *slots,
	const struct tw_inforce *inforce, uint32_t epoch, struct tw_err *err);
/* Handles the files that an agent staged before it died: keeps them if their text is the one whose mark
 * is `in_force` or, if that is 0 (unknown), if they are for this epoch. Drops them otherwise. Ports that
 * changed after the policy took effect may have flipped the epoch again.
 * Called at start, once the mark of the maps is set. */
void tw_staged_recover(struct tw_store *store, uint32_t epoch, uint64_t in_force);

/* Returns the mark of the text for which rules.json was written, even if it describes other maps. 0
 * if the file is missing or damaged. */
uint64_t tw_staged_mark(struct tw_store *store);

/* The policy that was in force when an earlier agent ended. */
struct tw_saved_rules {
	char *source; /* freed by the caller */
	uint64_t generation;
	uint64_t since_ns;
};

/* Fills in `ret` and `slots`. Returns 0, -ENOENT if no file describes these maps, or -ENOMEM. On
 * failure `ret` is unchanged. */
int tw_staged_load_rules(
	struct tw_store *store, struct tw_slots *slots, struct tw_saved_rules *ret);

/* Origin of the saved policy, even if rules.json describes other maps. */
struct tw_saved_given {
	uint64_t mark;		/* tw_policy_text_mark() of its text; 0: no policy is saved */
	uint64_t file_mark;	/* mark of the --policy file when it took effect; 0: unknown */
	char source[4096 + 16]; /* its origin, as given; if unknown, the path in the directory */
};
void tw_staged_load_given(struct tw_store *store, struct tw_saved_given *ret);
