/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t fail_after; /* 0: never */

static bool must_fail(void)
{
	if (!fail_after)
		return false;
	if (fail_after > 1) {
		fail_after--;
		return false;
	}
	return true;
}

void tw_alloc_fail_after(size_t n)
{
	fail_after = n;
}

void *tw_alloc(size_t size)
{
	return must_fail() ? NULL : calloc(1, size ? size : 1);
}

void *tw_realloc(void *old, size_t size)
{
	return must_fail() ? NULL : realloc(old, size ? size : 1);
}

void *tw_alloc_array(size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		return NULL;
	return tw_alloc(count * size);
}

char *tw_strndup(const char *text, size_t len)
{
	char *copy = tw_alloc(len + 1);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

char *tw_strdup(const char *text)
{
	return tw_strndup(text, strlen(text));
}
