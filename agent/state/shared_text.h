/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* shared_text.h: the text of a policy, reference-counted.
 *
 * Why:        a text may have 64 MiB. A policy, its copies with learned addresses, and the stored
 *             policy to return to have the same text.
 * Invariants: a text never changes. Any thread may take and release references.
 * Callers:    the agent's loop, and the thread that reads and prepares policies.
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"

struct tw_shared_text {
	_Atomic unsigned int refs;
	size_t len;
	char bytes[]; /* `len` bytes and a NUL */
};

/* Copies a text. Returns NULL if memory runs out. */
struct tw_shared_text *tw_shared_text_new(const char *text, size_t len);
struct tw_shared_text *tw_shared_text_ref(struct tw_shared_text *text);
void tw_shared_text_free(struct tw_shared_text *text); /* releases one reference; NULL is fine */
TW_DEFINE_AUTO(tw_shared_text)
