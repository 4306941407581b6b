/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* style.h: how output looks: colours, glyphs and units.
 *
 * Colours are written only to a terminal, and not when NO_COLOR is set. Glyphs beyond ASCII only
 * where the locale is UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tw_style {
	TW_STYLE_PLAIN,
	TW_STYLE_STRONG, /* headings, what the line is about */
	TW_STYLE_DIM,	 /* what may be overlooked */
	TW_STYLE_GOOD,	 /* allowed, fine */
	TW_STYLE_BAD,	 /* denied, wrong */
	TW_STYLE_WARN,	 /* rejected, worth a look */
	TW_STYLE_NAME,	 /* names a person gave: workloads, rules */
	TW_STYLE__MAX
};

enum tw_glyph { TW_GLYPH_ARROW, TW_GLYPH_YES, TW_GLYPH_NO, TW_GLYPH_DOT, TW_GLYPH__MAX };

/* Looks at stdout, the environment and the locale. Before it is called everything is plain. */
void tw_style_init(void);

/* The escape sequence that starts a style, or ends any; "" when there are no colours. */
const char *tw_style_on(enum tw_style style);
const char *tw_style_off(void);
const char *tw_glyph(enum tw_glyph glyph);

/* Columns of the terminal; 0 when stdout is none. */
size_t tw_style_columns(void);

/* The style of a verdict, port state or event by its name. */
enum tw_style tw_style_of(const char *word);

/* The state of a port in words: `state` as the agent names it; `open`: unclaimed, and not filtered. */
const char *tw_style_state(const char *state, bool open);

/* Columns that `len` bytes take on a terminal. */
size_t tw_style_width(const char *text, size_t len);

/* Prints a text, cleaned in place, and blanks up to `width` columns and two more: for lines that come
 * one by one, where no sheet can be laid out. */
void tw_style_put(enum tw_style style, char *text, size_t width);

/* A short text by value: use it within the expression that made it. */
struct tw_short {
	char text[40];
};

struct tw_short tw_human_bytes(uint64_t bytes);	  /* 812 B, 3.1 KiB, 45 MiB */
struct tw_short tw_human_rate(double rate);	  /* 0, 0.3, 42, 1.2k, 45k, 1.3M */
struct tw_short tw_human_count(uint64_t count);	  /* 1,234,567 */
struct tw_short tw_human_span(double seconds);	  /* 0.4s, 12s, 3m05s, 2h14m, 5d03h; < 0: never */
struct tw_short tw_human_time(double unix_time);  /* local time, to the millisecond */
struct tw_short tw_human_ms(double milliseconds); /* 0.42 ms, 3.1 ms, 120 ms */
