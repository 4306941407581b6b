/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/effects.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/agent.h"
#include "cli/report.h"
#include "cli/samples.h"
#include "cli/style.h"
#include "fastpath/abi/names.h"
#include "sim/judge.h"

#define RULES_MAX  20000
#define TUPLES_MAX 20000
#define SHOWN	   10

struct effects {
	struct tw_judge old, now;
	size_t n_live, n_cut;	 /* live connections, and those that would be cut */
	size_t n_changed;	 /* compared connections with another verdict */
	char last[2 * 128 + 64]; /* the ends and the service that were printed last */
};

/* ---- live connections ---- */

static bool is_open(const Tapwall__V1__Gate *gate)
{
	return !gate ||
	       (strcmp(gate->verdict, "deny") != 0 && strcmp(gate->verdict, "reject") != 0);
}

/* Makes the first packet of a connection. False if its protocol or addresses cannot be read. */
static bool read_flow(
	const struct tw_policy *policy, const Tapwall__V1__Flow *flow, struct tw_query *ret)
{
	char sport[8], dport[8], type[8], code[8];
	struct tw_tuple_words words = {
		.proto = flow->proto, .end = {flow->from->address, flow->to->address}};
	struct tw_err err;

	snprintf(sport, sizeof(sport), "%u", flow->from->port & 0xffff);
	snprintf(dport, sizeof(dport), "%u", flow->to->port & 0xffff);
	snprintf(type, sizeof(type), "%u", flow->icmp_type >> 8 & 0xff);
	snprintf(code, sizeof(code), "%u", flow->icmp_type & 0xff);
	if (!strcmp(flow->proto, "tcp") || !strcmp(flow->proto, "udp")) {
		words.sport = sport;
		words.dport = dport;
	} else if (!strncmp(flow->proto, "icmp", 4)) {
		words.type = type;
		words.code = code;
	}
	return !tw_tuple_read(policy, &words, ret, &err);
}

/* Returns the end at which a policy cuts a connection, or -1. An end without a port here does not judge. */
static int cut_at(struct tw_judge *judge, const Tapwall__V1__Flow *flow,
	const struct tw_query *tuple, struct tw_judgement *judgement)
{
	const Tapwall__V1__Gate *gates[] = {flow->out, flow->in};

	tw_judge_tuple(judge, tuple, judgement);
	for (int i = 0; i < TW_DIR__MAX; i++)
		if (gates[i] && judgement->end[i].protected &&
			(judgement->end[i].verdict == TW_V_DENY ||
				judgement->end[i].verdict == TW_V_REJECT))
			return i;
	return -1;
}

/* Prints an end of a connection. */
static void print_end(const char *word, const Tapwall__V1__End *end, bool has_port)
{
	printf(" %s %s", word, end->address);
	if (has_port)
		printf(" port %u", end->port);
	if (end->workload[0])
		printf(" (%s)", end->workload);
}

static void print_cut(const struct effects *effects, const Tapwall__V1__Flow *flow, size_t rule)
{
	const char *name = tw_judge_rule(&effects->now, rule);
	bool has_ports = !strcmp(flow->proto, "tcp") || !strcmp(flow->proto, "udp");

	printf("    %s%s", tw_style_on(TW_STYLE_BAD), flow->proto);
	print_end("from", flow->from, has_ports);
	print_end("to", flow->to, has_ports);
	printf(", by %s%s\n", name ? name : "no rule", tw_style_off());
}

static int on_flow(void *arg, const Tapwall__V1__Response *response)
{
	struct effects *effects = arg;
	const Tapwall__V1__Flow *flow = response->flow;
	struct tw_judgement judgement;
	struct tw_query tuple;
	int end;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_FLOW || !is_open(flow->out) ||
		!is_open(flow->in) || !read_flow(effects->now.policy, flow, &tuple))
		return TW_EXIT_OK;
	effects->n_live++;
	end = cut_at(&effects->now, flow, &tuple, &judgement);
	if (end < 0)
		return TW_EXIT_OK;
	if (!effects->n_cut)
		printf("  live connections that would be cut:\n");
	if (effects->n_cut++ < SHOWN)
		print_cut(effects, flow, judgement.end[end].rule);
	return TW_EXIT_OK;
}

static int print_live(const char *socket, struct effects *effects)
{
	struct tw_agent_call call = {.socket = socket, .answer = on_flow, .arg = effects};
	Tapwall__V1__FlowsRequest body = TAPWALL__V1__FLOWS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &body;
	code = tw_agent_ask(&call, &request);
	if (code)
		return code;
	if (effects->n_cut > SHOWN)
		printf("    and %zu more\n", effects->n_cut - SHOWN);
	printf("  %zu of %zu live connections would be cut\n", effects->n_cut, effects->n_live);
	return TW_EXIT_OK;
}

/* ---- verdicts ---- */

static const char *rule_of(const struct tw_judge *judge, const struct tw_judgement *judgement)
{
	const char *name = judgement->decider < 0
				   ? NULL
				   : tw_judge_rule(judge, judgement->end[judgement->decider].rule);

	return name ? name : "no rule";
}

/* Writes an end: the name of its workload, or else its address. */
static const char *end_name(const struct tw_query *tuple, int end, char text[INET6_ADDRSTRLEN])
{
	return tuple->vnic[end] ? tuple->vnic[end]->workload
				: tw_addr_format(&tuple->addr[end], text);
}

static void print_verdicts(struct effects *effects, const struct tw_query *tuple,
	const struct tw_judgement *was, const struct tw_judgement *is)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], proto[4], line[sizeof(effects->last)];
	char addr[2][INET6_ADDRSTRLEN];
	bool icmp = tw_tuple_is_icmp(tuple->proto);

	snprintf(line, sizeof(line), "%s -> %s %s/%u", end_name(tuple, TW_DIR_OUT, from),
		end_name(tuple, TW_DIR_IN, to), tw_tuple_proto_name(tuple->proto, proto),
		icmp ? tuple->type : tuple->dport);
	if (!strcmp(line, effects->last))
		return;
	memcpy(effects->last, line, sizeof(line));
	if (!effects->n_changed)
		printf("  verdicts that change:\n");
	if (effects->n_changed++ < SHOWN)
		printf("    %s%s: %s (%s) -> %s (%s)%s, such as from %s to %s\n",
			tw_style_on(TW_STYLE_WARN), line, tw_judgement_verdict(was),
			rule_of(&effects->old, was), tw_judgement_verdict(is),
			rule_of(&effects->now, is), tw_style_off(),
			tw_addr_format(&tuple->addr[TW_DIR_OUT], addr[0]),
			tw_addr_format(&tuple->addr[TW_DIR_IN], addr[1]));
}

static void compare(void *arg, const struct tw_query *tuple)
{
	struct effects *effects = arg;
	struct tw_query other = *tuple;
	struct tw_judgement was, is;

	for (int i = 0; i < TW_DIR__MAX; i++)
		other.vnic[i] = tw_policy_find_owner(effects->now.policy, &tuple->addr[i]);
	tw_judge_tuple(&effects->old, tuple, &was);
	tw_judge_tuple(&effects->now, &other, &is);
	if (strcmp(tw_judgement_verdict(&was), tw_judgement_verdict(&is)) != 0)
		print_verdicts(effects, other.vnic[0] || other.vnic[1] ? &other : tuple, &was, &is);
}

static int print_all(const char *socket, struct effects *effects)
{
	size_t n = 0;
	bool all = true;
	int code = tw_samples_each(
		effects->old.policy, effects->now.policy, TUPLES_MAX, compare, effects, &n, &all);

	if (code)
		return tw_report_memory();
	if (effects->n_changed > SHOWN)
		printf("    and %zu more\n", effects->n_changed - SHOWN);
	printf("  %zu verdicts change; %zu connections were compared%s; the rules that differ may change others, too\n",
		effects->n_changed, n, all ? "" : ", the maximum");
	return socket ? print_live(socket, effects) : TW_EXIT_OK;
}

int tw_effects_print(const char *socket, const struct tw_policy *old, const struct tw_policy *now)
{
	struct effects effects = {.last = ""};
	struct tw_diags diags = {0};
	int code;

	if (tw_policy_n_rules(old) > RULES_MAX || tw_policy_n_rules(now) > RULES_MAX) {
		printf("  verdicts and live connections are not compared, because there are more than %u rules\n",
			RULES_MAX);
		return TW_EXIT_OK;
	}
	code = tw_judge_init(&effects.old, old, 16, &diags);
	if (!code)
		code = tw_judge_init(&effects.now, now, 16, &diags);
	/* A policy that cannot be compiled is refused by the agent, with its reasons. */
	code = code ? TW_EXIT_OK : print_all(socket, &effects);
	tw_judge_done(&effects.old);
	tw_judge_done(&effects.now);
	tw_diags_done(&diags);
	return code;
}
