/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sealed.h: the .json files of the state directory, each with a version and a checksum.
 *
 * Why:        a file that is truncated, changed by another program or written by another version
 *             must not be used.
 * Invariants: 1. A file is used only if it is byte for byte what an agent of this version wrote.
 *             2. It has the mark of the kernel's maps, which end with the boot. Callers choose
 *                whether the mark must match.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "agent/state/store.h"
#include "base/buf.h"
#include "base/err.h"

/* Appends an object with its checksum to `out`. `body` has its members and the closing brace. */
void tw_sealed_add(struct tw_buf *out, const char *body, size_t len);
/* Returns the members of `root`, with the mark of the maps and the closing brace, or NULL if memory
 * runs out. Takes `root` over. The caller frees the text. */
char *tw_sealed_members(const struct tw_store *store, json_t *root);
/* Writes a file. Takes `root` over, which may be NULL if memory ran out. Returns 0 or a negative
 * errno. */
int tw_sealed_write(struct tw_store *store, const char *name, json_t *root, struct tw_err *err);
/* Returns the contents of a file that describes any maps. NULL if it does not exist, or if it was
 * changed, which is logged. The caller drops the reference. */
json_t *tw_sealed_read_any(struct tw_store *store, const char *name);
/* Returns the contents of a file that describes the current maps, like tw_sealed_read_any();
 * otherwise NULL. */
json_t *tw_sealed_read(struct tw_store *store, const char *name);
