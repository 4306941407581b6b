/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/quarantine/spread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/log.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

struct tw_spread {
	struct tw_spread_setup setup;
	struct tw_spread_row *rows; /* ascending by the agent's name */
};

static const char *const state_names[] = {
	[TW_SPREAD_ACCEPTED] = "accepted",
	[TW_SPREAD_REFUSED] = "refused",
	[TW_SPREAD_WAITING] = "waiting",
	[TW_SPREAD_AWAY] = "away",
};
_Static_assert(
	sizeof(state_names) / sizeof(state_names[0]) == TW_SPREAD__MAX, "a name for each state");

const char *tw_spread_state_name(enum tw_spread_state state)
{
	return state_names[state];
}

/* ---- rows ---- */

static struct tw_spread_row *row_of(struct tw_spread *spread, struct tw_agents_row *agent)
{
	struct tw_spread_row *row = agent->spread, **at = &spread->rows;

	if (row)
		return row;
	row = tw_alloc(sizeof(*row));
	if (!row)
		return NULL;
	row->spread = spread;
	row->agent = agent;
	agent->spread = row;
	while (*at && strcmp((*at)->agent->name, agent->name) < 0)
		at = &(*at)->next;
	row->next = *at;
	*at = row;
	return row;
}

const struct tw_spread_row *tw_spread_first(const struct tw_spread *spread)
{
	return spread->rows;
}

enum tw_spread_state tw_spread_state(const struct tw_spread_row *row, uint64_t change)
{
	if (row->known >= change)
		return TW_SPREAD_ACCEPTED;
	if (row->error[0])
		return TW_SPREAD_REFUSED;
	return row->agent->peer ? TW_SPREAD_WAITING : TW_SPREAD_AWAY;
}

uint32_t tw_spread_ports(const struct tw_spread_row *row, uint64_t change)
{
	for (size_t i = 0; i < TW_SPREAD_HITS; i++)
		if (row->hits[i].change == change)
			return row->hits[i].ports;
	return 0;
}

/* ---- names ---- */

bool tw_spread_has(const struct tw_spread_names *names, const char *workload)
{
	for (size_t i = 0; i < names->n && i < TW_SPREAD_NAMES; i++)
		if (!strcmp(names->at[i], workload))
			return true;
	return false;
}

static void add_name(struct tw_spread_names *names, const char *workload)
{
	if (names->n < TW_SPREAD_NAMES)
		snprintf(names->at[names->n], sizeof(names->at[0]), "%s", workload);
	names->n++;
}

bool tw_spread_strays(const struct tw_spread *spread, const char *workload)
{
	for (const struct tw_spread_row *row = spread->rows; row; row = row->next)
		if (tw_spread_has(&row->strays, workload))
			return true;
	return false;
}

/* ---- answers ---- */

/* True if the agent's text is one that this program could have sent. */
static bool is_usable(const Tapwall__V1__Quarantine *q)
{
	size_t len = strlen(q->workload);

	return len && len < TW_LEDGER_NAME_MAX && tw_clean_check(q->workload, len);
}

/* Adds a name. Returns the name if `before` lacks it, otherwise NULL. */
static const char *note_name(
	struct tw_spread_names *names, const struct tw_spread_names *before, const char *workload)
{
	add_name(names, workload);
	return tw_spread_has(before, workload) ? NULL : workload;
}

/* Finds out how the agent's list differs from this one. Logs one new difference of each kind, so that an agent
 * cannot fill the log. */
static void compare_lists(struct tw_spread_row *row, const Tapwall__V1__QuarantinesKept *kept)
{
	const struct tw_spread_names lifted = row->lifted, strays = row->strays;
	const char *new_lifted = NULL, *new_stray = NULL, *by = "", *name;

	row->lifted = row->strays = (struct tw_spread_names){0};
	for (size_t i = 0; i < kept->n_rows; i++) {
		const Tapwall__V1__Quarantine *q = kept->rows[i];
		const struct tw_ledger_row *here;

		if (!is_usable(q))
			continue;
		here = tw_ledger_find(row->spread->setup.ledger, q->workload);
		if (here && q->ended > 0 && q->change >= here->change) {
			name = note_name(&row->lifted, &lifted, q->workload);
			by = new_lifted || !name ? by : q->ended_by;
			new_lifted = new_lifted ? new_lifted : name;
		} else if (!here && !(q->ended > 0)) {
			name = note_name(&row->strays, &strays, q->workload);
			new_stray = new_stray ? new_stray : name;
		}
	}
	if (new_lifted)
		tw_log(TW_LOG_WARNING,
			"agent %s: the quarantine of workload %s was ended at its host, by %s; %zu in all",
			row->agent->name, new_lifted, tw_cleaned(by).text, row->lifted.n);
	if (new_stray)
		tw_log(TW_LOG_WARNING,
			"agent %s: workload %s is in quarantine there, and the slow path's list lacks it; %zu in all",
			row->agent->name, new_stray, row->strays.n);
}

static void note_hits(struct tw_spread_row *row, const Tapwall__V1__QuarantinesKept *kept)
{
	for (size_t i = 0; i < kept->n_rows; i++) {
		const Tapwall__V1__Quarantine *q = kept->rows[i];

		if (!q->n_ports || tw_spread_ports(row, q->change))
			continue;
		memmove(row->hits + 1, row->hits, sizeof(row->hits) - sizeof(row->hits[0]));
		row->hits[0] = (struct tw_spread_hit){q->change, (uint32_t)q->n_ports};
	}
}

static void note_refusal(struct tw_spread_row *row, const char *text)
{
	char old[TW_ERR_TEXT_MAX];

	memcpy(old, row->error, sizeof(old));
	snprintf(row->error, sizeof(row->error), "%s", text[0] ? text : "no reason");
	tw_clean(row->error, strlen(row->error));
	row->retry_ns = tw_clock_ns() + TW_SPREAD_RETRY_NS;
	if (strcmp(old, row->error) != 0)
		tw_log(TW_LOG_WARNING, "agent %s: refuses the list of quarantines: %s",
			row->agent->name, row->error);
}

static void on_kept(void *arg, Tapwall__V1__Response *response)
{
	struct tw_spread_row *row = arg;
	const struct tw_spread_setup *setup = &row->spread->setup;
	uint64_t before = row->acked;

	if (response && !response->last)
		return;
	row->sent = false;
	setup->told(setup->arg);
	if (!response)
		return;
	if (response->error ||
		response->body_case != TAPWALL__V1__RESPONSE__BODY_QUARANTINES_KEPT) {
		note_refusal(
			row, response->error ? response->error->text : "an answer of another kind");
		return;
	}
	if (response->quarantines_kept->n_rows > TW_LEDGER_MAX) {
		note_refusal(row, "it has more rows than an agent keeps");
		return;
	}
	row->error[0] = '\0';
	row->retry_ns = 0;
	row->acked = row->sent_to;
	if (row->acked > row->known)
		row->known = row->acked;
	if (row->acked > before)
		note_hits(row, response->quarantines_kept);
	/* If the list has changed meanwhile, the next request asks again. */
	if (!row->sent_list || row->acked != tw_ledger_newest(setup->ledger))
		return;
	row->listed = true;
	row->ended = row->sent_ended;
	compare_lists(row, response->quarantines_kept);
}

/* ---- requests ---- */

/* Room for one request. */
struct chunk {
	Tapwall__V1__QuarantineChangesRequest body;
	Tapwall__V1__QuarantineChange changes[TW_SPREAD_CHUNK];
	Tapwall__V1__QuarantineChange *list[TW_SPREAD_CHUNK];
	Tapwall__V1__Quarantine rows[TW_SPREAD_CHUNK];
	uint64_t last; /* newest change in it */
	bool full;
};

static void add_change(struct chunk *chunk, const struct tw_ledger_row *row)
{
	size_t n = chunk->body.n_changes++;
	Tapwall__V1__QuarantineChange *change = &chunk->changes[n];
	Tapwall__V1__Quarantine *q = &chunk->rows[n];

	tapwall__v1__quarantine_change__init(change);
	tapwall__v1__quarantine__init(q);
	change->quarantine = q;
	change->lift = row->ended_s > 0;
	q->workload = TEXT(row->workload);
	q->change = row->change;
	if (!change->lift) {
		q->reason = TEXT(row->reason);
		q->who = TEXT(row->who);
		q->since = (double)row->since_s;
		q->until = (double)row->until_s;
	}
	chunk->list[n] = change;
	chunk->last = row->change;
}

/* Collects the changes after `acked`. */
static void collect(const struct tw_ledger *ledger, uint64_t acked, struct chunk *chunk)
{
	const struct tw_ledger_row *row;

	tapwall__v1__quarantine_changes_request__init(&chunk->body);
	chunk->body.changes = chunk->list;
	chunk->body.n_changes = 0;
	chunk->last = acked;
	chunk->full = false;
	for (size_t i = 0; (row = tw_ledger_at(ledger, i)); i++) {
		if (row->change <= acked)
			continue;
		chunk->full = chunk->body.n_changes == TW_SPREAD_CHUNK;
		if (chunk->full)
			return;
		add_change(chunk, row);
	}
}

static void send_changes(struct tw_spread_row *row)
{
	const struct tw_agents_row *agent = row->agent;
	tw_autofree struct chunk *chunk = tw_alloc(sizeof(*chunk));
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	if (!chunk)
		return;
	collect(row->spread->setup.ledger, row->acked, chunk);
	/* The last request of a series asks for the agent's full list. So both lists are compared
	 * after every change, which may have made them equal again. */
	chunk->body.list = !chunk->full;
	request.body_case = TAPWALL__V1__REQUEST__BODY_QUARANTINE_CHANGES;
	request.quarantine_changes = &chunk->body;
	/* If it cannot be sent, the next tick tries again. */
	if (tw_peer_ask(agent->peer, &request, on_kept, row, NULL) < 0)
		return;
	row->sent = true;
	row->sent_list = chunk->body.list;
	row->sent_to = chunk->last;
	row->sent_ended = agent->quarantines_ended;
}

static void look_at(struct tw_spread_row *row)
{
	const struct tw_agents_row *agent = row->agent;

	if (!agent->peer || !agent->said || row->sent)
		return;
	if (row->connects != agent->connects) {
		row->connects = agent->connects;
		row->acked = row->retry_ns = 0;
		row->listed = false;
		row->error[0] = '\0';
	}
	if (row->retry_ns && tw_clock_ns() < row->retry_ns)
		return;
	if (row->acked < tw_ledger_newest(row->spread->setup.ledger) || !row->listed ||
		row->ended != agent->quarantines_ended)
		send_changes(row);
}

void tw_spread_tick(struct tw_spread *spread)
{
	struct tw_agents_row *agent;

	if (!spread)
		return;
	for (agent = tw_agents_first(spread->setup.agents); agent; agent = agent->next) {
		struct tw_spread_row *row = row_of(spread, agent);

		if (row)
			look_at(row);
	}
}

/* ---- for the daemon ---- */

int tw_spread_new(const struct tw_spread_setup *setup, struct tw_spread **ret)
{
	struct tw_spread *spread = tw_alloc(sizeof(*spread));

	if (!spread)
		return -ENOMEM;
	spread->setup = *setup;
	*ret = spread;
	return 0;
}

void tw_spread_free(struct tw_spread *spread)
{
	if (!spread)
		return;
	while (spread->rows) {
		struct tw_spread_row *row = spread->rows;

		spread->rows = row->next;
		free(row);
	}
	free(spread);
}
