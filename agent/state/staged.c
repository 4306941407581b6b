/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/staged.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "agent/state/inforce.h"
#include "agent/state/policy_file.h"
#include "agent/state/sealed.h"
#include "agent/state/slots.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"

#define ROW_MAX 192 /* rule names have at most 127 characters */

/* Writes a number in digits and returns the position after them. */
static char *put_number(char *at, uint32_t number)
{
	char digits[10];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + number % 10);
	while (number /= 10);
	memcpy(at, digits + n, sizeof(digits) - n);
	return at + (sizeof(digits) - n);
}

/* True if JSON does not escape this character. Rule names need no escapes; a name from a damaged
 * file may, but belongs to no rule. */
static bool is_plain(char letter)
{
	return letter > ' ' && (unsigned char)letter < 0x7f && letter != '"' && letter != '\\';
}

/* Adds a rule of rules.json: [number,"name"], after a comma. */
static void add_row(struct tw_buf *out, uint32_t number, const char *name)
{
	char row[ROW_MAX], *at = row;

	*at++ = ',';
	*at++ = '[';
	at = put_number(at, number);
	*at++ = ',';
	*at++ = '"';
	for (; *name; name++) {
		if (!is_plain(*name) || at + 2 == row + sizeof(row))
			return;
		*at++ = *name;
	}
	*at++ = '"';
	*at++ = ']';
	tw_buf_add(out, row, (size_t)(at - row));
}

/* Formats the object of rules.json. Its list of rules is formatted without jansson, for speed,
 * because the policy takes effect only after this. */
static void print_rules(const struct tw_store *store, struct tw_slots *slots,
	const struct tw_inforce *inforce, uint32_t epoch, struct tw_buf *out)
{
	tw_autofree char *rest = tw_sealed_members(
		store, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "source", inforce->source,
			       "generation", (json_int_t)inforce->generation, "since",
			       (json_int_t)inforce->since_ns, "epoch", (json_int_t)epoch, "text",
			       (json_int_t)inforce->mark, "file", (json_int_t)inforce->file_mark));
	static const char head[] = "\"rules\":[";
	tw_auto_buf struct tw_buf body = {0};
	size_t first = strlen(head);

	tw_buf_adds(&body, head);
	for (uint32_t i = 0; i < slots->n; i++) {
		const char *name = tw_slots_name(slots, i);

		if (name)
			add_row(&body, i, name);
	}
	/* The first row has no comma. */
	if (body.len > first && body.data[first] == ',')
		body.data[first] = ' ';
	tw_buf_adds(&body, "],");
	tw_buf_adds(&body, rest ? rest : "");
	if (!body.failed)
		tw_sealed_add(out, body.data, body.len);
	out->failed |= !rest || body.failed;
}

int tw_staged_write(struct tw_store *store, struct tw_slots *slots,
	const struct tw_inforce *inforce, uint32_t epoch, struct tw_err *err)
{
	tw_auto_buf struct tw_buf rules = {0};
	int ret;

	print_rules(store, slots, inforce, epoch, &rules);
	ret = rules.failed ? tw_store_no_memory(store, err) : 0;
	if (!ret)
		ret = tw_store_stage(
			store, TW_STORE_POLICY, inforce->text->bytes, inforce->text->len, err);
	if (!ret)
		ret = tw_store_stage(store, TW_STORE_RULES, rules.data, rules.len, err);
	if (ret < 0)
		tw_store_unstage(store);
	return ret;
}

static bool is_text(struct tw_store *store, const char *name, uint64_t mark)
{
	tw_autofree char *text = NULL;
	size_t len;

	return !tw_store_read(store, name, &text, &len) && tw_policy_text_mark(text, len) == mark;
}

static uint64_t mark_in(json_t *root)
{
	return (uint64_t)json_integer_value(json_object_get(root, "text"));
}

void tw_staged_recover(struct tw_store *store, uint32_t epoch, uint64_t in_force)
{
	json_t *root = tw_sealed_read(store, TW_STORE_STAGED(TW_STORE_RULES));
	uint64_t mark = mark_in(root);

	/* The policy file may be in place already, because it is renamed before rules.json. */
	if (root &&
		(in_force ? mark == in_force
			  : json_integer_value(json_object_get(root, "epoch")) == epoch) &&
		(is_text(store, TW_STORE_STAGED(TW_STORE_POLICY), mark) ||
			is_text(store, TW_STORE_POLICY, mark)))
		tw_store_keep(store, NULL);
	else
		tw_store_unstage(store);
	json_decref(root);
}

uint64_t tw_staged_mark(struct tw_store *store)
{
	json_t *root = tw_sealed_read_any(store, TW_STORE_RULES);
	uint64_t mark = root ? mark_in(root) : 0;

	json_decref(root);
	return mark;
}

int tw_staged_load_rules(struct tw_store *store, struct tw_slots *slots, struct tw_saved_rules *ret)
{
	struct tw_saved_rules saved;
	json_t *root = tw_sealed_read(store, TW_STORE_RULES), *row;
	const char *source;
	size_t i;

	if (!root)
		return -ENOENT;
	json_array_foreach (json_object_get(root, "rules"), i, row) {
		const char *name = json_string_value(json_array_get(row, 1));
		json_int_t number = json_integer_value(json_array_get(row, 0));

		if (name && json_is_integer(json_array_get(row, 0)) && number >= 0 &&
			number < TW_RULES_MAX)
			tw_slots_restore(slots, (uint32_t)number, name);
	}
	source = json_string_value(json_object_get(root, "source"));
	saved.source = tw_strdup(source ? source : TW_STORE_POLICY);
	saved.generation = (uint64_t)json_integer_value(json_object_get(root, "generation"));
	saved.since_ns = (uint64_t)json_integer_value(json_object_get(root, "since"));
	json_decref(root);
	if (!saved.source)
		return -ENOMEM;
	*ret = saved;
	return 0;
}

void tw_staged_load_given(struct tw_store *store, struct tw_saved_given *ret)
{
	tw_autofree char *policy = NULL;
	const char *source;
	json_t *root;
	size_t len;

	*ret = (struct tw_saved_given){0};
	snprintf(ret->source, sizeof(ret->source), "%s/%s", tw_store_path(store), TW_STORE_POLICY);
	if (tw_store_read(store, TW_STORE_POLICY, &policy, &len) < 0)
		return;
	ret->mark = tw_policy_text_mark(policy, len);
	root = tw_sealed_read_any(store, TW_STORE_RULES);
	source = json_string_value(json_object_get(root, "source"));
	/* The origin counts only for the policy in the directory. */
	if ((uint64_t)json_integer_value(json_object_get(root, "text")) == ret->mark) {
		ret->file_mark = (uint64_t)json_integer_value(json_object_get(root, "file"));
		if (source)
			snprintf(ret->source, sizeof(ret->source), "%s", source);
	}
	json_decref(root);
}
