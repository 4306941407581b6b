/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* clean.h: makes text from elsewhere safe to print.
 *
 * Why:        a client chooses a policy's name, and the host's tools name interfaces, in almost any
 *             bytes. A terminal obeys control characters, and a line break forges an
 *             entry of a log.
 * Callers:    all that prints or logs such text; nothing else in the tree does the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Replaces, in place and byte by byte, what is not to be printed: control characters, what is not
 * UTF-8, and characters that turn the direction of writing or end a line. */
void tw_clean(char *text, size_t len);

/* True if there is nothing to replace. */
bool tw_is_clean(const char *text, size_t len);

/* A cleaned copy by value, for use within the expression that made it; a longer text is cut, and ends
 * in "...". */
struct tw_cleaned {
	char text[256];
};

struct tw_cleaned tw_cleaned(const char *text);
