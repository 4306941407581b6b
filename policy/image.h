/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* image.h: one dimension of an image, worked out but not yet laid out; for compile.c alone.
 *
 * In:         for each entry, its set in this dimension.
 * Out:        keys that cut the dimension into intervals, the class of each interval, and the bit
 *             vector of each class. Neighbouring intervals of one class are one interval.
 * How:        a sweep over the bounds of the distinct sets keeps a bit vector over *sets*, which are
 *             few; only a class that was not met before is spelled out over entries.
 */
#pragma once

#include "policy/set.h"

struct tw_dimension {
	TW_VEC(tw_u128) keys;
	TW_VEC(uint32_t) classes; /* one a key */
	TW_VEC(uint64_t) vectors; /* words_per_vector a class */
	size_t n_classes;
};

/* `sets[i]` is entry i's; `n_ids` is above all their ids; vectors have `n_words` words. 0; -E2BIG
 * when there are more keys than an image takes, or more than `max_words` words of vectors;
 * -ENOMEM. `dimension` comes in empty, and must be done() either way. */
int tw_dimension_build(struct tw_dimension *dimension, const struct tw_set *const *sets, size_t n,
	size_t n_ids, size_t n_words, size_t max_words);
void tw_dimension_done(struct tw_dimension *dimension);
