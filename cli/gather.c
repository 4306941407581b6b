/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "cli/agent.h"
#include "cli/journal.h"
#include "cli/report.h"
#include "cli/when.h"
#include "fastpath/abi/names.h"
#include "policy/service.h"

#define TEXT(text) ((char *)(uintptr_t)(text))
#define PAGE_ROWS  10000u   /* rows of one answer; see HistoryRequest */
#define ROWS_MAX   1000000u /* rows of the history that are read */

void tw_gathered_done(struct tw_gathered *gathered)
{
	tw_vec_foreach (&gathered->ports, port) {
		free(port->name);
		free(port->workload);
		free(port->state);
	}
	tw_vec_done(&gathered->ports);
	tw_seen_done(&gathered->seen);
	tw_rights_done(&gathered->rights);
}

struct gathering {
	const struct tw_gather_options *options;
	struct tw_gathered *ret;
	uint64_t since_us;
	double now;
	char dialed[64]; /* address of the slow path that the agent has; "": none */
	uint64_t n_rows; /* rows of the history so far */
	bool ended;
	Tapwall__V1__HistoryEnd end;
};

/* ---- one connection ---- */

/* The parts in which flows, log entries and rows of the history agree. */
struct words {
	const char *proto;
	uint32_t icmp_type;
	const Tapwall__V1__End *from;
	const Tapwall__V1__End *to;
	const Tapwall__V1__Gate *gate[TW_DIR__MAX];
};

static bool refuses(const Tapwall__V1__Gate *gate)
{
	return gate && strcmp(gate->verdict, "allow") != 0;
}

static bool read_proto(const char *text, uint8_t *ret)
{
	const struct tw_proto *proto = tw_proto_find(text, strlen(text));
	char *end;
	unsigned long number = proto ? proto->number : strtoul(text, &end, 10);

	*ret = (uint8_t)number;
	return proto || (text[0] >= '0' && text[0] <= '9' && !*end && number <= UINT8_MAX);
}

/* Fills the ends and the service of a connection. Returns false if it has none. */
static bool fill_conn(const struct words *words, struct tw_seen_conn *conn)
{
	if (!words->from || !words->to || !read_proto(words->proto, &conn->proto) ||
		tw_addr_parse(words->from->address, &conn->addr[TW_DIR_OUT]) < 0 ||
		tw_addr_parse(words->to->address, &conn->addr[TW_DIR_IN]) < 0)
		return false;
	conn->workload[TW_DIR_OUT] = words->from->workload;
	conn->workload[TW_DIR_IN] = words->to->workload;
	conn->sport = (uint16_t)words->from->port;
	conn->detail = (uint16_t)words->to->port;
	if (conn->proto == TW_PROTO_ICMP || conn->proto == TW_PROTO_ICMP6)
		conn->detail = (uint16_t)words->icmp_type;
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		if (refuses(words->gate[dir]))
			conn->ends |= (uint8_t)(1u << dir);
	return true;
}

/* Names the rule that decided: at the end that would deny, or else at the destination's end. */
static void fill_rule(const struct words *words, struct tw_seen_conn *conn)
{
	const Tapwall__V1__Gate *out = words->gate[TW_DIR_OUT], *in = words->gate[TW_DIR_IN];
	const Tapwall__V1__Gate *decider = refuses(out) || !in ? out : in;

	conn->rule = decider ? decider->rule : "";
}

static int add(struct gathering *g, const struct tw_seen_conn *conn)
{
	const struct tw_filter *filter = &g->options->filter;
	char from[64], to[64], number[4];
	Tapwall__V1__End ends[TW_DIR__MAX] = {TAPWALL__V1__END__INIT, TAPWALL__V1__END__INIT};

	if (conn->last * 1e6 < (double)g->since_us)
		return TW_EXIT_OK;
	if (g->options->workload && strcmp(conn->workload[TW_DIR_OUT], g->options->workload) &&
		strcmp(conn->workload[TW_DIR_IN], g->options->workload))
		return TW_EXIT_OK;
	ends[TW_DIR_OUT].address = TEXT(tw_addr_format(&conn->addr[TW_DIR_OUT], from));
	ends[TW_DIR_IN].address = TEXT(tw_addr_format(&conn->addr[TW_DIR_IN], to));
	ends[TW_DIR_OUT].port = conn->sport;
	ends[TW_DIR_IN].port = conn->detail;
	if (!tw_filter_has(filter, tw_tuple_proto_name(conn->proto, number), &ends[TW_DIR_OUT],
		    &ends[TW_DIR_IN], NULL, NULL, conn->rule))
		return TW_EXIT_OK;
	return tw_seen_add(&g->ret->seen, conn) < 0 ? tw_report_memory() : TW_EXIT_OK;
}

/* ---- live connections ---- */

static int on_flow(void *arg, const Tapwall__V1__Response *response)
{
	struct gathering *g = arg;
	const Tapwall__V1__Flow *f = response->flow;
	struct tw_seen_conn conn = {.reason = "policy", .verdict = TW_V_ALLOW};
	struct words words;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_FLOW)
		return TW_EXIT_OK;
	words = (struct words){f->proto, f->icmp_type, f->from, f->to, {f->out, f->in}};
	if (!fill_conn(&words, &conn))
		return TW_EXIT_OK;
	fill_rule(&words, &conn);
	for (int dir = TW_DIR__MAX - 1; dir >= 0; dir--)
		if (conn.ends & 1u << dir)
			conn.verdict = (enum tw_verdict)tw_verdict_from_name(
				words.gate[dir]->verdict);
	conn.worked = tw_seen_is_answered(conn.proto, f->state, f->packets_out, f->packets_in);
	conn.bytes = f->bytes_out + f->bytes_in;
	conn.first = g->now - f->age_s;
	conn.last = g->now - f->idle_s;
	return add(g, &conn);
}

static int ask_flows(struct gathering *g)
{
	Tapwall__V1__FlowsRequest body = TAPWALL__V1__FLOWS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = g->options->socket, .answer = on_flow, .arg = g};

	body.expired = true;
	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &body;
	return tw_agent_ask(&call, &request);
}

/* ---- the agent's journal ---- */

/* True if an event is the only one about its connection or frame. A connection with a record is
 * counted when it closes or while it lives. */
static bool counts(const char *event, const char *verdict, const char *reason, const char *state)
{
	if (!strcmp(event, "close"))
		return true;
	if (strcmp(verdict, "would-deny") != 0)
		return !strcmp(event, "deny");
	/* `observed` is the reason at one end if the other end would deny, too. */
	return (strcmp(reason, "policy") != 0 && strcmp(reason, "observed") != 0) || !state[0] ||
	       !strcmp(state, "untracked");
}

/* A connection that ended says why it ended, not why it would be denied. */
static const char *reason_of(bool closed, const char *reason)
{
	return closed || !strcmp(reason, "observed") ? "policy" : reason;
}

static int take_entry(struct gathering *g, const Tapwall__V1__LogEntry *e)
{
	struct words words = {e->proto, e->icmp_type, e->from, e->to, {e->out, e->in}};
	bool in = !strcmp(e->direction, "in"), closed = !strcmp(e->event, "close");
	struct tw_seen_conn conn = {.reason = reason_of(closed, e->reason),
		.verdict = (enum tw_verdict)tw_verdict_from_name(e->verdict),
		.bytes = closed ? e->bytes_out + e->bytes_in : e->len,
		.first = e->time - e->age_s,
		.last = e->time};

	/* A connection that closed after the live connections were read is already counted. */
	if (!counts(e->event, e->verdict, e->reason, e->state) || (closed && e->time > g->now) ||
		!fill_conn(&words, &conn))
		return TW_EXIT_OK;
	fill_rule(&words, &conn);
	if (!closed) {
		conn.ends = (uint8_t)(1u << (in ? TW_DIR_IN : TW_DIR_OUT));
		conn.rule = e->rule;
	}
	conn.worked = closed &&
		      tw_seen_is_answered(conn.proto, e->state, e->packets_out, e->packets_in);
	return add(g, &conn);
}

/* True if an entry is within the time and of the workload that the options select. */
static bool is_wanted_here(const struct gathering *g, const Tapwall__V1__LogEntry *entry)
{
	return entry->time * 1e6 >= (double)g->since_us &&
	       (!g->options->workload || !strcmp(entry->workload, g->options->workload));
}

static int on_entry(void *arg, const Tapwall__V1__LogEntry *entry)
{
	struct gathering *g = arg;

	if (is_wanted_here(g, entry) && tw_rights_take(&g->ret->rights, entry) < 0)
		return tw_report_memory();
	return g->ret->history ? TW_EXIT_OK : take_entry(g, entry);
}

/* Reads the journal. If connections come from the history, the journal is read for rights only: the history
 * has no VLANs and MACs. */
static int ask_journal(struct gathering *g)
{
	struct tw_journal_call call = {.take = on_entry, .arg = g};
	int code = tw_journal_read(g->options->socket, &call);

	if (g->ret->history)
		return code;
	g->ret->lost += call.lost;
	g->ret->since = call.since;
	return code;
}

/* ---- the history of the slow path ---- */

static int take_row(struct gathering *g, const Tapwall__V1__HistoryRow *r)
{
	struct words words = {r->proto, r->icmp_type, r->from, r->to, {r->out, r->in}};
	bool in = !strcmp(r->direction, "in"), closed = !strcmp(r->event, "close");
	double time = (double)r->time_us / 1e6;
	struct tw_seen_conn conn = {.reason = reason_of(closed, r->reason),
		.verdict = (enum tw_verdict)tw_verdict_from_name(r->verdict),
		.bytes = r->bytes_out + r->bytes_in,
		.first = time - r->idle_s - r->duration_s,
		.last = time - r->idle_s};

	g->n_rows++;
	if (!counts(r->event, r->verdict, r->reason, r->state) || (closed && time > g->now) ||
		!fill_conn(&words, &conn))
		return TW_EXIT_OK;
	fill_rule(&words, &conn);
	if (!closed) {
		conn.ends = (uint8_t)(1u << (in ? TW_DIR_IN : TW_DIR_OUT));
		conn.rule = r->rule;
	}
	conn.worked = closed &&
		      tw_seen_is_answered(conn.proto, r->state, r->packets_out, r->packets_in);
	return add(g, &conn);
}

static int on_history(void *arg, const Tapwall__V1__Response *response)
{
	struct gathering *g = arg;
	const Tapwall__V1__HistorySource *source;

	switch (response->body_case) {
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_ROW:
		return take_row(g, response->history_row);
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_SOURCE:
		source = response->history_source;
		if (!strcmp(source->agent, g->ret->source))
			g->ret->lost += source->lost;
		return TW_EXIT_OK;
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_STATE:
		g->ret->since = (double)response->history_state->oldest_us / 1e6;
		return TW_EXIT_OK;
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_END:
		g->end = *response->history_end;
		g->ended = true;
		return TW_EXIT_OK;
	default:
		return TW_EXIT_OK;
	}
}

static int ask_slow(struct gathering *g, Tapwall__V1__HistoryRequest *body, bool may_be_absent)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = g->options->slow,
		.slow = true,
		.file = "history",
		.may_be_absent = may_be_absent,
		.answer = on_history,
		.arg = g};

	request.body_case = TAPWALL__V1__REQUEST__BODY_HISTORY;
	request.history = body;
	return tw_agent_ask(&call, &request);
}

/* Reads the newest rows about the agent, at most ROWS_MAX. */
static int ask_rows(struct gathering *g)
{
	Tapwall__V1__HistoryRequest body = TAPWALL__V1__HISTORY_REQUEST__INIT;
	int code = TW_EXIT_OK;

	body.agent = g->ret->source;
	body.since_us = g->since_us;
	body.limit = PAGE_ROWS;
	body.count = true;
	if (g->options->workload) {
		/* The client filters, too: this only saves rows. */
		static Tapwall__V1__HistoryPlace either;

		tapwall__v1__history_place__init(&either);
		either.workload = TEXT(g->options->workload);
		body.either = &either;
	}
	do {
		code = ask_slow(g, &body, false);
		if (body.count && g->ended)
			g->ret->unread = g->end.matched;
		body.count = false;
		body.until_us = g->end.at_us;
		body.skip = g->end.skip;
	} while (!code && g->ended && g->end.more && g->n_rows < ROWS_MAX);
	g->ret->unread = g->ret->unread > g->n_rows ? g->ret->unread - g->n_rows : 0;
	return code;
}

/* ---- which source ---- */

static int on_status(void *arg, const Tapwall__V1__Response *response)
{
	struct gathering *g = arg;
	const Tapwall__V1__Status *status = response->status;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_STATUS)
		return TW_EXIT_OK;
	g->ret->policy_s = status->policy_age_s;
	g->ret->n_observed = status->ports_observed;
	if (!status->slow_path)
		return TW_EXIT_OK;
	snprintf(g->dialed, sizeof(g->dialed), "%s", status->slow_path->address);
	snprintf(g->ret->source, sizeof(g->ret->source), "%s", status->slow_path->own_name);
	return TW_EXIT_OK;
}

static int add_port(struct tw_gathered *ret, const Tapwall__V1__Port *port)
{
	struct tw_gathered_port copy = {.name = tw_strdup(port->name),
		.workload = tw_strdup(port->workload),
		.state = tw_strdup(port->open ? "not filtered" : port->state)};

	if (copy.name && copy.workload && copy.state && !tw_vec_push(&ret->ports, copy))
		return TW_EXIT_OK;
	free(copy.name);
	free(copy.workload);
	free(copy.state);
	return tw_report_memory();
}

static int on_port(void *arg, const Tapwall__V1__Response *response)
{
	struct gathering *g = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_PORT ||
		!strcmp(response->port->state, "observed"))
		return TW_EXIT_OK;
	return add_port(g->ret, response->port);
}

static int ask_agent(struct gathering *g)
{
	Tapwall__V1__StatusRequest status = TAPWALL__V1__STATUS_REQUEST__INIT;
	Tapwall__V1__PortsRequest ports = TAPWALL__V1__PORTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = g->options->socket, .answer = on_status, .arg = g};
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_STATUS;
	request.status = &status;
	code = tw_agent_ask(&call, &request);
	if (code)
		return code;
	call.answer = on_port;
	request.body_case = TAPWALL__V1__REQUEST__BODY_PORTS;
	request.ports = &ports;
	return tw_agent_ask(&call, &request);
}

/* Returns true if the history has rows about the agent that can be read here. */
static bool has_history(struct gathering *g)
{
	Tapwall__V1__HistoryRequest body = TAPWALL__V1__HISTORY_REQUEST__INIT;
	bool named = !strncmp(g->options->socket, TW_AGENT_SCHEME, strlen(TW_AGENT_SCHEME));

	if (named)
		snprintf(g->ret->source, sizeof(g->ret->source), "%s",
			g->options->socket + strlen(TW_AGENT_SCHEME));
	if (g->options->source == TW_GATHER_JOURNAL || !g->ret->source[0])
		return false;
	body.about = TAPWALL__V1__HISTORY_REQUEST__ABOUT__STATE;
	return ask_slow(g, &body, g->options->source == TW_GATHER_AUTO) == TW_EXIT_OK;
}

int tw_gather(const struct tw_gather_options *options, struct tw_gathered *ret)
{
	struct gathering g = {.options = options, .ret = ret};
	int code = tw_when_option("--since", options->since, &g.since_us);

	ret->policy_s = -1;
	if (!code)
		code = ask_agent(&g);
	if (code)
		return code;
	g.now = ret->until = tw_clock_unix(tw_clock_ns());
	ret->history = has_history(&g);
	if (!ret->history && options->source == TW_GATHER_HISTORY)
		return tw_report_error(
			TW_EXIT_NO, options->slow, NULL, "there is no history of this agent here");
	if (!ret->history && options->source == TW_GATHER_AUTO)
		snprintf(ret->elsewhere, sizeof(ret->elsewhere), "%s", g.dialed);
	/* A connection that ends meanwhile is in both, and is counted once. */
	code = ask_flows(&g);
	if (!code)
		code = ask_journal(&g);
	if (!code && ret->history)
		code = ask_rows(&g);
	if (ret->since * 1e6 < (double)g.since_us)
		ret->since = (double)g.since_us / 1e6;
	tw_seen_settle(&ret->seen);
	return code;
}

/* ---- the policy in force ---- */

void tw_gathered_policy_done(struct tw_gathered_policy *policy)
{
	tw_buf_done(&policy->text);
	tw_vec_done(&policy->learned);
	tw_policy_free(policy->policy);
}

static int on_policy(void *arg, const Tapwall__V1__Response *response)
{
	const Tapwall__V1__PolicyText *policy = response->policy;
	struct tw_gathered_policy *into = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_POLICY)
		return TW_EXIT_OK;
	tw_buf_add(&into->text, policy->text.data, policy->text.len);
	for (size_t i = 0; i < policy->n_learned; i++) {
		struct tw_learned learned = {.vnic = policy->learned[i]->vnic};

		if (!tw_addr_parse(policy->learned[i]->address, &learned.addr) &&
			tw_vec_push(&into->learned, learned) < 0)
			return tw_report_memory();
	}
	return into->text.failed ? tw_report_memory() : TW_EXIT_OK;
}

int tw_gather_policy(const char *socket, struct tw_gathered_policy *ret)
{
	Tapwall__V1__PolicyRequest body = TAPWALL__V1__POLICY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	/* The text goes into the draft as it is. */
	struct tw_agent_call call = {
		.socket = socket, .raw = true, .answer = on_policy, .arg = ret};
	struct tw_diags diags = {0};
	int code, read;

	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY;
	request.policy = &body;
	code = tw_agent_ask(&call, &request);
	if (code || !ret->text.len)
		return code;
	read = tw_policy_read_learned(ret->text.data, ret->text.len, ret->learned.at,
		ret->learned.n, &ret->policy, &diags);
	tw_diags_done(&diags);
	if (read == -ENOMEM)
		return tw_report_memory();
	return read < 0 ? tw_report_error(TW_EXIT_NO, "policy in force",
				  "use a client of this agent's version", "cannot be read")
			: TW_EXIT_OK;
}
