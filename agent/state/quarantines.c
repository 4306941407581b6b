/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/quarantines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/state/present.h"
#include "agent/state/sealed.h"
#include "base/log.h"

/* ---- the file ---- */

static json_t *pack_ports(const struct tw_quarantine *q)
{
	json_t *list = json_array();

	for (size_t i = 0; i < TW_QUARANTINE_PORTS; i++)
		if (q->ports[i][0])
			json_array_append_new(list, json_string(q->ports[i]));
	return list;
}

static json_t *pack_row(const struct tw_quarantine *q)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:b, s:o}", "workload",
		q->workload, "reason", q->reason, "who", q->who, "since", (json_int_t)q->since_s,
		"until", (json_int_t)q->until_s, "change", (json_int_t)q->change, "ended",
		(json_int_t)q->ended_s, "ended_by", q->ended_by, "lost", q->lost, "ports",
		pack_ports(q));
}

int tw_quarantines_save(
	struct tw_quarantines *quarantines, struct tw_store *store, struct tw_err *err)
{
	uint64_t number = quarantines->number + 1;
	json_t *list = json_array();
	int ret;

	tw_vec_foreach (&quarantines->list, q)
		if (json_array_append_new(list, pack_row(q)) < 0) {
			json_decref(list);
			return tw_store_no_memory(store, err);
		}
	ret = tw_sealed_write(store, TW_STORE_QUARANTINE,
		json_pack("{s:I, s:o}", "number", (json_int_t)number, "quarantines", list), err);
	/* The file of an empty list need not exist. */
	if (!ret)
		ret = tw_present_note(
			store, TW_STORE_QUARANTINE, quarantines->list.n ? number : 0, err);
	quarantines->number = number;
	quarantines->unsaved = ret < 0;
	tw_vec_foreach (&quarantines->list, q)
		q->unsaved &= ret < 0;
	return ret;
}

static void copy_text(char *to, size_t max, const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	snprintf(to, max, "%s", text ? text : "");
}

static uint64_t number_of(const json_t *row, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(row, key));
}

static struct tw_quarantine unpack_row(const json_t *row)
{
	struct tw_quarantine q = {.since_s = number_of(row, "since"),
		.until_s = number_of(row, "until"),
		.change = number_of(row, "change"),
		.ended_s = number_of(row, "ended")};
	const json_t *port;
	size_t i;

	copy_text(q.workload, sizeof(q.workload), row, "workload");
	copy_text(q.reason, sizeof(q.reason), row, "reason");
	copy_text(q.who, sizeof(q.who), row, "who");
	copy_text(q.ended_by, sizeof(q.ended_by), row, "ended_by");
	q.lost = json_is_true(json_object_get(row, "lost"));
	json_array_foreach (json_object_get(row, "ports"), i, port)
		if (json_is_string(port))
			tw_quarantines_note(&q, json_string_value(port));
	q.unsaved = false;
	return q;
}

const char *tw_quarantines_load(struct tw_quarantines *quarantines, struct tw_store *store)
{
	uint64_t wanted = tw_present_number(store, TW_STORE_QUARANTINE);
	json_t *root = tw_sealed_read_any(store, TW_STORE_QUARANTINE), *row;
	const char *wrong = NULL;
	size_t i;

	json_array_foreach (json_object_get(root, "quarantines"), i, row) {
		struct tw_quarantine q = unpack_row(row);

		if (!q.workload[0] || i >= 2 * TW_QUARANTINES_MAX)
			continue;
		if (tw_vec_push(&quarantines->list, q) < 0)
			tw_log(TW_LOG_ERR, "out of memory: workload %s is NOT in quarantine",
				q.workload);
	}
	quarantines->number = number_of(root, "number");
	if (!root && tw_store_has(store, TW_STORE_QUARANTINE))
		wrong = "is damaged";
	else if (!root && wanted)
		wrong = "is missing";
	else if (quarantines->number < wanted)
		wrong = "is older than the last one";
	if (quarantines->number < wanted)
		quarantines->number = wanted;
	json_decref(root);
	return wrong;
}

void tw_quarantines_done(struct tw_quarantines *quarantines)
{
	tw_vec_done(&quarantines->list);
}

/* ---- for the plan ---- */

static bool has_port(const struct tw_quarantine *q, const char *port)
{
	for (size_t i = 0; i < TW_QUARANTINE_PORTS; i++)
		if (!strcmp(q->ports[i], port))
			return true;
	return false;
}

struct tw_quarantine *tw_quarantines_find(
	const struct tw_quarantines *quarantines, const char *workload, const char *port)
{
	tw_vec_foreach (&quarantines->list, q)
		if (!q->ended_s && (workload && !q->lost ? !strcmp(q->workload, workload)
							 : port && has_port(q, port)))
			return q;
	return NULL;
}

int tw_quarantines_keep_port(struct tw_quarantines *quarantines, const char *port)
{
	struct tw_quarantine q = {.reason = "the list of quarantines was lost",
		.who = "unknown",
		.since_s = (uint64_t)time(NULL),
		.lost = true};

	tw_vec_foreach (&quarantines->list, row)
		if (has_port(row, port))
			return 0;
	snprintf(q.workload, sizeof(q.workload), "%s", port);
	tw_quarantines_note(&q, port);
	return tw_vec_push(&quarantines->list, q);
}

/* ---- rows ---- */

struct tw_quarantine *tw_quarantines_row(
	const struct tw_quarantines *quarantines, const char *workload, bool slow_path)
{
	tw_vec_foreach (&quarantines->list, q)
		if (!q->change == !slow_path && !strcmp(q->workload, workload))
			return q;
	return NULL;
}

size_t tw_quarantines_count(const struct tw_quarantines *quarantines, bool slow_path)
{
	size_t n = 0;

	tw_vec_foreach (&quarantines->list, q)
		n += !q->change == !slow_path;
	return n;
}

void tw_quarantines_drop(struct tw_quarantines *quarantines, struct tw_quarantine *row)
{
	struct tw_quarantine *other = tw_quarantines_row(quarantines, row->workload, !row->change);

	for (size_t i = 0; i < TW_QUARANTINE_PORTS && other; i++)
		if (row->ports[i][0])
			tw_quarantines_note(other, row->ports[i]);
	*row = quarantines->list.at[--quarantines->list.n];
}

int tw_quarantines_copy(const struct tw_quarantines *quarantines, struct tw_quarantines *ret)
{
	struct tw_quarantines copy = *quarantines;

	copy.list.at = NULL;
	copy.list.n = copy.list.max = 0;
	tw_vec_foreach (&quarantines->list, q)
		if (tw_vec_push(&copy.list, *q) < 0) {
			tw_quarantines_done(&copy);
			return -ENOMEM;
		}
	*ret = copy;
	return 0;
}

void tw_quarantines_note(struct tw_quarantine *q, const char *port)
{
	size_t at = 0;

	if (has_port(q, port))
		return;
	/* If all places are used, the oldest name makes room. */
	while (at < TW_QUARANTINE_PORTS && q->ports[at][0])
		at++;
	if (at == TW_QUARANTINE_PORTS) {
		memmove(q->ports, q->ports + 1, sizeof(q->ports) - sizeof(q->ports[0]));
		at--;
	}
	snprintf(q->ports[at], sizeof(q->ports[at]), "%.*s", IFNAMSIZ - 1, port);
	q->unsaved = true;
}
