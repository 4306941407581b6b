/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* vec.h: a growing array of any one type.
 *
 *	TW_VEC(struct tw_rule) rules = {0};
 *	if (tw_vec_push(&rules, rule) < 0) return -ENOMEM;
 *	tw_vec_foreach(&rules, r) use(r->name);      r points into the array
 *	tw_vec_done(&rules);                         frees the array, not what it points to
 */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define TW_VEC(type)        \
	struct {            \
		type *at;   \
		size_t n;   \
		size_t max; \
	}

#define tw_vec_push(vec, item)                                                               \
	({                                                                                   \
		int tw_err_ = tw_vec_reserve_(                                               \
			(void **)&(vec)->at, &(vec)->max, (vec)->n + 1, sizeof(*(vec)->at)); \
		if (!tw_err_)                                                                \
			(vec)->at[(vec)->n++] = (item);                                      \
		tw_err_;                                                                     \
	})

#define tw_vec_foreach(vec, item)                                                               \
	for (__typeof__(*(vec)->at) *item = (vec)->at; (vec)->n && item < (vec)->at + (vec)->n; \
		item++)

#define tw_vec_done(vec)                   \
	do {                               \
		free((vec)->at);           \
		(vec)->at = NULL;          \
		(vec)->n = (vec)->max = 0; \
	} while (0)

/* Makes room for `n` items. Returns 0, or -ENOMEM with the vector unchanged. */
int tw_vec_reserve_(void **at, size_t *max, size_t n, size_t size);
