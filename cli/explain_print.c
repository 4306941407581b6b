/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clean.h"
#include "cli/explain.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/style.h"
#include "fastpath/abi/names.h"
#include "link/flow.h"
#include "link/json.h"

#define LABEL_WIDTH 9 /* length of the longest stage name, plus one */
#define PLACE_MAX   400

static const char *const end_titles[TW_DIR__MAX] = {
	[TW_DIR_OUT] = "out of",
	[TW_DIR_IN] = "into",
};

/* ---- text ---- */

static void put_addr(const struct tw_query *tuple, enum tw_dir end)
{
	const struct tw_vnic *vnic = tuple->vnic[end];
	bool ports = tw_tuple_has_ports(tuple->proto);
	bool brackets = ports && !tw_addr_is_v4(&tuple->addr[end]);
	char addr[INET6_ADDRSTRLEN];

	if (vnic)
		printf("%s%s%s ", tw_style_on(TW_STYLE_NAME), vnic->workload, tw_style_off());
	printf("%s%s%s", brackets ? "[" : "", tw_addr_format(&tuple->addr[end], addr),
		brackets ? "]" : "");
	if (ports)
		printf(":%u", end == TW_DIR_OUT ? tuple->sport : tuple->dport);
}

static void put_tuple(const struct tw_query *tuple)
{
	char number[4];

	printf("%s%s%s", tw_style_on(TW_STYLE_STRONG), tw_tuple_proto_name(tuple->proto, number),
		tw_style_off());
	if (tw_tuple_is_icmp(tuple->proto))
		printf(" %u.%u", tuple->type, tuple->code);
	fputs("  ", stdout);
	put_addr(tuple, TW_DIR_OUT);
	printf("  %s  ", tw_glyph(TW_GLYPH_ARROW));
	put_addr(tuple, TW_DIR_IN);
	putchar('\n');
}

/* Writes "rule web-to-db (policy.yaml:14)" or "the default" to `text` and returns it. */
static const char *rule_place(const struct tw_explained *x, size_t rule, char *text)
{
	const struct tw_rule_info *info = tw_policy_rule(x->judge->policy, rule);

	if (rule == tw_policy_n_rules(x->judge->policy) && !info->line)
		snprintf(text, PLACE_MAX, "the default");
	else if (rule == tw_policy_n_rules(x->judge->policy))
		snprintf(text, PLACE_MAX, "the default (%.200s:%u)", x->file, info->line);
	else
		snprintf(text, PLACE_MAX, "rule %.120s (%.200s:%u)", info->name, x->file,
			info->line);
	tw_clean(text, strlen(text));
	return text;
}

/* Prints the verdict of an end and what caused it: the rule, or the reason if no rule did. */
static void put_decision(const struct tw_explained *x, const struct tw_judged_end *end)
{
	const char *verdict = tw_verdict_name(end->verdict);
	char place[PLACE_MAX];

	printf("%s%s%s", tw_style_on(tw_style_of(verdict)), verdict, tw_style_off());
	if (end->rule != TW_NO_RULE)
		printf(" by %s%s%s", tw_style_on(TW_STYLE_NAME), rule_place(x, end->rule, place),
			tw_style_off());
	if (end->rule == TW_NO_RULE || end->reason != TW_R_POLICY)
		printf(": %s", tw_reason_text(end->reason));
}

/* Returns what a stage does. For the last stage that depends on the frame's verdict. */
static const char *stage_says(const struct tw_judged_end *end, int stage)
{
	if (!end->run.stage_ran[stage])
		return "not reached";
	if (stage != TW_STAGE_FORWARD)
		return tw_stage_text((unsigned int)stage);
	if (end->run.replied)
		return "drops it and sends a refusal back";
	if (!tw_verdict_passes(end->verdict))
		return "drops it silently";
	return end->run.outcome.dir == TW_DIR_OUT ? "passes it on" : "passes it to the guest";
}

static void put_stage(const struct tw_explained *x, const struct tw_judged_end *end, int stage)
{
	bool ran = end->run.stage_ran[stage];
	bool decided = stage == (int)end->run.outcome.stage;
	bool refused = decided && !tw_verdict_passes(end->verdict);
	enum tw_style style = !ran ? TW_STYLE_DIM : refused ? TW_STYLE_BAD : TW_STYLE_GOOD;
	enum tw_glyph glyph = !ran ? TW_GLYPH_DOT : refused ? TW_GLYPH_NO : TW_GLYPH_YES;

	printf("    %s%s%s %-*s ", tw_style_on(style), tw_glyph(glyph), tw_style_off(), LABEL_WIDTH,
		tw_stage_name((unsigned int)stage));
	if (decided)
		put_decision(x, end);
	else
		printf("%s%s%s", tw_style_on(TW_STYLE_DIM), stage_says(end, stage), tw_style_off());
	putchar('\n');
}

static const struct tw_explained_port *port_of(const struct tw_explained *x, enum tw_dir dir)
{
	const struct tw_vnic *vnic = x->tuple.vnic[dir];

	return x->ports && vnic ? &x->ports[vnic->index] : NULL;
}

/* Prints the port of an end: with --live the port as it is, otherwise the one that the policy
 * names. */
static void put_port(const struct tw_explained *x, enum tw_dir dir)
{
	const struct tw_explained_port *port = port_of(x, dir);

	if (!port && x->tuple.vnic[dir]->port)
		printf(" at port %s", x->tuple.vnic[dir]->port);
	if (!port)
		return;
	if (!port->name[0]) {
		printf(", %swhose port is not on this host%s", tw_style_on(TW_STYLE_WARN),
			tw_style_off());
		return;
	}
	printf(" at port %s, %s%s%s", port->name, tw_style_on(tw_style_of(port->state)),
		port->state, tw_style_off());
	if (port->proof_age_s >= 0 &&
		(!strcmp(port->state, "protected") || !strcmp(port->state, "observed")))
		printf(", proved %s ago", tw_human_span(port->proof_age_s).text);
}

/* Prints what happens at an end whose port is open, shut or absent, and what the policy alone
 * would do. */
static void put_real(const struct tw_explained *x, enum tw_dir dir)
{
	static const char *const says[] = {
		[TW_REAL_OPEN] = "not judged here: frames pass unfiltered",
		[TW_REAL_SHUT] = "nothing passes here",
		[TW_REAL_ABSENT] = "not judged on this host",
	};
	const struct tw_judged_end *end = &x->judgement.end[dir];
	const struct tw_explained_port *port = port_of(x, dir);
	const char *why = port ? port->why : "";
	bool shut = end->real == TW_REAL_SHUT;
	char place[PLACE_MAX];

	printf("    %s%s %s%s%s%s\n", tw_style_on(shut ? TW_STYLE_BAD : TW_STYLE_WARN),
		tw_glyph(shut ? TW_GLYPH_NO : TW_GLYPH_DOT), says[end->real], why[0] ? ": " : "",
		why, tw_style_off());
	printf("    %s%s the policy alone would %s%s%s%s\n", tw_style_on(TW_STYLE_DIM),
		tw_glyph(TW_GLYPH_DOT), tw_verdict_name(end->by_policy),
		end->by_rule == TW_NO_RULE ? "" : " by ",
		end->by_rule == TW_NO_RULE ? "" : rule_place(x, end->by_rule, place),
		tw_style_off());
}

static void put_end(const struct tw_explained *x, enum tw_dir dir)
{
	const struct tw_judged_end *end = &x->judgement.end[dir];
	const struct tw_vnic *vnic = x->tuple.vnic[dir];
	char addr[INET6_ADDRSTRLEN];

	putchar('\n');
	if (!vnic) {
		printf("  %s%s %s%s\n", tw_style_on(TW_STYLE_STRONG), end_titles[dir],
			tw_addr_format(&x->tuple.addr[dir], addr), tw_style_off());
		printf("    %s%s not judged here: no workload of the policy has this address%s\n",
			tw_style_on(TW_STYLE_DIM), tw_glyph(TW_GLYPH_DOT), tw_style_off());
		return;
	}
	printf("  %s%s %s%s", tw_style_on(TW_STYLE_STRONG), end_titles[dir], vnic->workload,
		tw_style_off());
	put_port(x, dir);
	if (vnic->liberal && x->tuple.proto == IPPROTO_TCP)
		printf(", %stcp: liberal%s", tw_style_on(TW_STYLE_WARN), tw_style_off());
	if (end->protected && !end->asked)
		printf("%s, if it got this far%s", tw_style_on(TW_STYLE_DIM), tw_style_off());
	putchar('\n');
	if (end->real != TW_REAL_JUDGED) {
		put_real(x, dir);
		return;
	}
	for (int stage = 0; stage < TW_STAGE__MAX; stage++)
		put_stage(x, end, stage);
}

static void put_verdict(const struct tw_explained *x)
{
	const struct tw_judgement *j = &x->judgement;
	const char *verdict = tw_judgement_verdict(j);
	const struct tw_judged_end *end;
	char place[PLACE_MAX];

	printf("\n  %s%s%s", tw_style_on(tw_style_of(verdict)), verdict, tw_style_off());
	if (j->decider < 0) {
		printf(": %s\n", x->live && (x->tuple.vnic[0] || x->tuple.vnic[1])
					 ? "judged at neither end on this host"
					 : "neither end is a workload of the policy");
		return;
	}
	end = &j->end[j->decider];
	if (end->real == TW_REAL_SHUT) {
		printf(": the port is shut, %s %s\n", end_titles[j->decider],
			x->tuple.vnic[j->decider]->workload);
		return;
	}
	printf(" %s %s", tw_glyph(TW_GLYPH_DOT), tw_reason_name(end->reason));
	if (end->rule != TW_NO_RULE)
		printf(", %s", rule_place(x, end->rule, place));
	printf(", %s %s\n", end_titles[j->decider], x->tuple.vnic[j->decider]->workload);
	printf("  %s%s%s\n", tw_style_on(TW_STYLE_DIM), tw_reason_text(end->reason),
		tw_style_off());
}

static void put_flows(const struct tw_explained *x)
{
	struct tw_flow_words words;

	if (!x->n_flows) {
		printf("\n  no such connection is open now\n");
		return;
	}
	printf("\n  %zu such connection%s open now\n", x->n_flows,
		x->n_flows == 1 ? " is" : "s are");
	for (size_t i = 0; i < x->n_flows && i < TW_EXPLAIN_FLOWS_MAX; i++) {
		const Tapwall__V1__Flow *f = x->flows[i]->flow;

		tw_flow_words(f->proto, f->icmp_type, f->from, f->to, &words);
		printf("    %s %s %s, %s, for %s, idle %s\n", words.from, tw_glyph(TW_GLYPH_ARROW),
			words.to, f->state, tw_human_span(f->age_s).text,
			tw_human_span(f->idle_s).text);
	}
	if (x->n_flows > TW_EXPLAIN_FLOWS_MAX)
		printf("    and %zu more\n", x->n_flows - TW_EXPLAIN_FLOWS_MAX);
}

void tw_explain_text(const struct tw_explained *explained)
{
	put_tuple(&explained->tuple);
	if (explained->tuple.sport_chosen)
		printf("%ssource port %u chosen; --sport sets it%s\n", tw_style_on(TW_STYLE_DIM),
			explained->tuple.sport, tw_style_off());
	put_end(explained, TW_DIR_OUT);
	put_end(explained, TW_DIR_IN);
	put_verdict(explained);
	if (explained->live)
		put_flows(explained);
}

/* ---- JSON ---- */

static json_t *json_stages(const struct tw_judged_end *end)
{
	json_t *stages = json_array();

	for (unsigned int s = 0; s < TW_STAGE__MAX; s++)
		if (end->real == TW_REAL_JUDGED && end->run.stage_ran[s] &&
			json_array_append_new(stages, json_string(tw_stage_name(s))) < 0) {
			json_decref(stages);
			return NULL;
		}
	return stages;
}

/* Values of `judged` in the JSON: how an end is enforced. */
static const char *const judged[] = {
	[TW_REAL_JUDGED] = "yes",
	[TW_REAL_OPEN] = "not-filtered",
	[TW_REAL_SHUT] = "shut",
	[TW_REAL_ABSENT] = "absent",
};

static json_t *json_judged(const struct tw_explained *x, enum tw_dir dir)
{
	const struct tw_judged_end *end = &x->judgement.end[dir];
	const struct tw_vnic *vnic = x->tuple.vnic[dir];
	const struct tw_explained_port *real = port_of(x, dir);
	const char *port = real ? real->name : "";
	json_t *object;

	if (!vnic)
		return json_null();
	object = json_pack("{s:o, s:s, s:o, s:o, s:o, s:b, s:o, s:o}", "port",
		tw_json_text(port[0] ? port : tw_judge_port_name(vnic)), "verdict",
		end->protected ? tw_verdict_name(end->verdict) : "unprotected", "rule",
		tw_json_text(tw_judge_rule(x->judge, end->rule)), "reason",
		tw_json_text(end->protected ? tw_reason_name(end->reason) : NULL), "workload",
		tw_json_text(vnic->workload), "reached", end->asked, "stage",
		tw_json_text(
			end->real == TW_REAL_JUDGED ? tw_stage_name(end->run.outcome.stage) : NULL),
		"stages", json_stages(end));
	if (real)
		object = tw_json_merge(
			object, json_pack("{s:o, s:s, s:{s:s, s:o}, s:o, s:o}", "state",
					tw_json_text(real->state), "judged", judged[end->real],
					"by_policy", "verdict", tw_verdict_name(end->by_policy),
					"rule", tw_json_text(tw_judge_rule(x->judge, end->by_rule)),
					"why", tw_json_text(real->why), "proof_age_s",
					tw_json_s(real->proof_age_s)));
	return object;
}

static json_t *json_addr(const struct tw_explained *x, enum tw_dir dir)
{
	const struct tw_vnic *vnic = x->tuple.vnic[dir];
	char addr[INET6_ADDRSTRLEN];
	json_t *object = json_pack("{s:s, s:o}", "address",
		tw_addr_format(&x->tuple.addr[dir], addr), "workload",
		tw_json_text(vnic ? vnic->workload : NULL));

	if (tw_tuple_has_ports(x->tuple.proto))
		object = tw_json_merge(
			object, json_pack("{s:i}", "port",
					dir == TW_DIR_OUT ? x->tuple.sport : x->tuple.dport));
	return object;
}

static json_t *json_flows(const struct tw_explained *x)
{
	json_t *flows = json_array();

	for (size_t i = 0; i < x->n_flows && i < TW_EXPLAIN_FLOWS_MAX; i++)
		if (json_array_append_new(flows, tw_flow_json(x->flows[i]->flow)) < 0) {
			json_decref(flows);
			return NULL;
		}
	return json_pack("{s:o, s:o}", "n_flows", tw_json_u64(x->n_flows), "flows", flows);
}

int tw_explain_json(const struct tw_explained *explained)
{
	const struct tw_judgement *j = &explained->judgement;
	const struct tw_judged_end *end = j->decider < 0 ? NULL : &j->end[j->decider];
	const struct tw_query *tuple = &explained->tuple;
	char number[4];
	json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "verdict",
		tw_judgement_verdict(j), "rule",
		tw_json_text(end ? tw_judge_rule(explained->judge, end->rule) : NULL), "reason",
		tw_json_text(end ? tw_reason_name(end->reason) : NULL), "out",
		json_judged(explained, TW_DIR_OUT), "in", json_judged(explained, TW_DIR_IN), "text",
		tw_json_text(end ? tw_reason_text(end->reason) : NULL));

	object = tw_json_merge(object,
		json_pack("{s:s, s:o, s:o}", "proto", tw_tuple_proto_name(tuple->proto, number),
			"from", json_addr(explained, TW_DIR_OUT), "to",
			json_addr(explained, TW_DIR_IN)));
	if (tw_tuple_is_icmp(tuple->proto))
		object = tw_json_merge(
			object, json_pack("{s:i, s:i}", "type", tuple->type, "code", tuple->code));
	if (explained->live)
		object = tw_json_merge(object, json_flows(explained));
	return tw_report_json(object);
}
