/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/style.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
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

size_t tw_style_columns(void)
{
	struct winsize size = {0};

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 ? 0 : size.ws_col;
}

enum tw_style tw_style_of(const char *word)
{
	static const struct {
		const char *word;
		enum tw_style style;
	} words[] = {
		{"allow", TW_STYLE_GOOD},
		{"deny", TW_STYLE_BAD},
		{"reject", TW_STYLE_WARN},
		{"ask", TW_STYLE_WARN},
		{"unprotected", TW_STYLE_DIM},
		{"protected", TW_STYLE_GOOD},
		{"NOT FILTERED", TW_STYLE_BAD},
		{"unclaimed, shut", TW_STYLE_WARN},
		{"shut", TW_STYLE_BAD},
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

struct tw_short tw_human_bytes(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	struct tw_short ret;
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(ret.text, sizeof(ret.text), "%.*f %s", unit && value < 9.95 ? 1 : 0, value,
		units[unit]);
	return ret;
}

struct tw_short tw_human_rate(double rate)
{
	static const char *const units[] = {"", "k", "M", "G", "T"};
	struct tw_short ret = {"0"};
	size_t unit = 0;

	if (!(rate > 0))
		return ret;
	while (rate >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		rate /= 1000;
		unit++;
	}
	snprintf(ret.text, sizeof(ret.text), "%.*f%s", rate < 9.95 ? 1 : 0, rate, units[unit]);
	return ret;
}

struct tw_short tw_human_count(uint64_t count)
{
	struct tw_short ret = {{0}};
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			ret.text[at++] = ',';
		ret.text[at++] = digits[i];
	}
	return ret;
}

struct tw_short tw_human_span(double seconds)
{
	struct tw_short ret;
	unsigned long long s;

	if (!(seconds >= 0))
		snprintf(ret.text, sizeof(ret.text), "never");
	else if (seconds < 9.95)
		snprintf(ret.text, sizeof(ret.text), "%.1fs", seconds);
	else if (seconds >= 1e15)
		snprintf(ret.text, sizeof(ret.text), "ages");
	else if ((s = (unsigned long long)(seconds + 0.5)) < 60)
		snprintf(ret.text, sizeof(ret.text), "%llus", s);
	else if (s < 3600)
		snprintf(ret.text, sizeof(ret.text), "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(ret.text, sizeof(ret.text), "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(ret.text, sizeof(ret.text), "%llud%02lluh", s / 86400, s / 3600 % 24);
	return ret;
}

struct tw_short tw_human_time(double unix_time)
{
	double whole = floor(unix_time);
	int ms = (int)((unix_time - whole) * 1000);
	struct tw_short ret = {"?"};
	struct tm tm;
	time_t t;
	size_t n;

	/* End of the year 9999, the last one with four digits; well inside time_t. */
	if (!(unix_time >= 0 && unix_time < 253402300800.0))
		return ret;
	t = (time_t)whole;
	if (!localtime_r(&t, &tm))
		return ret;
	n = strftime(ret.text, sizeof(ret.text), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(ret.text + n, sizeof(ret.text) - n, ".%03d", ms);
	return ret;
}

struct tw_short tw_human_ms(double milliseconds)
{
	struct tw_short ret;
	int digits = milliseconds < 0.995 ? 2 : milliseconds < 99.5 ? 1 : 0;

	snprintf(ret.text, sizeof(ret.text), "%.*f ms", digits, milliseconds);
	return ret;
}
