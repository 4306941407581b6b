/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/style.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clean.h"

static bool use_color;
static bool use_utf8;

/* SGR sequences, ECMA-48 §8.3.117. Only the colours that every terminal theme defines. */
static const char *const style_codes[] = {
	[TW_STYLE_PLAIN] = "",
	[TW_STYLE_STRONG] = "\033[1m",
	[TW_STYLE_DIM] = "\033[2m",
	[TW_STYLE_GOOD] = "\033[32m",
	[TW_STYLE_BAD] = "\033[31m",
	[TW_STYLE_WARN] = "\033[33m",
	[TW_STYLE_NAME] = "\033[36m",
};

static const struct {
	const char *ascii;
	const char *utf8;
} glyphs[] = {
	[TW_GLYPH_ARROW] = {"->", "→"},
	[TW_GLYPH_YES] = {"+", "✓"},
	[TW_GLYPH_NO] = {"x", "✗"},
	[TW_GLYPH_DOT] = {"-", "·"},
};

_Static_assert(sizeof(style_codes) / sizeof(style_codes[0]) == TW_STYLE__MAX, "every style");
_Static_assert(sizeof(glyphs) / sizeof(glyphs[0]) == TW_GLYPH__MAX, "every glyph");

void tw_style_init(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	use_utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	use_color = isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && term &&
		    strcmp(term, "dumb") != 0;
}

const char *tw_style_on(enum tw_style style)
{
	return use_color ? style_codes[style] : "";
}

const char *tw_style_off(void)
{
	return use_color ? "\033[0m" : "";
}

const char *tw_glyph(enum tw_glyph glyph)
{
	return use_utf8 ? glyphs[glyph].utf8 : glyphs[glyph].ascii;
}

size_t tw_style_columns(int fd)
{
	struct winsize size = {0};

	return ioctl(fd, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

enum tw_style tw_style_of(const char *word)
{
	static const struct {
		const char *word;
		enum tw_style style;
	} words[] = {
		{"allow", TW_STYLE_GOOD},
		{"deny", TW_STYLE_BAD},
		{"would-deny", TW_STYLE_WARN},
		{"reject", TW_STYLE_WARN},
		{"ask", TW_STYLE_WARN},
		{"unprotected", TW_STYLE_DIM},
		{"protected", TW_STYLE_GOOD},
		{"NOT FILTERED", TW_STYLE_BAD},
		{"unclaimed, shut", TW_STYLE_WARN},
		{"shut", TW_STYLE_BAD},
		{"quarantined", TW_STYLE_BAD},
		{"observed", TW_STYLE_WARN},
		{"unfiltered", TW_STYLE_BAD},
		{"open", TW_STYLE_GOOD},
		{"close", TW_STYLE_DIM},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].word, word))
			return words[i].style;
	return TW_STYLE_PLAIN;
}

const char *tw_style_state(const char *state, bool open)
{
	return open ? "NOT FILTERED" : strcmp(state, "unclaimed") ? state : "unclaimed, shut";
}

size_t tw_style_width(const char *text, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

void tw_style_put(enum tw_style style, char *text, size_t width)
{
	size_t taken = tw_style_width(text, strlen(text));

	tw_clean(text, strlen(text));
	printf("%s%s%s%*s  ", tw_style_on(style), text, tw_style_off(),
		(int)(taken < width ? width - taken : 0), "");
}
