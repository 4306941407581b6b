/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* alloc.h: memory allocation in user space; a test can make each call fail.
 *
 * tw_alloc_fail_after(n): the n-th allocation from now on (1 = the next) and all later ones
 * return NULL; 0 turns failures off. Tests increase n until the call under test succeeds.
 */
#pragma once

#include <stddef.h>

void *tw_alloc(size_t size);			 /* zeroed; NULL if out of memory */
void *tw_realloc(void *old, size_t size);	 /* as realloc(); `old` is kept on failure */
void *tw_alloc_array(size_t count, size_t size); /* zeroed; NULL also if count * size overflows */
char *tw_strdup(const char *text);
char *tw_strndup(const char *text, size_t len);

void tw_alloc_fail_after(size_t n);
