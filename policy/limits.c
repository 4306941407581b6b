/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/limits.h"

#include <stdio.h>
#include <string.h>

#include "policy/diag.h"
#include "policy/text.h"

#define LIMIT_MAX    100000000u
#define NONE	     "none"
#define PER_SECOND   "/s"
#define NUMBER_BYTES 32

static const struct limit_key {
	const char *name;
	bool rate;
} keys[] = {
	[TW_LIMIT_PACKETS] = {"packets", true},
	[TW_LIMIT_NEW_CONNECTIONS] = {"new-connections", true},
	[TW_LIMIT_HALF_OPEN] = {"half-open", false},
	[TW_LIMIT_ESTABLISHED] = {"established", false},
	[TW_LIMIT_BROADCAST] = {"broadcast", true},
};
_Static_assert(sizeof(keys) / sizeof(keys[0]) == TW_LIMIT__MAX, "every limit has a key");

/* Parses `none`, `N` or, for a rate, `N/s`. 0 is refused, because it would stop the port. */
static bool parse(const char *text, bool rate, uint32_t *ret)
{
	size_t len = strlen(text), per = strlen(PER_SECOND);
	char number[NUMBER_BYTES];

	if (!strcmp(text, NONE)) {
		*ret = 0;
		return true;
	}
	if (rate && len > per && !strcmp(text + len - per, PER_SECOND))
		len -= per;
	if (len >= sizeof(number))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)len, text);
	return !tw_text_number(number, LIMIT_MAX, ret) && *ret;
}

static bool read_number(struct tw_reader *r, const struct tw_node *value, const char *name,
	bool rate, uint32_t *ret)
{
	const char *text = tw_reader_text(r, value, "a limit");

	if (!text)
		return false;
	if (parse(text, rate, ret))
		return true;
	tw_reader_error(r, value,
		rate ? "write 1000/s, 1 to 100000000, or none"
		     : "write 1000, 1 to 100000000, or none",
		"%s is not a valid limit for %s", tw_diag_show(text).text, name);
	return false;
}

bool tw_limits_read_rate(
	struct tw_reader *r, const struct tw_node *value, const char *name, uint32_t *ret)
{
	return read_number(r, value, name, true, ret);
}

void tw_limits_read(struct tw_reader *r, const struct tw_node *map, struct tw_limits *ret)
{
	if (map->kind == TW_NODE_BAD)
		return;
	if (map->kind != TW_NODE_MAP) {
		tw_reader_error(
			r, map, "write it as {packets: 50000/s}", "limits must be a mapping");
		return;
	}
	for (const struct tw_node *node = map->first; node && !tw_reader_stops(r);
		node = node->next) {
		struct tw_guess guess = {0};
		unsigned int limit = 0;
		char hint[96];

		if (node->key->kind != TW_NODE_SCALAR)
			continue;
		for (; limit < TW_LIMIT__MAX && strcmp(keys[limit].name, node->key->text) != 0;
			limit++)
			tw_guess(r, &guess, node->key->text, keys[limit].name);
		if (limit == TW_LIMIT__MAX)
			tw_reader_error(r, node->key,
				tw_guess_hint(&guess, hint, sizeof(hint),
					"packets, new-connections, half-open, established or broadcast"),
				"there is no limit %s", tw_diag_show(node->key->text).text);
		else if (ret->said & 1u << limit)
			tw_reader_error(r, node->key, "keep one of them",
				"the limit %s is set twice", keys[limit].name);
		else if (read_number(r, node, keys[limit].name, keys[limit].rate, &ret->at[limit]))
			ret->said |= 1u << limit;
	}
}

static void print_number(uint32_t number, bool rate, struct tw_buf *out)
{
	if (number)
		tw_buf_addf(out, "%u%s", number, rate ? PER_SECOND : "");
	else
		tw_buf_adds(out, NONE);
}

void tw_limits_print_rate(uint32_t rate, struct tw_buf *out)
{
	print_number(rate, true, out);
}

void tw_limits_print(const struct tw_limits *limits, struct tw_buf *out)
{
	const char *separator = "{";

	for (unsigned int limit = 0; limit < TW_LIMIT__MAX; limit++) {
		if (!(limits->said & 1u << limit))
			continue;
		tw_buf_addf(out, "%s%s: ", separator, keys[limit].name);
		print_number(limits->at[limit], keys[limit].rate, out);
		separator = ", ";
	}
	tw_buf_adds(out, limits->said ? "}" : "{}");
}

void tw_limits_inherit(struct tw_limits *limits, const struct tw_limits *wide)
{
	for (unsigned int limit = 0; limit < TW_LIMIT__MAX; limit++)
		if (wide->said & ~limits->said & 1u << limit)
			limits->at[limit] = wide->at[limit];
	limits->said |= wide->said;
}
