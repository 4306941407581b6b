/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/quarantines.h"

#include <stdio.h>
#include <string.h>

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

int tw_quarantines_save(
	struct tw_quarantines *quarantines, struct tw_store *store, struct tw_err *err)
{
	json_t *list = json_array();
	int ret;

	tw_vec_foreach (&quarantines->list, q)
		if (json_array_append_new(
			    list, json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "workload",
					  q->workload, "reason", q->reason, "who", q->who, "since",
					  (json_int_t)q->since_s, "until", (json_int_t)q->until_s,
					  "ports", pack_ports(q))) < 0) {
			json_decref(list);
			return tw_store_no_memory(store, err);
		}
	ret = tw_sealed_write(
		store, TW_STORE_QUARANTINE, json_pack("{s:o}", "quarantines", list), err);
	tw_vec_foreach (&quarantines->list, q)
		q->unsaved &= ret < 0;
	return ret;
}

static void copy_text(char *to, size_t max, const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	snprintf(to, max, "%s", text ? text : "");
}

bool tw_quarantines_load(struct tw_quarantines *quarantines, struct tw_store *store)
{
	json_t *root = tw_sealed_read_any(store, TW_STORE_QUARANTINE), *row, *port;
	size_t i, k;
	bool usable;

	json_array_foreach (json_object_get(root, "quarantines"), i, row) {
		struct tw_quarantine q = {
			.since_s = (uint64_t)json_integer_value(json_object_get(row, "since")),
			.until_s = (uint64_t)json_integer_value(json_object_get(row, "until"))};

		copy_text(q.workload, sizeof(q.workload), row, "workload");
		copy_text(q.reason, sizeof(q.reason), row, "reason");
		copy_text(q.who, sizeof(q.who), row, "who");
		json_array_foreach (json_object_get(row, "ports"), k, port)
			if (json_is_string(port))
				tw_quarantines_note(&q, json_string_value(port));
		q.unsaved = false;
		if (!q.workload[0] || i >= TW_QUARANTINES_MAX)
			continue;
		if (tw_vec_push(&quarantines->list, q) < 0)
			tw_log(TW_LOG_ERR, "out of memory: workload %s is NOT in quarantine",
				q.workload);
	}
	usable = root || !tw_store_has(store, TW_STORE_QUARANTINE);
	json_decref(root);
	return usable;
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
		if (workload ? !strcmp(q->workload, workload) : has_port(q, port))
			return q;
	return NULL;
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
