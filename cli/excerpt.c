/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/excerpt.h"

#include <stdbool.h>
#include <string.h>

#include "base/clean.h"

#define WIDTH_MAX 256 /* limit of the characters shown */

/* True for the first byte of a UTF-8 character. */
static bool begins(char byte)
{
	return ((unsigned char)byte & 0xc0) != 0x80;
}

/* Returns the offset of the character after the first `n`. */
static size_t skip(const char *text, size_t len, size_t n)
{
	size_t at = 0;

	while (at < len && (n || !begins(text[at])))
		n -= begins(text[at++]);
	return at;
}

static bool find_line(const char **text, size_t *len, unsigned int line)
{
	const char *at = *text, *end = *text + *len, *newline = NULL;

	for (; line > 1; line--) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return false;
		at++;
	}
	if (at == end)
		return false;
	newline = memchr(at, '\n', (size_t)(end - at));
	*text = at;
	*len = (size_t)((newline ? newline : end) - at);
	return true;
}

void tw_excerpt_print(FILE *out, const char *text, size_t len, unsigned int line,
	unsigned int column, size_t width)
{
	size_t from = 0, last = column ? column - 1 : 0, shown;
	char part[4 * WIDTH_MAX];

	if (!line || !len || !find_line(&text, &len, line))
		return;
	/* A byte order mark takes no column. */
	if (line == 1 && len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		text += 3;
		len -= 3;
	}
	width = width && width < WIDTH_MAX ? width : WIDTH_MAX;
	/* A third of the width stays for what follows the place. */
	if (last >= width - width / 3)
		from = last - (width - width / 3) + 1;
	shown = skip(text, len, from);
	text += shown;
	len -= shown;
	len = skip(text, len, width);
	len = len < sizeof(part) ? len : sizeof(part);
	memcpy(part, text, len);
	while (len && part[len - 1] == ' ')
		len--;
	tw_clean(part, len);
	fprintf(out, "%5u | %.*s\n      | %*s^\n", line, (int)len, part, (int)(last - from), "");
}
