/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/feed/translate.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/clean.h"
#include "fastpath/abi/names.h"

#define NS_PER_US 1000u
#define NS_PER_MS 1000000u

_Static_assert(sizeof(((struct tw_event_row *)0)->from) == sizeof(struct tw_addr), "an address");
_Static_assert((int)TW_DIR_OUT == 0 && (int)TW_DIR_IN == 1, "directions as in link.proto");

void tw_translate_reset(struct tw_translation *translation)
{
	translation->known.n = 0;
}

void tw_translate_done(struct tw_translation *translation)
{
	tw_vec_done(&translation->known);
}

/* ---- names ---- */

/* Returns the translation of an id, or NULL if memory runs out. */
static struct tw_translate_known *known_at(struct tw_translation *translation, uint32_t id)
{
	static const struct tw_translate_known unknown;

	while (translation->known.n <= id)
		if (tw_vec_push(&translation->known, unknown))
			return NULL;
	return &translation->known.at[id];
}

static int find_name(struct tw_translation *translation, const struct tw_dictionary *dictionary,
	enum tw_history_noun noun, uint32_t id, uint32_t *ret)
{
	char text[TW_TRANSLATE_NAME_MAX + 1];
	struct tw_translate_known *known;
	int err = 0;

	*ret = 0;
	if (!id)
		return 0;
	known = known_at(translation, id);
	if (!known)
		return -ENOMEM;
	if (!known->number[noun]) {
		snprintf(text, sizeof(text), "%s", tw_dictionary_text(dictionary, id));
		tw_clean(text, strlen(text));
		err = translation->name(translation->arg, noun, text, &known->number[noun]);
	}
	*ret = known->number[noun];
	return err;
}

static unsigned int state_of(const char *text)
{
	for (unsigned int state = 0; state < TW_S__MAX; state++)
		if (!strcmp(tw_state_name(state), text))
			return state;
	return TW_HISTORY_UNKNOWN;
}

static int find_words(struct tw_translation *translation, const struct tw_dictionary *dictionary,
	const struct tw_event_row *row, struct tw_history_row *ret)
{
	struct tw_translate_known *reason, *state;
	int number;

	reason = known_at(translation, row->reason > row->state ? row->reason : row->state);
	if (!reason)
		return -ENOMEM;
	reason = &translation->known.at[row->reason];
	state = &translation->known.at[row->state];
	if (!reason->reason) {
		number = tw_reason_from_name(tw_dictionary_text(dictionary, row->reason));
		reason->reason = (uint16_t)(1 + (number < 0 ? TW_HISTORY_UNKNOWN : number));
	}
	if (!state->state)
		state->state = (uint16_t)(1 + state_of(tw_dictionary_text(dictionary, row->state)));
	ret->reason = (uint8_t)(reason->reason - 1);
	ret->state = (uint8_t)(state->state - 1);
	return 0;
}

static int find_names(struct tw_translation *translation, const struct tw_dictionary *dictionary,
	const struct tw_event_row *row, struct tw_history_row *ret)
{
	const uint32_t workload[] = {row->from_workload, row->to_workload};
	const uint32_t rule[] = {row->out_rule, row->in_rule};
	const uint8_t verdict[] = {row->out_verdict, row->in_verdict};
	const uint32_t port[] = {row->out_port, row->in_port};
	int err = find_words(translation, dictionary, row, ret);

	for (int dir = 0; dir < TW_DIR__MAX && !err; dir++) {
		bool here = dir == row->direction;
		/* Even for a frame without addresses, the port that denied it knows its own
		 * workload and the rule that decided. */
		bool none = here && !verdict[dir];

		ret->gate_verdict[dir] = none && row->rule ? row->verdict : verdict[dir];
		err = find_name(translation, dictionary, TW_HISTORY_RULE,
			none ? row->rule : rule[dir], &ret->rule[dir]);
		if (!err)
			err = find_name(translation, dictionary, TW_HISTORY_WORKLOAD,
				here && !workload[dir] ? row->workload : workload[dir],
				&ret->workload[dir]);
		if (!err)
			err = find_name(translation, dictionary, TW_HISTORY_TAP,
				here && !port[dir] ? row->port : port[dir], &ret->tap[dir]);
	}
	return err;
}

/* ---- rows ---- */

static bool is_usable(const struct tw_event_row *row)
{
	return row->kind >= TW_EVENT_ROW_CLOSE && row->kind <= TW_EVENT_ROW_LIVE &&
	       row->direction < TW_DIR__MAX && row->verdict < TW_V__MAX &&
	       row->out_verdict < TW_V__MAX && row->in_verdict < TW_V__MAX;
}

static void fill_sums(const struct tw_event_row *row, struct tw_history_row *ret)
{
	if (row->kind == TW_EVENT_ROW_DENY) {
		ret->packets[TW_WAY_ORIGINAL] = 1;
		ret->bytes[TW_WAY_ORIGINAL] = row->len;
		return;
	}
	ret->packets[TW_WAY_ORIGINAL] = row->packets_out;
	ret->packets[TW_WAY_REPLY] = row->packets_in;
	ret->bytes[TW_WAY_ORIGINAL] = row->bytes_out;
	ret->bytes[TW_WAY_REPLY] = row->bytes_in;
	/* An older agent sends neither first_ns nor last_ns. */
	ret->duration_ms = row->age_ns / NS_PER_MS;
	if (row->first_ns && row->last_ns >= row->first_ns && row->last_ns <= row->time_ns) {
		ret->duration_ms = (row->last_ns - row->first_ns) / NS_PER_MS;
		ret->idle_ms = (row->time_ns - row->last_ns) / NS_PER_MS;
	}
}

int tw_translate_row(struct tw_translation *translation, const struct tw_event_reader *reader,
	const struct tw_event_row *row, uint64_t now_us, struct tw_history_row *ret)
{
	static const uint8_t kinds[] = {[TW_EVENT_ROW_CLOSE] = TW_HISTORY_CLOSE,
		[TW_EVENT_ROW_DENY] = TW_HISTORY_DENY,
		[TW_EVENT_ROW_LIVE] = TW_HISTORY_LIVE};
	bool icmp = row->proto == IPPROTO_ICMP || row->proto == IPPROTO_ICMPV6;
	uint64_t time_us = row->time_ns / NS_PER_US;
	bool denied = row->kind == TW_EVENT_ROW_DENY;
	int err;

	if (!is_usable(row))
		return 0;
	if (reader->generation != translation->generation)
		tw_translate_reset(translation);
	translation->generation = reader->generation;
	*ret = (struct tw_history_row){
		.time_us = time_us > now_us || time_us < TW_TRANSLATE_LEAST_US ? now_us : time_us,
		.host = translation->host,
		.port = {row->from_port, icmp ? row->icmp_type : row->to_port},
		.proto = row->proto,
		.kind = kinds[row->kind],
		.verdict = row->verdict,
		.dir = denied ? row->direction : 0,
	};
	memcpy(&ret->addr[TW_DIR_OUT], row->from, sizeof(row->from));
	memcpy(&ret->addr[TW_DIR_IN], row->to, sizeof(row->to));
	fill_sums(row, ret);
	err = find_names(translation, &reader->dictionary, row, ret);
	return err ? err : 1;
}
