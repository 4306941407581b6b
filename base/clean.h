/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* clean.h: makes untrusted text safe to print.
 *
 * Why:        clients name policies, and host tools name interfaces, with almost any bytes.
 *             Terminals obey control characters, and a line break forges a log entry.
 * Callers:    all code that prints or logs such text. No other code cleans text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Replaces, in place, each byte of invalid UTF-8, of a control character, and of a character that ends
 * a line or changes the direction of writing. */
void tw_clean(char *text, size_t len);

/* Returns the length to which a text is cut: at most `max` bytes, without splitting a UTF-8 character. */
size_t tw_clean_cut(const char *text, size_t max);

/* True if the text has nothing to replace. */
bool tw_clean_check(const char *text, size_t len);

/* A cleaned copy by value, valid within the expression that made it. A longer text is cut and
 * ends in "...". */
struct tw_cleaned {
	char text[256];
};

struct tw_cleaned tw_cleaned(const char *text);
