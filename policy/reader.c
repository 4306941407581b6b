/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "policy/diag.h"
#include "policy/text.h"

#define GUESSES_MAX 2000000 /* limit of comparisons in one reading */
#define FIELDS_MAX  32

static const char *const reserved_words[] = {"any", "default"};

bool tw_reader_failed(struct tw_reader *r, int err)
{
	if (err == -ENOMEM)
		r->nomem = true;
	return err == -ENOMEM;
}

bool tw_reader_stops(const struct tw_reader *r)
{
	return r->nomem || r->diags->n_errors > TW_DIAGS_ERRORS_MAX;
}

void *tw_reader_keep(struct tw_reader *r, const void *items, size_t n, size_t size)
{
	void *copy = tw_arena_copy(&r->policy->arena, items, n, size);

	if (!copy)
		r->nomem = true;
	return copy;
}

/* Characters that editors and web pages put in the place of plain ones. */
static const struct {
	const char *bytes;
	const char *hint;
} odd_characters[] = {
	{"\xc2\xa0", "it contains a no-break space (U+00A0); write a plain space"},
	{"\xe2\x80\xaf", "it contains a no-break space (U+202F); write a plain space"},
	{"\xe2\x80\x8b", "it contains a zero-width space (U+200B); remove it"},
	{"\xe2\x80\x98", "it contains a curly quote (U+2018); write a straight one"},
	{"\xe2\x80\x99", "it contains a curly quote (U+2019); write a straight one"},
	{"\xe2\x80\x9c", "it contains a curly quote (U+201C); write a straight one"},
	{"\xe2\x80\x9d", "it contains a curly quote (U+201D); write a straight one"},
	{"\xe2\x80\x93", "it contains a dash (U+2013); write a hyphen"},
	{"\xe2\x80\x94", "it contains a dash (U+2014); write a hyphen"},
};

/* Returns a hint for text that looks correct but is not, or NULL. */
static const char *odd_character_hint(const struct tw_node *node)
{
	if (node->kind != TW_NODE_SCALAR || !node->text)
		return NULL;
	for (size_t i = 0; i < sizeof(odd_characters) / sizeof(odd_characters[0]); i++)
		if (strstr(node->text, odd_characters[i].bytes))
			return odd_characters[i].hint;
	return NULL;
}

static void tell(struct tw_reader *r, enum tw_severity severity, const struct tw_node *node,
	const char *hint, const char *format, va_list args)
{
	const char *odd = odd_character_hint(node);
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	tw_reader_failed(r, tw_diags_add(r->diags, severity, node->line, node->column,
				    odd ? odd : hint, "%s", text));
}

void tw_reader_error(
	struct tw_reader *r, const struct tw_node *node, const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(r, TW_SEV_ERROR, node, hint, format, args);
	va_end(args);
}

void tw_reader_warn(
	struct tw_reader *r, const struct tw_node *node, const char *hint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(r, TW_SEV_WARNING, node, hint, format, args);
	va_end(args);
}

void tw_guess(struct tw_reader *r, struct tw_guess *guess, const char *text, const char *candidate)
{
	size_t len = strlen(text);
	unsigned int limit = len < 5 ? 1 : 2;
	unsigned int distance;

	/* All names of two letters are similar, so a guess would mean nothing. */
	if (len < 3 || r->n_guesses >= GUESSES_MAX)
		return;
	r->n_guesses++;
	distance = tw_diag_distance(text, candidate, limit);
	if (distance > limit || (guess->best && distance >= guess->distance))
		return;
	guess->best = candidate;
	guess->distance = distance;
}

void tw_guess_names(
	struct tw_reader *r, struct tw_guess *guess, const char *text, const struct tw_names *scope)
{
	for (size_t i = 0; i < scope->all.n; i++)
		tw_guess(r, guess, text, scope->all.at[i].text);
}

const char *tw_guess_hint(
	const struct tw_guess *guess, char *hint, size_t hint_len, const char *otherwise)
{
	if (!guess->best)
		return otherwise;
	snprintf(hint, hint_len, "did you mean %s?", guess->best);
	return hint;
}

bool tw_node_is_empty(const struct tw_node *node)
{
	return node->kind == TW_NODE_SCALAR && node->plain &&
	       (!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

const char *tw_node_kind(const struct tw_node *node)
{
	if (tw_node_is_empty(node))
		return "nothing";
	return node->kind == TW_NODE_MAP   ? "a mapping"
	       : node->kind == TW_NODE_SEQ ? "a list"
					   : "a text";
}

const char *tw_reader_text(struct tw_reader *r, const struct tw_node *node, const char *what)
{
	if (node->kind == TW_NODE_BAD)
		return NULL;
	if (node->kind != TW_NODE_SCALAR || tw_node_is_empty(node)) {
		tw_reader_error(r, node, NULL, "%s must be a single text, not %s", what,
			tw_node_kind(node));
		return NULL;
	}
	return node->text;
}

enum tw_mode tw_reader_mode(struct tw_reader *r, const struct tw_node *value)
{
	const char *text = tw_reader_text(r, value, "mode");

	if (text && !strcmp(text, "observe"))
		return TW_MODE_OBSERVE;
	if (text && !strcmp(text, "enforce"))
		return TW_MODE_ENFORCE;
	if (text)
		tw_reader_error(r, value, "write enforce or observe", "mode cannot be %s",
			tw_diag_show(text).text);
	return TW_MODE_UNSAID;
}

enum tw_tcp_checks tw_reader_tcp(struct tw_reader *r, const struct tw_node *value)
{
	const char *text = tw_reader_text(r, value, "tcp");

	if (text && !strcmp(text, "liberal"))
		return TW_TCP_CHECKS_LIBERAL;
	if (text && !strcmp(text, "strict"))
		return TW_TCP_CHECKS_STRICT;
	if (text)
		tw_reader_error(r, value, "write strict or liberal", "tcp cannot be %s",
			tw_diag_show(text).text);
	return TW_TCP_CHECKS_UNSAID;
}

void tw_reader_list(struct tw_reader *r, const struct tw_node *node, const char *what,
	void (*each)(struct tw_reader *r, const struct tw_node *item, void *object), void *object)
{
	if (node->kind == TW_NODE_BAD)
		return;
	if (node->kind != TW_NODE_SEQ) {
		if (tw_node_is_empty(node))
			tw_reader_error(r, node, "leave the key out, or give it a value",
				"%s is empty", what);
		else
			each(r, node, object);
		return;
	}
	if (!node->n)
		tw_reader_error(r, node, "leave the key out, or list something",
			"%s is an empty list", what);
	for (const struct tw_node *item = node->first; item && !tw_reader_stops(r);
		item = item->next)
		each(r, item, object);
}

static void unknown_key(struct tw_reader *r, const struct tw_node *key, const char *what,
	const struct tw_field *fields, size_t n_fields)
{
	char hint[256] = "write one of: ";
	struct tw_guess guess = {0};
	size_t len = strlen(hint);

	if (key->text[0] && !key->text[strspn(key->text, "0123456789-")]) {
		tw_reader_error(r, key,
			"within brackets, quote text that has a comma: \"tcp/80,443\"",
			"%s has no key %s", what, tw_diag_show(key->text).text);
		return;
	}
	if (!strcmp(key->text, "<<")) {
		tw_reader_error(r, key, "write the keys out",
			"merge keys are not part of the policy format");
		return;
	}
	for (size_t i = 0; i < n_fields; i++) {
		tw_guess(r, &guess, key->text, fields[i].name);
		len += (size_t)snprintf(
			hint + len, sizeof(hint) - len, "%s%s", i ? ", " : "", fields[i].name);
		if (len >= sizeof(hint))
			break;
	}
	tw_reader_error(r, key, tw_guess_hint(&guess, hint, sizeof(hint), hint), "%s has no key %s",
		what, tw_diag_show(key->text).text);
}

void tw_reader_map(struct tw_reader *r, const struct tw_node *map, const char *what,
	const struct tw_field *fields, size_t n_fields, void *object)
{
	const struct tw_node *found[FIELDS_MAX] = {NULL};

	if (map->kind == TW_NODE_BAD)
		return;
	if (map->kind != TW_NODE_MAP) {
		tw_reader_error(r, map, "write it as key: value pairs",
			"%s must be a mapping, not %s", what, tw_node_kind(map));
		return;
	}
	for (const struct tw_node *node = map->first; node && !tw_reader_stops(r);
		node = node->next) {
		size_t i = 0;

		if (node->key->kind != TW_NODE_SCALAR)
			continue;
		while (i < n_fields && strcmp(node->key->text, fields[i].name) != 0)
			i++;
		if (i == n_fields)
			unknown_key(r, node->key, what, fields, n_fields);
		else if (found[i])
			tw_reader_error(r, node->key, "keep one of them",
				"%s has the key %s twice, first in %s", what, fields[i].name,
				tw_files_line(&r->policy->text.files, found[i]->key->line).text);
		else
			found[i] = node;
	}
	/* Reads in the order of the table, because later fields may depend on earlier ones. */
	for (size_t i = 0; i < n_fields && !tw_reader_stops(r); i++) {
		if (found[i])
			fields[i].read(r, found[i], object);
		else if (fields[i].required)
			tw_reader_error(
				r, map, fields[i].hint, "%s has no %s", what, fields[i].name);
	}
}

const char *tw_reader_kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[TW_OP_ANY] = "any",
		[TW_OP_NETWORK] = "network",
		[TW_OP_WORKLOAD] = "workload",
		[TW_OP_GROUP] = "group",
		[TW_OP_PREFIX] = "address",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

const char *tw_reader_name(struct tw_reader *r, const struct tw_node *key, struct tw_names *scope,
	uint32_t kind, size_t index)
{
	struct tw_name name = {.line = key->line, .kind = kind, .index = (uint32_t)index};
	const struct tw_name *other;
	struct tw_prefix prefix;
	tw_u128 first, last;
	bool host_bits;

	if (key->kind != TW_NODE_SCALAR)
		return NULL;
	if (!tw_text_is_name(key->text)) {
		tw_reader_error(r, key,
			"use letters, digits, '_', '.' and '-', at most 127; do not begin with '.' or '-'",
			"%s cannot be a name", tw_diag_show(key->text).text);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(reserved_words) / sizeof(reserved_words[0]); i++)
		if (!strcmp(key->text, reserved_words[i])) {
			tw_reader_error(
				r, key, "choose another name", "%s is a reserved word", key->text);
			return NULL;
		}
	if (tw_text_prefix(key->text, &prefix, &host_bits) == 0) {
		tw_reader_error(r, key, "choose another name",
			"%s is an address and cannot be a name", key->text);
		return NULL;
	}
	if (tw_text_addresses(key->text, &first, &last) != -ENOENT) {
		tw_reader_error(r, key, "choose another name",
			"%s is a range of addresses and cannot be a name", key->text);
		return NULL;
	}
	other = tw_names_find(scope, key->text);
	if (other) {
		if (scope != &r->policy->names)
			tw_reader_error(r, key, "choose another name",
				"the name %s is used twice, first in %s", key->text,
				tw_files_line(&r->policy->text.files, other->line).text);
		else
			tw_reader_error(r, key,
				"networks, workloads and groups share one set of names; rename one",
				"%s is already the name of the %s in %s", key->text,
				tw_reader_kind_name(other->kind),
				tw_files_line(&r->policy->text.files, other->line).text);
		return NULL;
	}
	if (index >= TW_POLICY_NAMES_MAX && scope != &r->policy->rule_names) {
		if (index == TW_POLICY_NAMES_MAX)
			tw_reader_error(r, key, NULL, "too many names, at most %u are allowed",
				TW_POLICY_NAMES_MAX);
		return NULL;
	}
	name.text = tw_reader_keep(r, key->text, strlen(key->text) + 1, 1);
	if (!name.text || tw_reader_failed(r, tw_names_add(scope, name)))
		return NULL;
	return name.text;
}

static bool count_address(struct tw_reader *r, const struct tw_node *node)
{
	if (++r->n_addresses <= TW_POLICY_ADDRESSES_MAX)
		return true;
	if (r->n_addresses == TW_POLICY_ADDRESSES_MAX + 1)
		tw_reader_error(r, node, "use wider prefixes",
			"too many addresses, at most %u are allowed", TW_POLICY_ADDRESSES_MAX);
	return false;
}

/* Returns a hint for an address with a netmask, or for a range where only single addresses and CIDRs are
 * allowed. NULL: none. */
static const char *address_hint(const char *text, char *hint, size_t hint_len)
{
	const char *slash = strchr(text, '/');
	int len = slash ? tw_text_netmask(slash + 1) : -EINVAL;
	tw_u128 first, last;

	if (len >= 0) {
		snprintf(hint, hint_len, "write the length of the prefix: %.*s/%d",
			(int)(slash - text < 40 ? slash - text : 40), text, len);
		return hint;
	}
	if (tw_text_addresses(text, &first, &last) == 0)
		return "list the addresses; only networks, from and to take ranges";
	return NULL;
}

bool tw_reader_prefix(struct tw_reader *r, const struct tw_node *node, const char *text, bool exact,
	struct tw_prefix *ret)
{
	char clean[TW_PREFIX_TEXT_MAX], hint[160];
	bool host_bits;
	int err = tw_text_prefix(text, ret, &host_bits);
	const char *better = err ? address_hint(text, hint, sizeof(hint)) : NULL;

	if (err && better)
		tw_reader_error(
			r, node, better, "%s is not an address or a CIDR", tw_diag_show(text).text);
	else if (err == -ERANGE)
		tw_reader_error(r, node, "write 0 to 32 for IPv4, 0 to 128 for IPv6",
			"the prefix length of %s is too large", tw_diag_show(text).text);
	else if (err == -EAFNOSUPPORT)
		tw_reader_error(r, node, "write the IPv4 address itself",
			"%s is an IPv4-mapped IPv6 address", tw_diag_show(text).text);
	else if (err)
		tw_reader_error(r, node,
			"write an address such as 10.0.0.1 or \"fd00::1\", or a CIDR such as 10.0.0.0/8",
			"%s is not an address", tw_diag_show(text).text);
	if (err)
		return false;
	if (!count_address(r, node))
		return false;
	if (!host_bits)
		return true;
	tw_prefix_format(ret, clean);
	if (exact) {
		snprintf(hint, sizeof(hint),
			"write %.*s for the one address, or %s for the whole network",
			(int)strcspn(text, "/"), text, clean);
		tw_reader_error(r, node, hint, "%s has bits set beyond its prefix",
			tw_diag_show(text).text);
		return false;
	}
	snprintf(hint, sizeof(hint), "write %s", clean);
	tw_reader_warn(r, node, hint, "%s has bits set beyond its prefix, and is read as %s",
		tw_diag_show(text).text, clean);
	return true;
}

bool tw_reader_addresses(struct tw_reader *r, const struct tw_node *node, const char *text)
{
	struct tw_prefix prefix;
	tw_u128 first, last;
	int err = tw_text_addresses(text, &first, &last);

	if (err == -ENOENT)
		return tw_reader_prefix(r, node, text, false, &prefix) &&
		       !tw_reader_failed(r, tw_vec_push(&r->prefixes, prefix));
	if (err) {
		tw_reader_error(r, node, "write two addresses of one family, the lower one first",
			"%s is not a range of addresses", tw_diag_show(text).text);
		return false;
	}
	do {
		if (!count_address(r, node))
			return false;
		prefix = tw_prefix_within(first, last);
		if (tw_reader_failed(r, tw_vec_push(&r->prefixes, prefix)))
			return false;
		first = tw_prefix_last(&prefix) + 1;
	} while (first && first <= last);
	return true;
}

void tw_reader_operands(
	struct tw_reader *r, const struct tw_node *node, const char *text, bool negate)
{
	struct tw_operand operand = {.kind = TW_OP_PREFIX, .negate = negate};

	r->prefixes.n = 0;
	if (!tw_reader_addresses(r, node, text))
		return;
	tw_vec_foreach (&r->prefixes, prefix) {
		operand.prefix = *prefix;
		tw_reader_failed(r, tw_vec_push(&r->operands, operand));
	}
}

bool tw_reader_bool(
	struct tw_reader *r, const struct tw_node *value, const char *what, bool otherwise)
{
	const char *text = tw_reader_text(r, value, what);

	if (!text)
		return otherwise;
	if (!strcasecmp(text, "true") || !strcasecmp(text, "false"))
		return !strcasecmp(text, "true");
	tw_reader_error(
		r, value, "write true or false", "%s cannot be %s", what, tw_diag_show(text).text);
	return otherwise;
}

bool tw_reader_section(struct tw_reader *r, const struct tw_node *value, const char *what)
{
	if (value->kind == TW_NODE_MAP)
		return true;
	if (value->kind != TW_NODE_BAD && !tw_node_is_empty(value))
		tw_reader_error(r, value, "write name: value pairs", "%s must be a mapping, not %s",
			what, tw_node_kind(value));
	return false;
}

void tw_reader_done(struct tw_reader *r)
{
	tw_vec_done(&r->prefixes);
	tw_vec_done(&r->places);
	tw_vec_done(&r->parts);
	tw_vec_done(&r->operands);
	tw_vec_done(&r->refs);
	tw_vec_done(&r->texts);
	tw_vec_done(&r->numbers);
	tw_names_done(&r->claims);
}
