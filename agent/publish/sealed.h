/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sealed.h: the .json files of the state folder, each with a version and a checksum.
 *
 * Why:        A file that is truncated, changed by another program or written by another version
 *             must not be used.
 * Invariants: 1. A file is used only if it is byte for byte what an agent of this version wrote.
 *             2. It has the mark of the kernel's maps, which end with the boot. Callers choose
 *                whether the mark must match.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "agent/publish/store.h"
#include "base/buf.h"
#include "base/err.h"

/* Appends an object with its checksum to `out`. `body` are its members, from the first on, with the closing
 * brace. */
void tw_sealed_add(struct tw_buf *out, const char *body, size_t len);
/* Returns the members of `root` with the mark, and the closing brace; NULL if memory runs out. Takes `root`
 * over. The caller frees the text. */
char *tw_sealed_members(const struct tw_store *store, json_t *root);
/* Writes a file; takes `root` over, which may be NULL for want of memory. 0 or negative errno. */
int tw_sealed_write(struct tw_store *store, const char *name, json_t *root, struct tw_err *err);
/* Returns the contents of a file, whatever maps it describes. Returns NULL if it does not exist,
 * or if it was changed, which is logged. The caller drops the reference. */
json_t *tw_sealed_read_any(struct tw_store *store, const char *name);
/* Like tw_sealed_read_any(), but returns NULL also if the file describes other maps. */
json_t *tw_sealed_read(struct tw_store *store, const char *name);
