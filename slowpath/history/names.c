/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "slowpath/history/db.h"
#include "slowpath/history/sum.h"

#define FIRST_SLOTS 1024u

void tw_history_names_done(struct tw_history_names *names)
{
	tw_vec_foreach (&names->texts, t)
		free(t->text);
	tw_vec_done(&names->texts);
	free(names->slot);
	*names = (struct tw_history_names){0};
}

static size_t slot_of(const struct tw_history_names *names, unsigned int noun, const char *text)
{
	uint64_t hash = tw_history_sum(noun, text, strlen(text));
	size_t at = (hash ^ hash >> 32) & (names->n_slots - 1);

	for (; names->slot[at]; at = (at + 1) & (names->n_slots - 1)) {
		const struct tw_history_text *t = &names->texts.at[names->slot[at] - 1];

		if (t->noun == noun && !strcmp(t->text, text))
			break;
	}
	return at;
}

static int make_slots(struct tw_history_names *names)
{
	size_t n_slots = names->n_slots ? 2 * names->n_slots : FIRST_SLOTS;
	uint32_t *slot;

	if (2 * (names->texts.n + 1) < names->n_slots)
		return 0;
	slot = tw_alloc_array(n_slots, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	free(names->slot);
	names->slot = slot;
	names->n_slots = n_slots;
	for (size_t i = 0; i < names->texts.n; i++)
		slot[slot_of(names, names->texts.at[i].noun, names->texts.at[i].text)] =
			(uint32_t)i + 1;
	return 0;
}

static int add_text(
	struct tw_history_names *names, unsigned int noun, const char *text, uint32_t number)
{
	struct tw_history_text t = {
		.number = number, .noun = (uint8_t)noun, .text = tw_strdup(text)};
	int err = t.text ? make_slots(names) : -ENOMEM;
	size_t at;

	if (!err)
		err = tw_vec_push(&names->texts, t);
	if (err) {
		free(t.text);
		return err;
	}
	at = slot_of(names, noun, text);
	names->slot[at] = (uint32_t)names->texts.n;
	return 0;
}

int tw_history_names_load(struct tw_history_names *names, sqlite3 *db)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int err = tw_history_db_prepare(db, "SELECT id, kind, text FROM name ORDER BY id", &get),
	    result;

	names->next = 1;
	if (err)
		return err;
	while ((result = sqlite3_step(get)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(get, 2);

		if (!text)
			return -ENOMEM;
		err = add_text(names, (unsigned int)sqlite3_column_int(get, 1), text,
			(uint32_t)sqlite3_column_int64(get, 0));
		if (err)
			return err;
		names->next = (uint32_t)sqlite3_column_int64(get, 0) + 1;
	}
	names->n_stored = names->texts.n;
	return tw_history_db_errno(db, result);
}

int tw_history_names_find(struct tw_history_names *names, enum tw_history_noun noun,
	const char *text, uint32_t *ret_number)
{
	size_t at;
	int err = make_slots(names);

	if (!text || !text[0]) {
		*ret_number = 0;
		return 0;
	}
	if (err)
		return err;
	at = slot_of(names, noun, text);
	if (!names->slot[at]) {
		err = names->texts.n < TW_HISTORY_NAMES_MAX
			      ? add_text(names, noun, text, names->next)
			      : -ENOSPC;
		if (err)
			return err;
		*ret_number = names->next++;
		return 0;
	}
	*ret_number = names->texts.at[names->slot[at] - 1].number;
	return 0;
}

int tw_history_names_store(const struct tw_history_names *names, sqlite3 *db)
{
	tw_auto_statement sqlite3_stmt *put = NULL;
	int err = 0;

	if (names->n_stored == names->texts.n)
		return 0;
	err = tw_history_db_prepare(db, "INSERT INTO name(id, kind, text) VALUES(?, ?, ?)", &put);
	for (size_t i = names->n_stored; i < names->texts.n && !err; i++) {
		const struct tw_history_text *t = &names->texts.at[i];

		sqlite3_bind_int64(put, 1, t->number);
		sqlite3_bind_int(put, 2, t->noun);
		sqlite3_bind_text(put, 3, t->text, -1, SQLITE_STATIC);
		err = tw_history_db_run(put);
	}
	return err;
}

void tw_history_names_stored(struct tw_history_names *names)
{
	names->n_stored = names->texts.n;
}
