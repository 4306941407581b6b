/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* store.h: the agent's state directory and its lock.
 *
 * What:       policy.yaml   the policy in force, as it was given
 *             rules.json    rule slots and their names, and the origin of the policy
 *             ports.json    ports, networks, and the MACs learned for them
 *             images.json   keys and sizes of the images in the kernel
 *             leases.json   addresses assigned by DHCP (kept.h); never deleted with the others
 *             confirm.json  the policy to return to while the one in force is not confirmed (confirm.h)
 *             quarantine.json  workloads in quarantine (quarantine.h); never deleted with the others
 *             policies.json policies that were in force (versions.h), with policy-N.yaml, their texts
 *             present.json  which of these files must exist (present.h)
 *             rcu_expedited the host's setting, while the agent attaches programs (fastpath/kernel/expedite.h)
 *             lock          held while an agent runs; has its process id
 *             *.new         staged contents of one of these files
 * Invariants: 1. A file is replaced as a whole (write, fsync, rename, fsync of the directory). The
 *                files of a policy are staged before it takes effect, and synced to disk after.
 *                rules.json.new has the epoch for which it is valid. An agent that starts uses it
 *                if the kernel is in that epoch.
 *             2. The .json files have a version and a checksum. A file that fails the check is not
 *                used, and its contents are restored from the kernel and the policy. The kernel has
 *                the mark of the policy's text, so a policy.yaml with another text is not taken for
 *                the policy in force (tests/e2e/state).
 *             3. The .json files have the mark of the maps that they describe. Files that describe
 *                the maps of another boot are ignored, except leases.json.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define TW_STORE_POLICY	    "policy.yaml"
#define TW_STORE_RULES	    "rules.json"
#define TW_STORE_PORTS	    "ports.json"
#define TW_STORE_IMAGES	    "images.json"
#define TW_STORE_LEASES	    "leases.json"
#define TW_STORE_CONFIRM    "confirm.json"
#define TW_STORE_QUARANTINE "quarantine.json"
#define TW_STORE_VERSIONS   "policies.json"
#define TW_STORE_PRESENT    "present.json"
#define TW_STORE_LOCK	    "lock"
/* Names of the texts of earlier policies. */
#define TW_STORE_VERSION_FORMAT "policy-%u.yaml"
#define TW_STORE_VERSION_FILES	64

struct tw_store;

/* Opens the directory, which is created if it does not exist, and locks it. Returns -EBUSY if
 * another agent has the lock. */
int tw_store_open(const char *path, struct tw_store **ret, struct tw_err *err);
void tw_store_free(struct tw_store *store);
TW_DEFINE_AUTO(tw_store)
/* Deletes the files except leases.json, quarantine.json and present.json, which are kept because guests
 * keep running. If the directory is empty then, deletes it, too. */
void tw_store_remove(struct tw_store *store);

/* Sets the random mark of the kernel's maps, which the .json files must have. */
void tw_store_set_mark(struct tw_store *store, uint32_t mark);
uint32_t tw_store_mark(const struct tw_store *store);
const char *tw_store_path(const struct tw_store *store);
/* Sets `err` to "out of memory" and returns -ENOMEM. */
int tw_store_no_memory(const struct tw_store *store, struct tw_err *err);

/* Reads a whole file, which the caller frees. Returns -ENOENT if there is none. */
int tw_store_read(struct tw_store *store, const char *name, char **ret, size_t *ret_len);
int tw_store_write(
	struct tw_store *store, const char *name, const char *text, size_t len, struct tw_err *err);

/* Deletes a file. Returns 0 even if it does not exist. */
int tw_store_delete(struct tw_store *store, const char *name, struct tw_err *err);

/* Gives a file a second name, which keeps its present contents: files are replaced, never changed in
 * place. A file that has the second name is replaced. Returns 0, or a negative errno with `err` filled. */
int tw_store_link(struct tw_store *store, const char *name, const char *second, struct tw_err *err);

/* True if the file exists. */
bool tw_store_has(const struct tw_store *store, const char *name);
/* Returns the name of a file that another program has deleted or changed since it was last read
 * or written, or NULL. Each is returned once. */
const char *tw_store_find_changed(struct tw_store *store);

/* Returns the name of the staged file for a file. */
#define TW_STORE_STAGED(name) name ".new"

/* Writes a staged file without waiting for the disk. */
int tw_store_stage(
	struct tw_store *store, const char *name, const char *text, size_t len, struct tw_err *err);
/* Opens the staged files of the policy, to be synced in another thread. A missing one is -1. */
#define TW_STORE_N_STAGED 2
void tw_store_open_staged(const struct tw_store *store, int ret_fds[TW_STORE_N_STAGED]);
/* Syncs files to disk and closes them. May be called in any thread. Returns 0 or a negative errno. */
int tw_store_sync(int fds[TW_STORE_N_STAGED]);
/* Syncs the staged files of the policy to disk and renames them into place. May be called again
 * after a failure. */
int tw_store_keep(struct tw_store *store, struct tw_err *err);
void tw_store_unstage(struct tw_store *store);
