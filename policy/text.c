/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "policy/model.h"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool tw_text_is_tag_char(char c)
{
	return is_alnum(c) || (c && strchr("_.-:/=@+", c));
}

bool tw_text_is_name(const char *text)
{
	size_t len = 0;

	if (!is_alnum(text[0]) && text[0] != '_')
		return false;
	for (; text[len]; len++)
		if (!is_alnum(text[len]) && !strchr("_.-", text[len]))
			return false;
	return len <= TW_NAME_MAX;
}

bool tw_text_is_tag(const char *text)
{
	size_t len = 0;

	if (!is_alnum(text[0]) && text[0] != '_')
		return false;
	for (; text[len]; len++)
		if (!tw_text_is_tag_char(text[len]))
			return false;
	return len <= TW_NAME_MAX;
}

tw_u128 tw_prefix_last(const struct tw_prefix *prefix)
{
	tw_u128 first = tw_set_number(&prefix->addr);

	return prefix->len ? first | (TW_U128_MAX >> 1 >> (prefix->len - 1)) : TW_U128_MAX;
}

int tw_prefix_add_to(const struct tw_prefix *prefix, struct tw_ranges *ret)
{
	tw_u128 first = tw_set_number(&prefix->addr), last = tw_prefix_last(prefix);
	int err;

	if (first >= TW_V4_FIRST || last < TW_V4_FIRST)
		return tw_ranges_add(ret, first, last);
	err = tw_ranges_add(ret, first, TW_V4_FIRST - 1);
	return err ? err : tw_ranges_add(ret, TW_V4_LAST + 1, last);
}

int tw_text_prefix(const char *text, struct tw_prefix *ret, bool *ret_host_bits)
{
	char scratch[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t addr_len = slash ? (size_t)(slash - text) : strlen(text);
	struct tw_prefix prefix;
	uint32_t len, bits;
	tw_u128 number, kept;

	if (addr_len >= sizeof(scratch))
		return -EINVAL;
	memcpy(scratch, text, addr_len);
	scratch[addr_len] = '\0';
	if (tw_addr_parse(scratch, &prefix.addr) < 0)
		return -EINVAL;
	number = tw_set_number(&prefix.addr);
	if (number >= TW_V4_FIRST && number <= TW_V4_LAST) {
		if (strchr(scratch, ':'))
			return -EAFNOSUPPORT;
		bits = 32;
	} else {
		bits = 128;
	}
	len = bits;
	if (slash) {
		int err = tw_text_number(slash + 1, bits, &len);

		if (err)
			return err;
	}
	prefix.len = (uint8_t)(128 - bits + len);
	kept = prefix.len ? number & ~(prefix.len == 128 ? 0 : TW_U128_MAX >> prefix.len) : 0;
	prefix.addr = tw_set_addr(kept);
	*ret = prefix;
	*ret_host_bits = kept != number;
	return 0;
}

static bool is_v4(tw_u128 number)
{
	return number >= TW_V4_FIRST && number <= TW_V4_LAST;
}

int tw_text_addresses(const char *text, tw_u128 *ret_first, tw_u128 *ret_last)
{
	char scratch[INET6_ADDRSTRLEN];
	const char *dash = strchr(text, '-');
	struct tw_addr addr;
	tw_u128 first, last;

	if (!dash || (size_t)(dash - text) >= sizeof(scratch))
		return -ENOENT;
	memcpy(scratch, text, (size_t)(dash - text));
	scratch[dash - text] = '\0';
	if (tw_addr_parse(scratch, &addr) < 0)
		return -ENOENT;
	first = tw_set_number(&addr);
	if (tw_addr_parse(dash + 1, &addr) < 0)
		return -ENOENT;
	last = tw_set_number(&addr);
	if (is_v4(first) != is_v4(last) || last < first)
		return -ERANGE;
	*ret_first = first;
	*ret_last = last;
	return 0;
}

int tw_text_netmask(const char *text)
{
	struct tw_addr addr;
	uint32_t host;

	if (strchr(text, ':') || tw_addr_parse(text, &addr) < 0)
		return -EINVAL;
	host = ~(uint32_t)tw_set_number(&addr);
	return host & (host + 1) ? -EINVAL : host ? __builtin_clz(host) : 32;
}

struct tw_prefix tw_prefix_within(tw_u128 first, tw_u128 last)
{
	tw_u128 size = 1;
	uint8_t len = 128;

	while (len && !(first & size) && last - first >= size && last - first - size >= size - 1) {
		size <<= 1;
		len--;
	}
	return (struct tw_prefix){.addr = tw_set_addr(first), .len = len};
}

const char *tw_prefix_format(const struct tw_prefix *prefix, char *text)
{
	tw_u128 first = tw_set_number(&prefix->addr);
	bool is_v4 = prefix->len >= 96 && first >= TW_V4_FIRST && first <= TW_V4_LAST;
	size_t at;

	tw_addr_format(&prefix->addr, text);
	at = strlen(text);
	if (prefix->len < 128)
		snprintf(text + at, TW_PREFIX_TEXT_MAX - at, "/%u",
			is_v4 ? prefix->len - 96u : prefix->len);
	return text;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int tw_text_mac(const char *text, uint8_t ret[6])
{
	uint8_t mac[6];

	if (strlen(text) != 17)
		return -EINVAL;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_value(text[3 * i]), low = hex_value(text[3 * i + 1]);
		char after = text[3 * i + 2];

		if (high < 0 || low < 0 || (i < 5 && after != ':' && after != '-'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

void tw_text_mac_print(const uint8_t mac[6], struct tw_buf *out)
{
	tw_buf_addf(out, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
}

/* Reads digits up to the first other character and sets *ret_end to it. */
static int digits(const char *text, uint32_t max, uint32_t *ret, const char **ret_end)
{
	uint64_t number = 0;

	if (!is_digit(*text))
		return -EINVAL;
	for (; is_digit(*text); text++) {
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > max)
			return -ERANGE;
	}
	*ret = (uint32_t)number;
	*ret_end = text;
	return 0;
}

int tw_text_number(const char *text, uint32_t max, uint32_t *ret)
{
	const char *end;
	uint32_t number;
	int err = digits(text, max, &number, &end);

	if (err)
		return err;
	if (*end)
		return -EINVAL;
	*ret = number;
	return 0;
}

int tw_text_range(const char *text, uint32_t max, uint32_t *ret_lo, uint32_t *ret_hi)
{
	const char *end;
	uint32_t lo, hi;
	int err = digits(text, max, &lo, &end);

	if (err)
		return err;
	hi = lo;
	if (*end == '-') {
		err = digits(end + 1, max, &hi, &end);
		if (err)
			return err;
	}
	if (*end)
		return -EINVAL;
	if (hi < lo)
		return -ERANGE;
	*ret_lo = lo;
	*ret_hi = hi;
	return 0;
}

static const struct unit {
	char letter;
	uint32_t seconds;
} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

int tw_text_seconds(const char *text, uint32_t max, uint32_t *ret)
{
	uint32_t number, factor = 0;
	const char *end;
	int err = digits(text, max, &number, &end);

	if (err)
		return err;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].letter && !end[1])
			factor = units[i].seconds;
	if (!*end)
		factor = 1;
	if (!factor)
		return -EINVAL;
	if (number > max / factor)
		return -ERANGE;
	*ret = number * factor;
	return 0;
}

void tw_text_seconds_print(uint32_t seconds, struct tw_buf *out)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (seconds % units[i].seconds || !seconds)
			continue;
		tw_buf_addf(out, "%u%c", seconds / units[i].seconds, units[i].letter);
		return;
	}
	tw_buf_adds(out, "0s");
}

bool tw_text_has_plain_lines(const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text;

	/* CR, NEL, LS, PS; and the byte order mark, which takes no column. */
	for (size_t i = 0; i < len; i++)
		if (at[i] == '\r' || (at[i] == 0xc2 && i + 1 < len && at[i + 1] == 0x85) ||
			(at[i] == 0xe2 && i + 1 < len && at[i + 1] == 0x80) ||
			(at[i] == 0xef && i + 1 < len && at[i + 1] == 0xbb))
			return false;
	return true;
}

bool tw_text_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == '?' || (*pattern && *pattern == *text)) {
			pattern++;
			text++;
		} else if (star) {
			/* Lets the last star match one more character; earlier stars never need
			 * to. */
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* Words that YAML 1.1 or 1.2 readers do not read as text. */
static const char *const yaml_words[] = {
	"true",
	"false",
	"null",
	"yes",
	"no",
	"on",
	"off",
	"y",
	"n",
};

static bool is_plain(const char *text)
{
	if (!((text[0] | 0x20) >= 'a' && (text[0] | 0x20) <= 'z') && text[0] != '_')
		return false;
	for (const char *c = text; *c; c++)
		if (!is_alnum(*c) && !strchr("_-./", *c))
			return false;
	for (size_t i = 0; i < sizeof(yaml_words) / sizeof(yaml_words[0]); i++)
		if (!strcasecmp(text, yaml_words[i]))
			return false;
	return true;
}

/* True for a dotted quad, with or without a prefix length. No YAML reader reads that as a
 * number. */
static bool is_dotted(const char *text)
{
	size_t dots = 0;

	for (const char *c = text; *c; c++) {
		if (!is_digit(*c) && *c != '.' && *c != '/')
			return false;
		dots += *c == '.';
	}
	return dots == 3;
}

void tw_text_yaml_print(const char *text, struct tw_buf *out)
{
	if (is_plain(text) || is_dotted(text)) {
		tw_buf_adds(out, text);
		return;
	}
	tw_buf_adds(out, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			tw_buf_addf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			tw_buf_addf(out, "\\x%02x", c);
		else
			tw_buf_add(out, text, 1);
	}
	tw_buf_adds(out, "\"");
}
