/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/vec.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/history_print.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/when.h"
#include "fastpath/abi/names.h"
#include "link/json.h"
#include "link/json_message.h"

#define TEXT(text) ((char *)(uintptr_t)(text))
#define ANSWER_MAX 10000u /* rows of one answer; see HistoryRequest */

/* A request with the messages that it points to. */
struct question {
	Tapwall__V1__Request request;
	Tapwall__V1__HistoryRequest body;
	Tapwall__V1__HistoryPlace either, from, to;
};

struct view {
	const struct tw_history_options *options;
	struct tw_sheet sheet;
	bool uses;		     /* each row is a rule with the time when it last decided */
	uint64_t unused_us;	     /* leave out rules that decided after it; UINT64_MAX: none */
	uint64_t n;		     /* rows so far */
	uint64_t matched;	     /* rows that match, if the first answer counted them */
	bool ended;		     /* `end` is set */
	Tapwall__V1__HistoryEnd end; /* of the last answer */
	TW_VEC(char *) rules;	     /* rules that decided something, to find the others */
};

/* ---- the request ---- */

static int invalid(const char *option, const char *text, const char *hint)
{
	return tw_report_error(
		TW_EXIT_USAGE, option, hint, "'%s' is not valid", tw_cleaned(text).text);
}

static bool is_address(const char *text)
{
	struct tw_addr addr;
	char copy[64];

	snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(text, "/"), text);
	return tw_addr_parse(copy, &addr) == 0;
}

/* Sets a condition for an end: a workload, an address or a CIDR. */
static void set_place(
	Tapwall__V1__HistoryPlace *place, Tapwall__V1__HistoryPlace **ret, const char *text)
{
	if (!text)
		return;
	if (is_address(text))
		place->prefix = TEXT(text);
	else
		place->workload = TEXT(text);
	*ret = place;
}

static int set_proto(Tapwall__V1__HistoryRequest *body, const char *text)
{
	static const struct {
		const char *name;
		uint32_t number;
	} names[] = {{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmp6", 58}, {"sctp", 132}};
	char *end;

	for (size_t i = 0; text && i < TW_ARGS_N(names); i++)
		if (!strcmp(names[i].name, text))
			body->proto = names[i].number;
	if (!text || body->proto)
		return TW_EXIT_OK;
	body->proto = (uint32_t)strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || !body->proto || body->proto > UINT8_MAX)
		return invalid(
			"--proto", text, "write tcp, udp, icmp, icmp6 or a number from 1 to 255");
	return TW_EXIT_OK;
}

/* Reads TIME+SKIP, where the last answer ended. */
static int set_page(Tapwall__V1__HistoryRequest *body, const char *text)
{
	unsigned long long at, skip;
	int len = 0;

	if (!text)
		return TW_EXIT_OK;
	if (sscanf(text, "%llu+%llu%n", &at, &skip, &len) != 2 || text[len] || skip > UINT32_MAX)
		return invalid("--page", text, "write what the last line of an answer says");
	if (body->oldest_first)
		body->since_us = at;
	else
		body->until_us = at;
	body->skip = (uint32_t)skip;
	return TW_EXIT_OK;
}

/* True if there is a condition, so that rules are added up instead of listed by their last use. */
static bool has_condition(const struct tw_history_options *o)
{
	return o->since || o->until || o->workload || o->address || o->from || o->to || o->port ||
	       o->proto || o->rule || o->verdict || o->reason || o->agent;
}

static Tapwall__V1__HistoryRequest__About about_of(const struct view *view)
{
	static const Tapwall__V1__HistoryRequest__About abouts[] = {
		[TW_HISTORY_WHAT_CONNECTIONS] = TAPWALL__V1__HISTORY_REQUEST__ABOUT__ROWS,
		[TW_HISTORY_WHAT_TALKERS] = TAPWALL__V1__HISTORY_REQUEST__ABOUT__SOURCES,
		[TW_HISTORY_WHAT_DESTINATIONS] = TAPWALL__V1__HISTORY_REQUEST__ABOUT__DESTINATIONS,
		[TW_HISTORY_WHAT_SERVICES] = TAPWALL__V1__HISTORY_REQUEST__ABOUT__SERVICES,
		[TW_HISTORY_WHAT_RULES] = TAPWALL__V1__HISTORY_REQUEST__ABOUT__RULES,
		[TW_HISTORY_WHAT_WHO] = TAPWALL__V1__HISTORY_REQUEST__ABOUT__SOURCES,
		[TW_HISTORY_WHAT_STATUS] = TAPWALL__V1__HISTORY_REQUEST__ABOUT__STATE,
	};

	return view->uses ? TAPWALL__V1__HISTORY_REQUEST__ABOUT__USES : abouts[view->options->what];
}

static void set_places(struct question *q, const struct tw_history_options *o)
{
	Tapwall__V1__HistoryRequest *body = &q->body;

	tapwall__v1__history_place__init(&q->either);
	tapwall__v1__history_place__init(&q->from);
	tapwall__v1__history_place__init(&q->to);
	set_place(&q->from, &body->from, o->from);
	set_place(&q->to, &body->to, o->what == TW_HISTORY_WHAT_WHO ? o->subject : o->to);
	if (o->workload)
		q->either.workload = TEXT(o->workload);
	if (o->address)
		q->either.prefix = TEXT(o->address);
	if (o->workload || o->address)
		body->either = &q->either;
}

static int fill_question(struct question *q, const struct view *view)
{
	static const char *const verdicts[] = {"", "allow", "deny", "reject", "would-deny"};
	static const char *const orders[] = {"bytes", "connections", "denials"};
	const struct tw_history_options *o = view->options;
	Tapwall__V1__HistoryRequest *body = &q->body;
	int code;

	tapwall__v1__request__init(&q->request);
	tapwall__v1__history_request__init(body);
	q->request.body_case = TAPWALL__V1__REQUEST__BODY_HISTORY;
	q->request.history = body;
	body->about = about_of(view);
	set_places(q, o);
	body->verdict = TEXT(verdicts[o->verdict]);
	body->order = TEXT(orders[o->order]);
	body->oldest_first = o->oldest_first;
	body->count = o->count;
	body->live = o->live;
	body->port = o->port;
	if (o->rule)
		body->rule = TEXT(o->rule);
	if (o->reason)
		body->reason = TEXT(o->reason);
	if (o->agent)
		body->agent = TEXT(o->agent);
	code = tw_when_option("--since", o->since, &body->since_us);
	if (!code)
		code = tw_when_option("--until", o->until, &body->until_us);
	if (!code)
		code = set_proto(body, o->proto);
	return code ? code : set_page(body, o->page);
}

/* ---- the answer ---- */

static int note_rule(struct view *view, const char *rule)
{
	char *copy = tw_strdup(rule);

	if (!copy || tw_vec_push(&view->rules, copy)) {
		free(copy);
		return tw_report_memory();
	}
	return TW_EXIT_OK;
}

static int show_row(struct view *view, const Tapwall__V1__Response *response)
{
	view->n++;
	if (view->options->json)
		return tw_report_json(tw_json_response(response));
	tw_history_print_add(&view->sheet, response);
	return TW_EXIT_OK;
}

static int show_use(struct view *view, const Tapwall__V1__Response *response)
{
	const Tapwall__V1__HistoryUse *use = response->history_use;
	uint32_t limit = view->options->limit;
	int code = view->unused_us == UINT64_MAX ? TW_EXIT_OK : note_rule(view, use->rule);

	if (code || use->last_us >= view->unused_us || (limit && view->n >= limit))
		return code;
	return show_row(view, response);
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	struct view *view = arg;

	switch (response->body_case) {
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_END:
		if (!view->ended)
			view->matched = response->history_end->matched;
		view->end = *response->history_end;
		view->ended = true;
		return TW_EXIT_OK;
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_USE:
		return show_use(view, response);
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_STATE:
		if (!view->options->json) {
			tw_history_print_state(response->history_state);
			putchar('\n');
			return TW_EXIT_OK;
		}
		return tw_report_json(tw_json_response(response));
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_ROW:
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_TOTAL:
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_SOURCE:
		return show_row(view, response);
	default:
		return TW_EXIT_OK;
	}
}

static int ask(struct view *view, Tapwall__V1__Request *request)
{
	struct tw_agent_call call = {.socket = view->options->socket,
		.slow = true,
		.raw = view->options->json,
		.file = "history",
		.answer = on_answer,
		.arg = view};

	return tw_agent_ask(&call, request);
}

/* Asks until there are enough rows, each time for the rows after those of the last answer. */
static int ask_all(struct view *view)
{
	uint64_t limit = view->options->limit ? view->options->limit : UINT64_MAX;
	struct question q;
	int code = fill_question(&q, view);

	while (!code && view->n < limit) {
		uint64_t left = limit - view->n;

		q.body.limit = left > ANSWER_MAX ? ANSWER_MAX : (uint32_t)left;
		code = ask(view, &q.request);
		if (code || !view->ended || !view->end.more)
			break;
		if (q.body.oldest_first)
			q.body.since_us = view->end.at_us;
		else
			q.body.until_us = view->end.at_us;
		q.body.skip = view->end.skip;
		q.body.count = false;
	}
	return code;
}

static void print_tail(const struct view *view)
{
	if (view->options->count)
		printf("\n%s match\n", tw_human_count(view->matched).text);
	if (view->end.more)
		printf("\n%smore: --page %llu+%u%s\n", tw_style_on(TW_STYLE_DIM),
			(unsigned long long)view->end.at_us, view->end.skip, tw_style_off());
}

static int print_summary(const struct view *view)
{
	char page[48] = "";
	json_t *summary;

	if (view->end.more)
		snprintf(page, sizeof(page), "%llu+%u", (unsigned long long)view->end.at_us,
			view->end.skip);
	summary = json_pack("{s:o, s:o}", "rows", tw_json_u64(view->n), "next", tw_json_text(page));
	if (view->options->count)
		summary = tw_json_merge(
			summary, json_pack("{s:o}", "matched", tw_json_u64(view->matched)));
	return tw_report_json(json_pack("{s:o}", "summary", summary));
}

/* ---- rules that never decided anything ---- */

static bool is_known(const struct view *view, const char *rule)
{
	tw_vec_foreach (&view->rules, known)
		if (!strcmp(*known, rule))
			return true;
	return false;
}

static int on_rule(void *arg, const Tapwall__V1__Response *response)
{
	Tapwall__V1__Response row = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__HistoryUse use = TAPWALL__V1__HISTORY_USE__INIT;
	struct view *view = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_RULE ||
		is_known(view, response->rule->name))
		return TW_EXIT_OK;
	use.rule = response->rule->name;
	row.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_USE;
	row.history_use = &use;
	return show_use(view, &row);
}

struct agents {
	struct view *view;
	TW_VEC(char *) names; /* of connected agents */
};

static int on_agent(void *arg, const Tapwall__V1__Response *response)
{
	struct agents *agents = arg;
	const char *only = agents->view->options->agent;
	char *name;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_AGENT ||
		!response->agent->connected || (only && strcmp(only, response->agent->name) != 0))
		return TW_EXIT_OK;
	name = tw_strdup(response->agent->name);
	if (!name || tw_vec_push(&agents->names, name)) {
		free(name);
		return tw_report_memory();
	}
	return TW_EXIT_OK;
}

/* Adds the rules of the policies in force that never decided anything. */
static int ask_agents(struct view *view)
{
	Tapwall__V1__AgentsRequest list = TAPWALL__V1__AGENTS_REQUEST__INIT;
	Tapwall__V1__RulesRequest rules = TAPWALL__V1__RULES_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct agents agents = {.view = view};
	struct tw_agent_call call = {.socket = view->options->socket,
		.slow = true,
		.raw = true,
		.answer = on_agent,
		.arg = &agents};
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_AGENTS;
	request.agents = &list;
	code = tw_agent_ask(&call, &request);
	call.answer = on_rule;
	call.arg = view;
	request.body_case = TAPWALL__V1__REQUEST__BODY_RULES;
	request.rules = &rules;
	tw_vec_foreach (&agents.names, name) {
		call.agent = *name;
		if (!code)
			code = tw_agent_ask(&call, &request);
		free(*name);
	}
	tw_vec_done(&agents.names);
	return code;
}

/* ---- the verb ---- */

static int check_options(const struct tw_history_options *o)
{
	bool who = o->what == TW_HISTORY_WHAT_WHO;

	if (who && !o->subject)
		return tw_report_error(
			TW_EXIT_USAGE, "history who", NULL, "name a workload, address or CIDR");
	if (who && o->to)
		return tw_report_error(TW_EXIT_USAGE, "--to", NULL, "who names the destination");
	if (!who && o->subject)
		return tw_report_error(TW_EXIT_USAGE, "history", "see --help",
			"unexpected argument '%s'", tw_cleaned(o->subject).text);
	if (o->page && o->what != TW_HISTORY_WHAT_CONNECTIONS)
		return tw_report_error(TW_EXIT_USAGE, "--page", NULL, "sums have no pages");
	if (o->unused_since && o->what != TW_HISTORY_WHAT_RULES)
		return tw_report_error(
			TW_EXIT_USAGE, "--unused-since", "write history rules", "lists rules");
	return TW_EXIT_OK;
}

int tw_history_run(const void *values)
{
	const struct tw_history_options *o = values;
	struct view view = {.options = o, .unused_us = UINT64_MAX};
	int code = check_options(o);

	view.uses = o->what == TW_HISTORY_WHAT_RULES && (o->unused_since || !has_condition(o));
	tw_history_print_begin(&view.sheet, (enum tw_history_what)o->what, view.uses);
	if (!code)
		code = tw_when_option("--unused-since", o->unused_since, &view.unused_us);
	if (!code)
		code = ask_all(&view);
	if (!code && o->unused_since)
		code = ask_agents(&view);
	if (!code && !o->json)
		code = tw_sheet_show(&view.sheet, o->what == TW_HISTORY_WHAT_STATUS
							  ? "no agent has connected"
							  : "nothing is recorded");
	if (!code && o->what != TW_HISTORY_WHAT_STATUS) {
		if (o->json)
			code = print_summary(&view);
		else
			print_tail(&view);
	}
	tw_vec_foreach (&view.rules, rule)
		free(*rule);
	tw_vec_done(&view.rules);
	tw_sheet_done(&view.sheet);
	return code;
}
