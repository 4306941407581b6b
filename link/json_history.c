/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* json_history.c: converts answers from the history to JSON objects. */
#include "link/json_message.h"

#include "link/flow.h"
#include "link/json.h"

#define US_PER_S 1e6

static json_t *time_json(uint64_t time_us)
{
	return time_us ? json_real((double)time_us / US_PER_S) : json_null();
}

json_t *tw_json_history_row(const Tapwall__V1__HistoryRow *r)
{
	json_t *what = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "time", time_json(r->time_us),
		"event", tw_json_text(r->event), "verdict", tw_json_text(r->verdict), "reason",
		tw_json_text(r->reason), "rule", tw_json_text(r->rule), "proto",
		tw_json_text(r->proto));
	json_t *who = json_pack("{s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "from",
		tw_flow_end_json(r->from), "to", tw_flow_end_json(r->to), "out",
		tw_flow_gate_json(r->out), "in", tw_flow_gate_json(r->in), "ports", "out",
		tw_json_text(r->out_port), "in", tw_json_text(r->in_port));
	json_t *much = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "direction",
		tw_json_text(r->direction), "state", tw_json_text(r->state), "packets",
		tw_json_out_in(r->packets_out, r->packets_in), "bytes",
		tw_json_out_in(r->bytes_out, r->bytes_in), "duration_s", tw_json_s(r->duration_s),
		"idle_s", tw_json_s(r->idle_s), "agent", tw_json_text(r->agent));

	what = tw_json_merge(tw_json_merge(what, who), much);
	return tw_flow_proto_json(what, r->proto, r->icmp_type);
}

/* Returns the key of a total: the address, service or rule whose figures it adds up. */
static json_t *key_json(const Tapwall__V1__HistoryTotal *t)
{
	if (t->others)
		return json_pack("{s:b}", "others", true);
	if (t->address[0])
		return json_pack("{s:o, s:o}", "address", tw_json_text(t->address), "workload",
			tw_json_text(t->name));
	if (t->proto[0])
		return json_pack("{s:{s:o, s:o}}", "service", "proto", tw_json_text(t->proto),
			"port", tw_json_u64(t->port));
	return json_pack("{s:o}", "rule", tw_json_text(t->name));
}

json_t *tw_json_history_total(const Tapwall__V1__HistoryTotal *t)
{
	json_t *sums = json_pack("{s:o, s:o, s:o, s:o}", "connections", tw_json_u64(t->connections),
		"denials", tw_json_u64(t->denials), "packets",
		tw_json_out_in(t->packets_out, t->packets_in), "bytes",
		tw_json_out_in(t->bytes_out, t->bytes_in));

	return tw_json_merge(key_json(t), sums);
}

json_t *tw_json_history_use(const Tapwall__V1__HistoryUse *u)
{
	return json_pack("{s:o, s:o, s:o}", "rule", tw_json_text(u->rule), "last",
		time_json(u->last_us), "decided", tw_json_u64(u->rows));
}

json_t *tw_json_history_source(const Tapwall__V1__HistorySource *s)
{
	return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "agent", tw_json_text(s->agent),
		"followed", s->followed, "rows", tw_json_u64(s->rows), "lost", tw_json_u64(s->lost),
		"unusable", tw_json_u64(s->unusable), "last", time_json(s->last_us), "why",
		tw_json_text(s->why));
}

json_t *tw_json_history_state(const Tapwall__V1__HistoryState *s)
{
	json_t *has = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "path", tw_json_text(s->path),
		"rows", tw_json_u64(s->rows), "bytes", tw_json_u64(s->bytes), "blocks",
		tw_json_u64(s->blocks), "oldest", time_json(s->oldest_us), "newest",
		time_json(s->newest_us));
	json_t *does = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "recorded",
		tw_json_u64(s->recorded), "pending", tw_json_u64(s->pending), "dropped",
		tw_json_u64(s->dropped), "failing", tw_json_text(s->failing), "failing_s",
		s->failing[0] ? tw_json_s(s->failing_s) : json_null(), "bytes_max",
		s->bytes_max ? tw_json_u64(s->bytes_max) : json_null(), "age_max_s",
		s->age_max_s > 0 ? tw_json_s(s->age_max_s) : json_null());

	return tw_json_merge(has, does);
}
