/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* staged.h: policy.yaml and rules.json, which are written before a policy takes effect and count after.
 *
 * Invariants: those of store.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "agent/publish/store.h"

struct tw_inforce;
struct tw_slots;

/* Stages a policy and its rules beside the current files. They count once they are kept, or if
 * an agent starts and finds the kernel in that epoch. */
int tw_staged_write(struct tw_store *store, const struct tw_slots *slots,
	const struct tw_inforce *inforce, uint32_t epoch, struct tw_err *err);
/* At the start, with the mark set: keeps the files that an agent staged for this epoch before it
 * died. Drops those staged for another epoch, or for another text than the one whose mark is
 * `in_force` (0: unknown). */
void tw_staged_recover(struct tw_store *store, uint32_t epoch, uint64_t in_force);

/* Returns the mark of the text that rules.json was written with, whatever maps it describes, or
 * 0 if the file is missing or damaged. */
uint64_t tw_staged_mark(struct tw_store *store);

/* The policy in force when an earlier agent ended. */
struct tw_saved_rules {
	char *source; /* freed by the caller */
	uint64_t generation;
	uint64_t since_ns;
};

/* Fills `ret` and `slots`. Returns 0, -ENOENT if nothing matches these maps, or -ENOMEM; on
 * failure `ret` is untouched. */
int tw_staged_load_rules(
	struct tw_store *store, struct tw_slots *slots, struct tw_saved_rules *ret);

/* Origin of the saved policy, whatever maps the other files describe. */
struct tw_saved_given {
	uint64_t mark;		/* tw_loads_mark() of its text; 0: no policy is saved */
	uint64_t file_mark;	/* mark of the --policy file when it took effect; 0: unknown */
	char source[4096 + 16]; /* its source; if unknown, the file in the folder */
};
void tw_staged_load_given(struct tw_store *store, struct tw_saved_given *ret);
