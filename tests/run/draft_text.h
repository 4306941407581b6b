/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* draft_text.h: reads the notation of frames in tests/case/README.md.
 *
 * What:  "ip / tcp 40000 > 5432 S seq=100 | cut 40" becomes a struct tw_draft; omitted fields
 * follow from the two ends and from the neighbouring layers.
 */
#pragma once

#include "base/err.h"
#include "tests/run/draft.h"

/* Resolves names. `find` stores the end with that name, or returns -ENOENT. */
struct tw_draft_names {
	struct tw_draft_end from;
	struct tw_draft_end to;
	int (*find)(void *arg, const char *name, struct tw_draft_end *ret);
	void *arg;
};

/* Reads the notation. 0; -EINVAL with `err` about the part that could not be read, and *ret
 * unchanged; -ENOMEM. */
int tw_draft_read(const char *text, const struct tw_draft_names *names, struct tw_draft *ret,
	struct tw_err *err);

/* Helpers that the reader of cases also uses; 0 or -EINVAL. */
int tw_word_number(const char *word, uint32_t *ret);
int tw_word_mac(const char *word, uint8_t ret[6]);
/* Decimal seconds, with up to nine digits after the point. */
int tw_word_seconds(const char *word, uint64_t *ret_ns);
/* Removes the next word from *at, with the blanks around it; NULL at the end. */
char *tw_word_next(char **at);
