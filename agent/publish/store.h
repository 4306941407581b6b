/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* store.h: the agent's state folder and its lock.
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
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define TW_STORE_POLICY "policy.yaml"
#define TW_STORE_RULES	"rules.json"
#define TW_STORE_PORTS	"ports.json"
#define TW_STORE_IMAGES "images.json"
#define TW_STORE_LEASES "leases.json"
#define TW_STORE_LOCK	"lock"

struct tw_store;

/* Opens the folder, which is made if absent, and locks it. Returns -EBUSY if another agent has
 * the lock. */
int tw_store_open(const char *path, struct tw_store **ret, struct tw_err *err);
void tw_store_free(struct tw_store *store);
TW_DEFINE_AUTO(tw_store)
/* Deletes all files except leases.json, because guests run on; and the folder if it is then
 * empty. */
void tw_store_remove(struct tw_store *store);

/* Sets the random mark of the kernel's maps, by which the .json files are recognized. */
void tw_store_set_mark(struct tw_store *store, uint32_t mark);
uint32_t tw_store_mark(const struct tw_store *store);
const char *tw_store_path(const struct tw_store *store);
/* Sets `err` to "out of memory" and returns -ENOMEM. */
int tw_store_no_memory(const struct tw_store *store, struct tw_err *err);

/* Reads a whole file, which the caller frees. Returns -ENOENT if there is none. */
int tw_store_read(struct tw_store *store, const char *name, char **ret, size_t *ret_len);
int tw_store_write(
	struct tw_store *store, const char *name, const char *text, size_t len, struct tw_err *err);

/* Deletes a file. Returns 0 also if it does not exist. */
int tw_store_delete(struct tw_store *store, const char *name, struct tw_err *err);

/* True if the file exists. */
bool tw_store_has(const struct tw_store *store, const char *name);
/* Returns the name of a file that another program has deleted or changed since it was last read
 * or written, or NULL. Each is returned once. */
const char *tw_store_find_changed(struct tw_store *store);

/* The name of what is staged for a file. */
#define TW_STORE_STAGED(name) name ".new"

/* Writes a file beside the one of that name; the disk need not have it yet. */
int tw_store_stage(
	struct tw_store *store, const char *name, const char *text, size_t len, struct tw_err *err);
/* Brings what is staged of policy and rules to the disk, and in its place. If it fails it may be tried again. */
int tw_store_keep(struct tw_store *store, struct tw_err *err);
void tw_store_unstage(struct tw_store *store);
