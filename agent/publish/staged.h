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

/* Writes a policy and its rules beside those that count. They count once they are kept, or when an
 * agent starts and finds the kernel in that epoch. */
int tw_staged_write(struct tw_store *store, const struct tw_slots *slots,
	const struct tw_inforce *inforce, uint32_t epoch, struct tw_err *err);
/* At start, with the mark set: keeps what an agent that died had staged for this epoch, drops what it
 * had staged for another, or for another text than the one whose mark is `in_force` (0: unknown). */
void tw_staged_recover(struct tw_store *store, uint32_t epoch, uint64_t in_force);

/* The mark of the text that rules.json was written with, whatever maps it speaks of; 0: it is not there,
 * or damaged. */
uint64_t tw_staged_mark(struct tw_store *store);

/* What was in force when an earlier agent ended. */
struct tw_saved_rules {
	char *source; /* freed by the caller */
	uint64_t generation;
	uint64_t since_ns;
};

/* Fills `slots` too. -ENOENT when nothing fits these maps, -ENOMEM; `ret` is then untouched. */
int tw_staged_load_rules(
	struct tw_store *store, struct tw_slots *slots, struct tw_saved_rules *ret);

/* Whose the saved policy is, whatever maps the rest speaks of. */
struct tw_saved_given {
	uint64_t mark;	    /* tw_loads_mark() of its text; 0: no policy is saved */
	uint64_t file_mark; /* of the file of --policy when the policy took effect; 0: not known */
	char source[4096 + 16]; /* if nothing says where it is from: the file in the folder */
};
void tw_staged_load_given(struct tw_store *store, struct tw_saved_given *ret);
