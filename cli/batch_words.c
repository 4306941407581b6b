/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/batch.h"

/* The keys of a line, and the words they fill. Numbers may also be written as strings. */
static const struct {
	const char *key;
	size_t offset;
} members[] = {
	{"from", offsetof(struct tw_tuple_words, end[TW_DIR_OUT])},
	{"to", offsetof(struct tw_tuple_words, end[TW_DIR_IN])},
	{"proto", offsetof(struct tw_tuple_words, proto)},
	{"sport", offsetof(struct tw_tuple_words, sport)},
	{"dport", offsetof(struct tw_tuple_words, dport)},
	{"type", offsetof(struct tw_tuple_words, type)},
	{"code", offsetof(struct tw_tuple_words, code)},
};

#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

static const char **word_of(struct tw_tuple_words *words, size_t member)
{
	return (const char **)((char *)words + members[member].offset);
}

static int find_member(const char *key, size_t len)
{
	for (size_t i = 0; i < N_MEMBERS; i++)
		if (strlen(members[i].key) == len && !memcmp(members[i].key, key, len))
			return (int)i;
	return -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_space(const char *at)
{
	while (is_space(*at))
		at++;
	return at;
}

/* Scans a string of printable ASCII without escapes. Returns the position after its closing quote,
 * or NULL if the string is not that simple. */
static const char *scan_string(const char *at, const char **ret_start, size_t *ret_len)
{
	const char *start;

	if (*at++ != '"')
		return NULL;
	start = at;
	while (*at >= ' ' && *at <= '~' && *at != '"' && *at != '\\')
		at++;
	if (*at != '"')
		return NULL;
	*ret_start = start;
	*ret_len = (size_t)(at - start);
	return at + 1;
}

#define DIGITS_MAX 9

/* Scans a short whole number without sign or leading zeros. No port has more digits. */
static const char *scan_number(const char *at, const char **ret_start, size_t *ret_len)
{
	const char *start = at;

	while (*at >= '0' && *at <= '9')
		at++;
	if (at == start || at - start > DIGITS_MAX || (*start == '0' && at - start > 1) ||
		*at == '.' || *at == 'e' || *at == 'E')
		return NULL;
	*ret_start = start;
	*ret_len = (size_t)(at - start);
	return at;
}

/* Reads a line of the most common form. `line` ends with a NUL and is modified only on success.
 * If false, the full parser reads the line and decides whether it is valid. */
static bool scan_line(char *line, size_t line_len, struct tw_tuple_words *words)
{
	size_t key_len, lens[N_MEMBERS] = {0};
	const char *at = skip_space(line), *key;

	*words = (struct tw_tuple_words){0};
	if (*at != '{')
		return false;
	do {
		int member;

		at = scan_string(skip_space(at + 1), &key, &key_len);
		if (!at)
			return false;
		at = skip_space(at);
		member = find_member(key, key_len);
		if (*at != ':' || member < 0 || *word_of(words, (size_t)member))
			return false;
		at = skip_space(at + 1);
		at = (*at == '"' ? scan_string : scan_number)(
			at, word_of(words, (size_t)member), &lens[member]);
		if (!at)
			return false;
		at = skip_space(at);
	} while (*at == ',');
	if (*at != '}' || skip_space(at + 1) != line + line_len)
		return false;
	for (size_t i = 0; i < N_MEMBERS; i++) {
		const char *word = *word_of(words, i);

		if (word)
			line[(size_t)(word - line) + lens[i]] = '\0';
	}
	return true;
}

static int take_member(
	const json_t *value, const char *key, char **room, const char **ret, struct tw_err *err)
{
	const char *text = json_string_value(value);
	size_t len;

	if (text && strlen(text) == json_string_length(value)) {
		len = json_string_length(value);
		memcpy(*room, text, len + 1);
	} else if (json_is_integer(value)) {
		len = (size_t)snprintf(*room, 24, "%lld", (long long)json_integer_value(value));
	} else {
		return tw_err_set(
			err, -EINVAL, key, NULL, "is neither a string nor a whole number");
	}
	*ret = *room;
	*room += len + 1;
	return 0;
}

/* Reads any JSON object; other keys are ignored. */
static int parse_line(
	const char *line, size_t len, char *room, struct tw_tuple_words *words, struct tw_err *err)
{
	json_error_t where;
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where);
	int ret = 0;

	*words = (struct tw_tuple_words){0};
	if (!object)
		return tw_err_set(err, -EINVAL, NULL, NULL, "not JSON: %s", where.text);
	if (!json_is_object(object))
		ret = tw_err_set(err, -EINVAL, NULL, NULL, "not a JSON object");
	for (size_t i = 0; i < N_MEMBERS && !ret; i++) {
		const json_t *value = json_object_get(object, members[i].key);

		if (value && !json_is_null(value))
			ret = take_member(value, members[i].key, &room, word_of(words, i), err);
	}
	json_decref(object);
	return ret;
}

int tw_batch_words(
	char *line, size_t len, char *room, struct tw_tuple_words *words, struct tw_err *err)
{
	if (len > TW_BATCH_LINE_MAX)
		return tw_err_set(
			err, -EINVAL, NULL, NULL, "longer than %u bytes", TW_BATCH_LINE_MAX);
	line[len] = '\0';
	if (scan_line(line, len, words))
		return 0;
	return parse_line(line, len, room, words, err);
}
