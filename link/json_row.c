/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* json_row.c: converts the rows of lists to JSON objects. */
#include "link/json_message.h"

#include <stdio.h>

#include "fastpath/abi/names.h"
#include "link/digest.h"
#include "link/flow.h"
#include "link/json.h"

json_t *tw_json_names(char *const *names, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, tw_json_text(names[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *leases_json(const Tapwall__V1__Port *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_leases; i++) {
		const Tapwall__V1__Lease *lease = p->leases[i];
		json_t *item = json_pack("{s:o, s:o, s:b}", "address", tw_json_text(lease->address),
			"left_s", tw_json_s(lease->left_s), "known", lease->known);

		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *tw_json_port(const Tapwall__V1__Port *p)
{
	json_t *who = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
		tw_json_text(p->name), "ifindex", tw_json_u64(p->ifindex), "workload",
		tw_json_text(p->workload), "state", tw_json_text(p->state), "mac",
		tw_json_text(p->mac), "addresses", tw_json_names(p->addresses, p->n_addresses),
		"leases", leases_json(p), "bridge", tw_json_text(p->bridge));
	json_t *what = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "packets",
		tw_json_out_in(p->packets_out, p->packets_in), "bytes",
		tw_json_out_in(p->bytes_out, p->bytes_in), "denied",
		tw_json_out_in(p->denied_out, p->denied_in), "rules", tw_json_u64(p->rules),
		"image_bytes", tw_json_u64(p->image_bytes), "events_limited",
		tw_json_u64(p->events_limited), "events_lost", tw_json_u64(p->events_lost));

	json_t *holds = json_pack("{s:{s:o, s:o, s:o, s:o, s:o}}", "connections", "half_open",
		tw_json_u64(p->half_open), "established", tw_json_u64(p->established), "untracked",
		tw_json_u64(p->untracked), "passed_over_quota", tw_json_u64(p->quota_passed),
		"refused_over_quota", tw_json_u64(p->quota_refused));

	json_t *bound = json_pack("{s:o, s:b, s:o, s:o, s:o, s:o}", "bridged",
		tw_json_text(p->bridged), "open", p->open, "found_by", tw_json_text(p->found_by),
		"conflict", tw_json_text(p->conflict), "why", tw_json_text(p->why), "resembles",
		tw_json_text(p->resembles));

	json_t *proof = json_pack("{s:o, s:o, s:o, s:o}", "tcp", tw_json_text(p->tcp),
		"proof_age_s", tw_json_s(p->proof_age_s), "programs_lost",
		tw_json_u64(p->programs_lost), "trouble", tw_json_text(p->trouble));

	who = tw_json_merge(tw_json_merge(who, what), holds);
	return tw_json_merge(tw_json_merge(who, bound), proof);
}

json_t *tw_json_workload(const Tapwall__V1__Workload *w)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", tw_json_text(w->name),
		"port", tw_json_text(w->port), "state", tw_json_text(w->state), "found_by",
		tw_json_text(w->found_by), "mac", tw_json_text(w->mac), "named_port",
		tw_json_text(w->named), "addresses", tw_json_names(w->addresses, w->n_addresses));
}

json_t *tw_json_group(const Tapwall__V1__Group *g)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "name", tw_json_text(g->name), "addresses",
		tw_json_u64(g->addresses), "workloads", tw_json_names(g->workloads, g->n_workloads),
		"networks", tw_json_names(g->networks, g->n_networks));
}

json_t *tw_json_rule(const Tapwall__V1__Rule *r)
{
	json_t *rule = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:b}", "name",
		tw_json_text(r->name), "action", tw_json_text(r->action), "hits",
		tw_json_u64(r->hits), "packets", tw_json_u64(r->packets), "bytes",
		tw_json_u64(r->bytes), "last_hit_s", tw_json_s(r->last_hit_s), "line",
		tw_json_u64(r->line), "text", tw_json_text(r->text), "disabled", r->disabled,
		"comment", tw_json_text(r->comment), "owner", tw_json_text(r->owner), "until",
		r->until > 0 ? json_real(r->until) : json_null(), "expired", r->expired);

	return r->file[0] ? tw_json_merge(rule, json_pack("{s:o}", "file", tw_json_text(r->file)))
			  : rule;
}

json_t *tw_json_counter(const Tapwall__V1__Counter *c)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "reason", tw_json_text(c->reason), "text",
		tw_json_text(c->text), "out", tw_json_u64(c->out), "in", tw_json_u64(c->in));
}

static json_t *segment_json(const Tapwall__V1__Segment *segment)
{
	if (!segment)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o}", "flags",
		tw_json_text(tw_tcp_flags_text(segment->flags).text), "seq",
		tw_json_u64(segment->seq), "ack", tw_json_u64(segment->ack), "window",
		tw_json_u64(segment->window));
}

json_t *tw_json_log_entry(const Tapwall__V1__LogEntry *e)
{
	json_t *what = json_pack("{s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time", e->time,
		"event", tw_json_text(e->event), "verdict", tw_json_text(e->verdict), "reason",
		tw_json_text(e->reason), "rule", tw_json_text(e->rule), "workload",
		tw_json_text(e->workload), "port", tw_json_text(e->port), "direction",
		tw_json_text(e->direction), "proto", tw_json_text(e->proto));
	json_t *who = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "entered_by",
		tw_json_text(e->entered_by), "from", tw_flow_end_json(e->from), "to",
		tw_flow_end_json(e->to), "src_mac", tw_json_text(e->src_mac), "dst_mac",
		tw_json_text(e->dst_mac), "ethertype", tw_json_u64(e->ethertype), "vlan",
		tw_json_u64(e->vlan), "len", tw_json_u64(e->len));
	json_t *ends = json_pack("{s:o, s:o, s:o}", "tcp", segment_json(e->tcp), "out",
		tw_flow_gate_json(e->out), "in", tw_flow_gate_json(e->in));
	json_t *count = json_pack("{s:o, s:o, s:o, s:o, s:o}", "packets",
		tw_json_out_in(e->packets_out, e->packets_in), "bytes",
		tw_json_out_in(e->bytes_out, e->bytes_in), "age_s", tw_json_s(e->age_s), "state",
		tw_json_text(e->state), "lost_before", tw_json_u64(e->lost_before));

	who = tw_json_merge(tw_json_merge(what, who), ends);
	return tw_flow_proto_json(tw_json_merge(who, count), e->proto, e->icmp_type);
}

/* Returns a digest in hex. */
static json_t *hex_json(const ProtobufCBinaryData *bytes)
{
	char text[2 * TW_DIGEST_BYTES + 1] = "";

	for (size_t i = 0; i < bytes->len && i < TW_DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes->data[i]);
	return tw_json_text(text);
}

json_t *tw_json_policy_version(const Tapwall__V1__PolicyVersion *v)
{
	json_t *text = v->text.len ? json_stringn((const char *)v->text.data, v->text.len)
				   : json_null();

	return json_pack("{s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b}", "version",
		tw_json_u64(v->version), "time", v->time, "author", tw_json_text(v->author), "uid",
		tw_json_u64(v->uid), "comment", tw_json_text(v->comment), "source",
		tw_json_text(v->source), "sha256", hex_json(&v->sha256), "size",
		tw_json_u64(v->size), "text", text, "stored_before", v->stored_before, "in_force",
		v->in_force, "lost", v->lost);
}

json_t *tw_json_policy_target(const Tapwall__V1__PolicyTarget *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "agent",
		tw_json_text(t->agent), "wanted", t->wanted ? tw_json_u64(t->wanted) : json_null(),
		"in_force", t->in_force ? tw_json_u64(t->in_force) : json_null(), "state",
		tw_json_text(t->state), "connected", t->connected, "source",
		tw_json_text(t->source), "error", tw_json_text(t->error), "since_s",
		tw_json_s(t->since_s), "confirm_left_s",
		t->confirm_left_s > 0 ? tw_json_s(t->confirm_left_s) : json_null());
}

static json_t *unix_json(double time)
{
	return time > 0 ? json_real(time) : json_null();
}

static json_t *texts_json(char *const *texts, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, tw_json_text(texts[i]));
	return list;
}

json_t *tw_json_quarantine(const Tapwall__V1__Quarantine *q)
{
	json_t *head = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "workload",
		tw_json_text(q->workload), "reason", tw_json_text(q->reason), "who",
		tw_json_text(q->who), "since", unix_json(q->since), "until", unix_json(q->until),
		"change", q->change ? tw_json_u64(q->change) : json_null());
	json_t *where = json_pack("{s:o, s:o, s:o, s:i, s:o, s:o}", "ended", unix_json(q->ended),
		"ended_by", tw_json_text(q->ended_by), "waiting",
		texts_json(q->waiting, q->n_waiting), "waiting_all", (int)q->waiting_all,
		"lifted_at", texts_json(q->lifted_at, q->n_lifted_at), "only_at",
		tw_json_text(q->only_at));

	return tw_json_merge(head, where);
}

json_t *tw_json_quarantine_target(const Tapwall__V1__QuarantineTarget *t)
{
	return json_pack("{s:o, s:o, s:o, s:i}", "agent", tw_json_text(t->agent), "state",
		tw_json_text(t->state), "error", tw_json_text(t->error), "ports", (int)t->ports);
}

json_t *tw_json_agent(const Tapwall__V1__Agent *a)
{
	return json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
		tw_json_text(a->name), "host", tw_json_text(a->host), "version",
		tw_json_text(a->version), "connected", a->connected, "address",
		tw_json_text(a->address), "since_s", tw_json_s(a->since_s), "contact_s",
		tw_json_s(a->contact_s), "policy_generation", tw_json_u64(a->policy_generation),
		"policy_source", tw_json_text(a->policy_source), "connects",
		tw_json_u64(a->connects), "why", tw_json_text(a->why), "certificate_left_s",
		tw_json_s(a->certificate_left_s));
}

json_t *tw_json_question(const Tapwall__V1__Question *q)
{
	json_t *head = json_pack("{s:o, s:o, s:o}", "id", tw_json_u64(q->id), "rule",
		tw_json_text(q->rule), "proto", tw_json_text(q->proto));
	json_t *where = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "from",
		tw_flow_end_json(q->from), "to", tw_flow_end_json(q->to), "network",
		tw_json_text(q->network), "workload", tw_json_text(q->workload), "port",
		tw_json_text(q->port), "direction", tw_json_text(q->direction), "age_s",
		tw_json_s(q->age_s), "left_s", tw_json_s(q->left_s), "held", q->held);

	head = tw_flow_proto_json(head, q->proto, q->icmp_type);
	return tw_json_merge(head, where);
}
