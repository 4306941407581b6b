/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "base/clean.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/style.h"
#include "cli/when.h"
#include "fastpath/abi/names.h"
#include "link/event_reader.h"
#include "link/flow.h"
#include "link/json_message.h"

/* Fixed column widths, because a stream cannot know how wide its columns will be. They fit the
 * usual words; a longer word shifts the rest of its line. */
#define EVENT_WIDTH    10
#define WORKLOAD_WIDTH 12
#define PROTO_WIDTH    10
#define TUPLE_WIDTH    44

/* Prints protocol and addresses. A frame without addresses has its EtherType and MACs printed
 * instead. */
static void put_tuple(const Tapwall__V1__LogEntry *e)
{
	char text[2 * TW_FLOW_TEXT_MAX + 8];
	struct tw_flow_words words = {0};

	if (e->from && e->to) {
		tw_flow_words(e->proto, e->icmp_type, e->from, e->to, &words);
	} else if (!e->ethertype) {
		/* A shut port's frames are not parsed; only their length is known. */
		tw_style_put(TW_STYLE_PLAIN, words.proto, PROTO_WIDTH);
		snprintf(text, sizeof(text), "%u bytes, not parsed", e->len);
		tw_style_put(TW_STYLE_STRONG, text, TUPLE_WIDTH);
		return;
	} else {
		snprintf(words.proto, sizeof(words.proto), "0x%04x", e->ethertype);
		snprintf(words.from, sizeof(words.from), "%.64s", e->src_mac);
		snprintf(words.to, sizeof(words.to), "%.64s", e->dst_mac);
	}
	tw_style_put(TW_STYLE_PLAIN, words.proto, PROTO_WIDTH);
	snprintf(text, sizeof(text), "%s %s %s", words.from, tw_glyph(TW_GLYPH_ARROW), words.to);
	tw_style_put(TW_STYLE_STRONG, text, TUPLE_WIDTH);
}

static void put_why(const Tapwall__V1__LogEntry *e)
{
	char text[1024];
	int n = 0;

	if (e->rule[0])
		n = snprintf(text, sizeof(text), "rule %.200s", e->rule);
	if (e->in && e->out && strcmp(e->in->rule, e->out->rule) && !strcmp(e->direction, "in") &&
		!strcmp(e->out->verdict, "allow"))
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", allowed out by %.200s",
			e->out->rule);
	if (!e->rule[0] || strcmp(e->reason, "policy"))
		n += snprintf(
			text + n, sizeof(text) - (size_t)n, "%s%.64s", n ? ", " : "", e->reason);
	if (!strcmp(e->event, "close"))
		snprintf(text + n, sizeof(text) - (size_t)n, ", %s after %s, %s + %s", e->state,
			tw_human_span(e->age_s).text, tw_human_bytes(e->bytes_out).text,
			tw_human_bytes(e->bytes_in).text);
	else if (!strcmp(e->state, "untracked"))
		snprintf(text + n, sizeof(text) - (size_t)n, ", untracked");
	/* Sequence numbers show why a segment does not fit its connection. They mean nothing for
	 * a rule's verdict. */
	if (e->tcp && !strncmp(e->reason, "tcp-", 4))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %.8s seq %u ack %u window %u",
			tw_tcp_flags_text(e->tcp->flags).text, e->tcp->seq, e->tcp->ack,
			e->tcp->window);
	if (e->entered_by[0] && !strcmp(e->reason, "foreign-source"))
		snprintf(text + n, sizeof(text) - (size_t)n, ", by %.32s from %.32s", e->entered_by,
			e->src_mac);
	tw_clean(text, strlen(text));
	printf("%s%s%s\n", tw_style_on(TW_STYLE_DIM), text, tw_style_off());
}

static void print_text(const Tapwall__V1__LogEntry *e)
{
	bool judged = !strcmp(e->event, "deny") ||
		      (!strcmp(e->verdict, "would-deny") && strcmp(e->event, "close") != 0);
	const char *event = judged ? e->verdict : e->event;
	char text[TW_FLOW_TEXT_MAX];

	if (e->lost_before)
		printf("%s%s entries are missing here%s\n", tw_style_on(TW_STYLE_WARN),
			tw_human_count(e->lost_before).text, tw_style_off());
	printf("%s%s%s  ", tw_style_on(TW_STYLE_DIM), tw_human_time(e->time).text, tw_style_off());
	snprintf(text, sizeof(text), "%.32s", event);
	tw_style_put(tw_style_of(event), text, EVENT_WIDTH);
	snprintf(text, sizeof(text), "%.200s %.8s", e->workload[0] ? e->workload : e->port,
		e->direction);
	tw_style_put(TW_STYLE_NAME, text, WORKLOAD_WIDTH);
	put_tuple(e);
	put_why(e);
}

struct view {
	const struct tw_log_options *options;
	struct tw_event_reader reader;
	uint64_t from_us; /* Unix time of --since */
	bool any;
	Tapwall__V1__EventsRequest *request;
	uint64_t last_us; /* Unix time of the last entry shown */
	double since; /* Unix time of the oldest event that the agent may still hold; 0: unknown */
};

static bool is_selected(const struct view *view, const Tapwall__V1__LogEntry *e)
{
	return e->time * 1e6 >= (double)view->from_us &&
	       tw_filter_has(
		       &view->options->filter, e->proto, e->from, e->to, e->out, e->in, e->rule);
}

static int show_entry(struct view *view, const Tapwall__V1__LogEntry *entry)
{
	int code = TW_EXIT_OK;

	if (!is_selected(view, entry))
		return code;
	view->any = true;
	view->last_us = (uint64_t)(entry->time * 1e6);
	if (view->options->json)
		code = tw_report_json(tw_json_log_entry(entry));
	else
		print_text(entry);
	/* With --follow each line is flushed, because stdout may be a pipe whose reader waits
	 * for events. */
	if (view->options->follow && fflush(stdout))
		return tw_report_error(TW_EXIT_INTERNAL, "stdout", NULL, "cannot write the output");
	return code;
}

static int show_batch(struct view *view, const Tapwall__V1__EventBatch *batch)
{
	struct tw_event_reader *reader = &view->reader;
	struct tw_event_words words;
	int ret = tw_event_reader_take(reader, batch), code = TW_EXIT_OK;

	if (ret < 0)
		return tw_report_error(TW_EXIT_INTERNAL, view->options->socket,
			"use a client of this agent's version",
			"cannot read the agent's events: %s", strerror(-ret));
	for (size_t i = 0; i < reader->n && !code; i++) {
		if (reader->rows[i].kind > TW_EVENT_ROW_DENY)
			continue;
		tw_event_row_describe(&reader->rows[i], &reader->dictionary, &words);
		code = show_entry(view, &words.entry);
	}
	return code;
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	struct view *view = arg;

	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_LOG_STATE)
		view->since = response->log_state->since;
	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_EVENTS)
		return TW_EXIT_OK;
	return show_batch(view, response->events);
}

/* After a restart, the agent remembers events since then; those that were shown are left out. */
static bool again(void *arg)
{
	struct view *view = arg;

	tw_event_reader_done(&view->reader);
	view->request->limit = 0;
	if (view->from_us <= view->last_us)
		view->from_us = view->last_us + 1;
	return true;
}

static void print_nothing(const struct view *view)
{
	bool filtered = view->from_us || tw_filter_is_set(&view->options->filter);

	printf("%s%s%s%s; older events are not kept%s\n", tw_style_on(TW_STYLE_DIM),
		filtered ? "nothing of that kind was denied or logged"
			 : "nothing was denied or logged",
		view->since > 0 ? " since " : " since the agent started",
		view->since > 0 ? tw_human_time(view->since).text : "", tw_style_off());
}

int tw_log_run(const void *values)
{
	struct tw_log_options copy = *(const struct tw_log_options *)values;
	const struct tw_log_options *options = &copy;
	Tapwall__V1__EventsRequest body = TAPWALL__V1__EVENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct view view = {.options = options, .request = &body};
	struct tw_agent_call call = {.socket = options->socket,
		.raw = options->json,
		.answer = on_answer,
		.arg = &view,
		.again = options->follow ? again : NULL,
		.patient = options->follow};
	int code;

	if (tw_filter_init(&copy.filter) ||
		tw_when_option("--since", options->since, &view.from_us))
		return TW_EXIT_USAGE;
	body.follow = options->follow;
	body.all = options->all;
	body.limit = options->limit;
	if (options->workload)
		body.workload = (char *)options->workload;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS;
	request.events = &body;
	code = tw_agent_ask(&call, &request);
	tw_event_reader_done(&view.reader);
	if (!code && !options->json && !view.any)
		print_nothing(&view);
	return code;
}
