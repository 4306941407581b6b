/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/clean.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ELLIPSIS "..."

/* Returns the length of the UTF-8 character at `at`, or 0 if it is not valid (RFC 3629). */
static size_t decode(const unsigned char *at, size_t len, uint32_t *ret)
{
	/* Smallest number that needs n bytes, by n. A longer encoding than needed is not valid
	 * UTF-8. */
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : 4;
	uint32_t c = at[0];

	if ((n == 4 && at[0] >> 3 != 30) || n > len)
		return 0;
	if (n > 1)
		c &= 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if (at[i] >> 6 != 2)
			return 0;
		c = c << 6 | (at[i] & 0x3f);
	}
	*ret = c;
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

static bool is_printable(uint32_t c)
{
	bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
	/* Marks, embeddings, overrides and isolates; line and paragraph separator. */
	bool turns = c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
		     (c >= 0x2066 && c <= 0x2069);

	return !control && !turns;
}

/* Returns the length of the character or invalid byte at `at`. *ret_good is true if it may be
 * printed. */
static size_t look_at(const char *at, size_t len, bool *ret_good)
{
	uint32_t c = 0;
	size_t n = decode((const unsigned char *)at, len, &c);

	*ret_good = n && is_printable(c);
	return n ? n : 1;
}

bool tw_clean_check(const char *text, size_t len)
{
	bool good = true;

	for (size_t i = 0; i < len && good;)
		i += look_at(text + i, len - i, &good);
	return good;
}

void tw_clean(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		bool good;
		size_t n = look_at(text + i, len - i, &good);

		if (!good)
			memset(text + i, '?', n);
		i += n;
	}
}

struct tw_cleaned tw_cleaned(const char *text)
{
	struct tw_cleaned ret = {{0}};
	size_t len = strnlen(text, sizeof(ret.text));
	bool cut = len == sizeof(ret.text);

	if (cut)
		len -= sizeof(ELLIPSIS);
	/* Cuts only between characters. */
	while (cut && len && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	memcpy(ret.text, text, len);
	tw_clean(ret.text, len);
	if (cut)
		memcpy(ret.text + len, ELLIPSIS, sizeof(ELLIPSIS));
	return ret;
}

size_t tw_clean_cut(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	for (len = max; len && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	return len;
}
