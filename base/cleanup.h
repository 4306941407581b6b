/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* cleanup.h: resources that free themselves at the end of their scope.
 *
 *	tw_autofree char *text = NULL;      freed with free()
 *	tw_autofd int fd = -1;              closed when >= 0
 *	tw_auto(tw_policy) struct tw_policy *p = NULL;   freed with tw_policy_free(), if
 *	                                    its header has TW_DEFINE_AUTO(tw_policy)
 *	*ret = TW_TAKE_PTR(text);           passes ownership on; the scope no longer frees it
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define tw_autofree   __attribute__((cleanup(tw_cleanup_free)))
#define tw_autofd     __attribute__((cleanup(tw_cleanup_fd)))
#define tw_autofile   __attribute__((cleanup(tw_cleanup_file)))
#define tw_auto(name) __attribute__((cleanup(name##_cleanup)))

#define TW_TAKE_PTR(pointer)                       \
	({                                         \
		__auto_type tw_taken_ = (pointer); \
		(pointer) = NULL;                  \
		tw_taken_;                         \
	})
#define TW_TAKE_FD(fd)                \
	({                            \
		int tw_taken_ = (fd); \
		(fd) = -1;            \
		tw_taken_;            \
	})

#define TW_DEFINE_AUTO(name)                                     \
	static inline void name##_cleanup(struct name **pointer) \
	{                                                        \
		name##_free(*pointer);                           \
	}

static inline void tw_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void tw_cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void tw_cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}
