/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/json_message.h"

#include "link/flow.h"
#include "link/json.h"

static json_t *conflicts_json(const Tapwall__V1__Status *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->n_conflicts; i++)
		json_array_append_new(array,
			json_pack("{s:o, s:o, s:o}", "port", tw_json_text(s->conflicts[i]->port),
				"conflict", tw_json_text(s->conflicts[i]->name), "why",
				tw_json_text(s->conflicts[i]->text)));
	return array;
}

/* Returns JSON null if the last policy was not refused. */
static json_t *refused_json(const Tapwall__V1__Status *s)
{
	return s->refused_source[0]
		       ? json_pack("{s:o, s:o, s:o}", "source", tw_json_text(s->refused_source),
				 "why", tw_json_text(s->refused_text), "age_s",
				 tw_json_s(s->refused_age_s))
		       : json_null();
}

static json_t *quarantines_json(const Tapwall__V1__Status *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->n_quarantines; i++)
		json_array_append_new(array, tw_json_quarantine(s->quarantines[i]));
	return array;
}

static json_t *split_brains_json(const Tapwall__V1__Status *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->n_split_brains; i++) {
		const Tapwall__V1__SplitBrain *split = s->split_brains[i];

		json_array_append_new(array,
			json_pack("{s:o, s:o, s:o, s:o}", "address", tw_json_text(split->address),
				"holder", tw_json_text(split->holder), "rival",
				tw_json_text(split->rival), "age_s", tw_json_s(split->age_s)));
	}
	return array;
}

/* Returns JSON null if no policy waits to be confirmed, and the agent has not returned from one. */
static json_t *confirmation_json(const Tapwall__V1__Confirmation *c)
{
	if (!c)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "previous",
		tw_json_text(c->previous), "left_s",
		c->previous[0] ? tw_json_s(c->left_s) : json_null(), "returned_from",
		tw_json_text(c->returned_from), "why", tw_json_text(c->returned_why),
		"returned_age_s", c->returned_from[0] ? tw_json_s(c->returned_age_s) : json_null(),
		"tripwire", c->tripwire ? tw_json_u64(c->tripwire - 1) : json_null(), "cut",
		c->tripwire ? tw_json_u64(c->cut) : json_null());
}

/* Returns JSON null if no slow path is configured. */
static json_t *slow_path_json(const Tapwall__V1__SlowPath *s)
{
	json_t *state, *kept;

	if (!s)
		return json_null();
	kept = json_pack("{s:{s:o, s:o, s:o, s:o, s:o}}", "events", "kept",
		tw_json_u64(s->events_kept), "memory_bytes", tw_json_u64(s->events_memory_bytes),
		"disk_bytes", tw_json_u64(s->events_disk_bytes), "dropped",
		tw_json_u64(s->events_dropped), "trouble", tw_json_text(s->events_trouble));
	state = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address",
		tw_json_text(s->address), "state", tw_json_text(s->state), "state_age_s",
		tw_json_s(s->state_age_s), "name", tw_json_text(s->name), "version",
		tw_json_text(s->version), "why", tw_json_text(s->why), "why_age_s",
		tw_json_s(s->why_age_s), "attempts", tw_json_u64(s->attempts), "retry_s",
		tw_json_s(s->retry_s), "certificate_left_s", tw_json_s(s->certificate_left_s),
		"renewal_failed", tw_json_text(s->renewal_failed));
	return tw_json_merge(state, kept);
}

static json_t *orders_json(const Tapwall__V1__Status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_orders; i++) {
		const Tapwall__V1__ApplyOrder *order = s->orders[i];

		json_array_append_new(list,
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "source",
				tw_json_text(order->source), "author", tw_json_text(order->author),
				"age_s", tw_json_s(order->age_s), "step", tw_json_text(order->step),
				"bytes", tw_json_u64(order->bytes), "dry_run", order->dry_run));
	}
	return list;
}

json_t *tw_json_status(const Tapwall__V1__Status *s)
{
	json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
		tw_json_text(s->version), "pid", tw_json_u64(s->pid), "uptime_s",
		tw_json_s(s->uptime_s), "policy_source", tw_json_text(s->policy_source),
		"policy_generation", tw_json_u64(s->policy_generation), "policy_age_s",
		tw_json_s(s->policy_age_s), "rules", tw_json_u64(s->rules), "workloads",
		tw_json_u64(s->workloads));
	json_t *tables = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o}",
		"ports_protected", tw_json_u64(s->ports_protected), "ports_unclaimed",
		tw_json_u64(s->ports_unclaimed), "ports_shut", tw_json_u64(s->ports_shut),
		"connections", tw_json_u64(s->connections), "connections_max",
		tw_json_u64(s->connections_max), "connection_records",
		tw_json_u64(s->connection_records), "connection_bytes",
		tw_json_u64(s->connection_bytes), "image_bytes", tw_json_u64(s->image_bytes),
		"image_bytes_per_rule", s->image_bytes_per_rule, "images", tw_json_u64(s->images));
	json_t *rest = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b}", "events_lost",
		tw_json_u64(s->events_lost), "events_limited", tw_json_u64(s->events_limited),
		"attach", tw_json_text(s->attach), "bpffs", tw_json_text(s->bpffs), "forwarding",
		tw_json_text(s->forwarding), "bridged", tw_json_text(s->bridged), "asks_bridges",
		s->asks_bridges, "uplinks", tw_json_names(s->uplinks, s->n_uplinks), "latch",
		s->latch);

	json_t *gaps = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "ports_open",
		tw_json_u64(s->ports_open), "open", tw_json_names(s->open, s->n_open),
		"ports_conflicting", tw_json_u64(s->ports_conflicting), "conflicts",
		conflicts_json(s), "workloads_sought", tw_json_u64(s->workloads_sought), "sought",
		tw_json_names(s->sought, s->n_sought));

	json_t *proof = json_pack("{s:o, s:o, s:o, s:o, s:b, s:o}", "ports_unfiltered",
		tw_json_u64(s->ports_unfiltered), "unfiltered",
		tw_json_names(s->unfiltered, s->n_unfiltered), "proof_age_s",
		tw_json_s(s->proof_age_s), "programs_lost", tw_json_u64(s->programs_lost),
		"latch_every_kind", s->latch_every_kind, "degraded",
		tw_json_names(s->degraded, s->n_degraded));

	json_t *loads = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "slow_path",
		slow_path_json(s->slow_path), "default", tw_json_text(s->default_), "unclaimed",
		tw_json_text(s->unclaimed), "file", tw_json_text(s->file), "file_state",
		tw_json_text(s->file_state), "refused", refused_json(s), "confirmation",
		confirmation_json(s->confirmation));
	json_object_set_new(loads, "quarantines", quarantines_json(s));
	json_object_set_new(loads, "split_brains", split_brains_json(s));
	json_object_set_new(loads, "orders", orders_json(s));
	json_object_set_new(loads, "longest_pause_s", tw_json_s(s->longest_pause_s));
	json_object_set_new(loads, "longest_pause_age_s", tw_json_s(s->longest_pause_age_s));
	json_object_set_new(loads, "mode", tw_json_text(s->mode));
	json_object_set_new(loads, "ports_observed", tw_json_u64(s->ports_observed));
	json_object_set_new(loads, "observed", tw_json_names(s->observed, s->n_observed));

	json_t *asks = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "deciders",
		tw_json_u64(s->deciders), "questions_open", tw_json_u64(s->questions_open),
		"questions", tw_json_u64(s->questions), "questions_answered",
		tw_json_u64(s->questions_answered), "questions_overdue",
		tw_json_u64(s->questions_overdue), "questions_dropped",
		tw_json_u64(s->questions_dropped), "answers_refused",
		tw_json_u64(s->answers_refused));

	object = tw_json_merge(tw_json_merge(object, tables), rest);
	object = tw_json_merge(object, asks);
	object = tw_json_merge(object, loads);
	return tw_json_merge(tw_json_merge(object, gaps), proof);
}

static json_t *unprotected_json(const Tapwall__V1__Applied *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->n_unprotected; i++)
		json_array_append_new(
			list, json_pack("{s:o, s:o}", "port", tw_json_text(a->unprotected[i]->port),
				      "workload", tw_json_text(a->unprotected[i]->workload)));
	return list;
}

json_t *tw_json_applied(const Tapwall__V1__Applied *a, bool dry_run, bool refused)
{
	json_t *rules = json_pack("{s:o, s:o, s:o}", "added",
		tw_json_names(a->rules_added, a->n_rules_added), "removed",
		tw_json_names(a->rules_removed, a->n_rules_removed), "changed",
		tw_json_names(a->rules_changed, a->n_rules_changed));
	json_t *workloads = json_pack("{s:o, s:o, s:o}", "added",
		tw_json_names(a->workloads_added, a->n_workloads_added), "removed",
		tw_json_names(a->workloads_removed, a->n_workloads_removed), "changed",
		tw_json_names(a->workloads_changed, a->n_workloads_changed));

	json_t *open = json_pack("{s:o, s:o, s:o, s:o, s:b}", "ports_unprotected",
		tw_json_u64(a->n_unprotected), "unprotected", unprotected_json(a), "open",
		tw_json_names(a->open, a->n_open), "dangers",
		tw_json_names(a->dangers, a->n_dangers), "refused", refused);
	json_t *change = json_pack("{s:o, s:b, s:b, s:f, s:f, s:o, s:o, s:o}", "generation",
		tw_json_u64(a->generation), "dry_run", dry_run, "unchanged", a->unchanged,
		"compile_ms", a->compile_ms, "publish_ms", a->publish_ms, "rules", rules,
		"workloads", workloads, "ports_changed",
		tw_json_names(a->ports_changed, a->n_ports_changed));

	return tw_json_merge(open, change);
}

json_t *tw_json_features(const Tapwall__V1__Version *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_features; i++) {
		const Tapwall__V1__Feature *f = v->features[i];

		if (json_array_append_new(
			    list, json_pack("{s:o, s:b, s:b, s:o}", "name", tw_json_text(f->name),
					  "found", f->found, "used", f->used, "note",
					  tw_json_text(f->note))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *tw_json_response(const Tapwall__V1__Response *response)
{
	switch (response->body_case) {
	case TAPWALL__V1__RESPONSE__BODY_STATUS:
		return tw_json_status(response->status);
	case TAPWALL__V1__RESPONSE__BODY_PORT:
		return tw_json_port(response->port);
	case TAPWALL__V1__RESPONSE__BODY_WORKLOAD:
		return tw_json_workload(response->workload);
	case TAPWALL__V1__RESPONSE__BODY_GROUP:
		return tw_json_group(response->group);
	case TAPWALL__V1__RESPONSE__BODY_FLOW:
		return tw_flow_json(response->flow);
	case TAPWALL__V1__RESPONSE__BODY_RULE:
		return tw_json_rule(response->rule);
	case TAPWALL__V1__RESPONSE__BODY_COUNTER:
		return tw_json_counter(response->counter);
	case TAPWALL__V1__RESPONSE__BODY_AGENT:
		return tw_json_agent(response->agent);
	case TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION:
		return tw_json_policy_version(response->policy_version);
	case TAPWALL__V1__RESPONSE__BODY_QUARANTINE:
		return tw_json_quarantine(response->quarantine);
	case TAPWALL__V1__RESPONSE__BODY_QUARANTINE_TARGET:
		return tw_json_quarantine_target(response->quarantine_target);
	case TAPWALL__V1__RESPONSE__BODY_POLICY_TARGET:
		return tw_json_policy_target(response->policy_target);
	case TAPWALL__V1__RESPONSE__BODY_QUESTION:
		return tw_json_question(response->question);
	case TAPWALL__V1__RESPONSE__BODY_LOG:
		return tw_json_log_entry(response->log);
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_ROW:
		return tw_json_history_row(response->history_row);
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_TOTAL:
		return tw_json_history_total(response->history_total);
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_USE:
		return tw_json_history_use(response->history_use);
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_SOURCE:
		return tw_json_history_source(response->history_source);
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_STATE:
		return tw_json_history_state(response->history_state);
	default:
		return NULL;
	}
}
