/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* style.h: colours and glyphs of the output.
 *
 * Colours are written only to a terminal, and only if NO_COLOR is not set. Glyphs beyond ASCII
 * are used only in a UTF-8 locale.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tw_style {
	TW_STYLE_PLAIN,
	TW_STYLE_STRONG, /* headings, the subject of a line */
	TW_STYLE_DIM,	 /* details */
	TW_STYLE_GOOD,	 /* allowed, fine */
	TW_STYLE_BAD,	 /* denied, wrong */
	TW_STYLE_WARN,	 /* rejected, or needs attention */
	TW_STYLE_NAME,	 /* names from the policy: workloads, rules */
	TW_STYLE__MAX
};

enum tw_glyph { TW_GLYPH_ARROW, TW_GLYPH_YES, TW_GLYPH_NO, TW_GLYPH_DOT, TW_GLYPH__MAX };

/* Reads stdout, the environment and the locale. Before this call all output is plain. */
void tw_style_init(void);

/* Return the escape sequence that starts a style or ends any style; "" without colours. */
const char *tw_style_on(enum tw_style style);
const char *tw_style_off(void);
const char *tw_glyph(enum tw_glyph glyph);

/* Returns the columns of the terminal behind a file descriptor, or 0 if it is not a terminal. */
size_t tw_style_columns(int fd);

/* Returns the style of a verdict, port state or event, given its name. */
enum tw_style tw_style_of(const char *word);

/* Returns the state of a port as text. `state` is the agent's name for it. `open` is true for an
 * unclaimed port that is not filtered. */
const char *tw_style_state(const char *state, bool open);

/* Returns the columns that `len` bytes take on a terminal. */
size_t tw_style_width(const char *text, size_t len);

/* Cleans a text in place and prints it, padded to `width` columns plus two. For output line by
 * line, where no sheet can be laid out. */
void tw_style_put(enum tw_style style, char *text, size_t width);
