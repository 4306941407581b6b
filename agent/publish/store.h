/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* store.h: what the agent keeps in its state folder, and the lock on it.
 *
 * What:       policy.yaml   the policy in force, as it was given
 *             rules.json    rule slots and their names, where the policy came from
 *             ports.json    ports, networks and what was learned of them
 *             images.json   what the images in the kernel are, for they are not read back
 *             leases.json   what DHCP gave to guests (kept.h); stays when all else is deleted
 *             lock          held while an agent runs, with its process id
 *             *.new         what is about to take the place of one of these
 * Invariants: 1. A file is replaced whole (write, fsync, rename, fsync of the folder), never
 *                half written. What goes with a policy that takes effect is written before it does,
 *                and waited for on its way to the disk only after: rules.json.new says in which epoch
 *                it counts, and an agent that starts asks the kernel whether that has come.
 *             2. The .json files carry a version and a checksum: one that is not what was written is
 *                not believed. What it said is rebuilt from the kernel and the policy. The kernel
 *                keeps the mark of the policy's text: a policy.yaml of another text is not taken
 *                for the one in force (tests/e2e/state).
 *             3. The .json files carry the mark of the maps they speak of: those of
 *                another boot are ignored.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/publish/inforce.h"
#include "agent/publish/slots.h"
#include "base/cleanup.h"
#include "base/err.h"

#define TW_STORE_POLICY "policy.yaml"
#define TW_STORE_RULES	"rules.json"
#define TW_STORE_PORTS	"ports.json"
#define TW_STORE_IMAGES "images.json"
#define TW_STORE_LEASES "leases.json"
#define TW_STORE_LOCK	"lock"

struct tw_store;

/* Opens the folder, made if absent, and takes the lock: -EBUSY when an agent has it. */
int tw_store_open(const char *path, struct tw_store **ret, struct tw_err *err);
void tw_store_free(struct tw_store *store);
TW_DEFINE_AUTO(tw_store)
/* Deletes all the files but leases.json, since guests run on; and the folder if nothing else is in it. */
void tw_store_remove(struct tw_store *store);

/* The random mark of the kernel's maps, by which the .json files are known. */
void tw_store_set_mark(struct tw_store *store, uint32_t mark);
uint32_t tw_store_mark(const struct tw_store *store);
const char *tw_store_path(const struct tw_store *store);
/* Sets `err` to -ENOMEM, and returns it. */
int tw_store_no_memory(const struct tw_store *store, struct tw_err *err);

/* A whole file; the caller frees it. -ENOENT when there is none. */
int tw_store_read(struct tw_store *store, const char *name, char **ret, size_t *ret_len);
int tw_store_write(
	struct tw_store *store, const char *name, const char *text, size_t len, struct tw_err *err);

/* 0 also if there is no such file. */
int tw_store_delete(struct tw_store *store, const char *name, struct tw_err *err);

/* Returns whether a file is there. */
bool tw_store_has(const struct tw_store *store, const char *name);
/* Returns the name of a file that is not the one that was read or written last: it was deleted or changed
 * by another program. NULL: there is none. Each is named once. */
const char *tw_store_find_changed(struct tw_store *store);

/* Writes a policy and its rules beside those that count. They count once they are kept, or when an
 * agent starts and finds the kernel in that epoch. */
int tw_store_stage(struct tw_store *store, const struct tw_slots *slots,
	const struct tw_inforce *inforce, uint32_t epoch, struct tw_err *err);
/* When it fails it may be tried again. */
int tw_store_keep(struct tw_store *store, struct tw_err *err);
void tw_store_unstage(struct tw_store *store);
/* At start, with the mark set: keeps what an agent that died had staged for this epoch, drops what it
 * had staged for another, or for another text than the one whose mark is `in_force` (0: unknown). */
void tw_store_recover(struct tw_store *store, uint32_t epoch, uint64_t in_force);

/* The mark of the text that rules.json was written with, whatever maps it speaks of; 0: it is not there,
 * or damaged. */
uint64_t tw_store_saved_mark(struct tw_store *store);

/* What was in force when an earlier agent ended. */
struct tw_saved_rules {
	char *source; /* freed by the caller */
	uint64_t generation;
	uint64_t since_ns;
};

/* Fills `slots` too. -ENOENT when nothing fits these maps, -ENOMEM; `ret` is then untouched. */
int tw_store_load_rules(struct tw_store *store, struct tw_slots *slots, struct tw_saved_rules *ret);

/* Whose the saved policy is, whatever maps the rest speaks of. */
struct tw_store_given {
	uint64_t mark;	    /* tw_loads_mark() of its text; 0: no policy is saved */
	uint64_t file_mark; /* of the file of --policy when the policy took effect; 0: not known */
	char source[4096 + 16]; /* if nothing says where it is from: the file in the folder */
};
void tw_store_load_given(struct tw_store *store, struct tw_store_given *ret);
