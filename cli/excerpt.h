/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* excerpt.h: shows the place of a diagnostic in its text, for people. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#define TW_EXCERPT_MARGIN 8 /* characters before the excerpt, for the number of the line */

/* Prints a line of a text, with its number, and below it a caret at a column. Lines and columns count
 * from 1, columns in characters. If a line is longer than `width` characters, prints the part around the
 * column. Control characters are replaced. Prints nothing if the text has no such line. */
void tw_excerpt_print(FILE *out, const char *text, size_t len, unsigned int line,
	unsigned int column, size_t width);
