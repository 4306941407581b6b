/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* events.c: the stream of events, read batch by batch and shown row by row. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "link/event_reader.h"
#include "sdk/sdk.h"

#define KINDS (1u << TAPWALL_OPEN | 1u << TAPWALL_CLOSE | 1u << TAPWALL_DENIAL)

_Static_assert(sizeof(struct tw_addr) == 16, "addresses have 16 bytes");

/* `event` shows reader.rows[at - 1]; its texts are those of the reader's dictionary and the ones
 * below. */
struct tapwall_events {
	struct tw_link_client *client;
	struct tw_event_reader reader;
	size_t at; /* rows of the batch that were returned */
	uint32_t kinds;
	bool ended;
	int failed; /* error that ended the stream; 0: none */
	struct tapwall_event event;
	char from[INET6_ADDRSTRLEN];
	char to[INET6_ADDRSTRLEN];
	char proto[TW_EVENT_PROTO_TEXT];
};

/* ---- subscribing ---- */

static int subscribe(struct tapwall_handle *agent, const struct tapwall_events_options *options,
	struct tapwall_events *events, struct tapwall_error *error)
{
	Tapwall__V1__EventsRequest body = TAPWALL__V1__EVENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	events->kinds = options->kinds ? options->kinds : KINDS;
	body.follow = !options->once;
	body.all = options->all;
	body.workload = tw_sdk_borrow(options->workload);
	body.limit = options->latest;
	body.kinds = events->kinds;
	body.journal = options->journal;
	body.from = options->next;
	events->reader.journal = options->journal;
	events->reader.next = options->next;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS;
	request.events = &body;
	return tw_sdk_ask(agent, &request, &events->client, error);
}

int tapwall_events_open(struct tapwall_handle *agent, const struct tapwall_events_options *options,
	struct tapwall_events **ret, struct tapwall_error *error)
{
	struct tapwall_events_options wanted = {0};
	struct tapwall_events *events;
	int code = 0;

	if (options)
		code = tw_sdk_options(options, options->size, &wanted, sizeof(wanted), error);
	if (code < 0)
		return code;
	events = tw_alloc(sizeof(*events));
	if (!events)
		return tw_sdk_error(error, -ENOMEM, NULL, NULL, "out of memory");
	code = subscribe(agent, &wanted, events, error);
	if (code < 0) {
		tapwall_events_free(events);
		return code;
	}
	*ret = events;
	return 0;
}

void tapwall_events_free(struct tapwall_events *events)
{
	if (!events)
		return;
	tw_event_reader_done(&events->reader);
	tw_link_client_free(events->client);
	free(events);
}

int tapwall_events_fd(const struct tapwall_events *events)
{
	return tw_link_client_fd(events->client);
}

/* ---- rows ---- */

static void show_end(const uint8_t address[16], uint16_t port, const char *workload, char *text,
	struct tapwall_end *ret)
{
	struct tw_addr addr;

	memcpy(&addr, address, sizeof(addr));
	memcpy(ret->bytes, address, sizeof(ret->bytes));
	ret->address = tw_addr_format(&addr, text);
	ret->workload = workload;
	ret->port = port;
}

static void show_ends(struct tapwall_events *events, const struct tw_event_row *row)
{
	const struct tw_dictionary *names = &events->reader.dictionary;
	struct tapwall_event *event = &events->event;

	event->proto = row->proto;
	event->proto_name = "";
	event->from.address = event->from.workload = "";
	event->to.address = event->to.workload = "";
	event->has_ends = row->has_ends;
	if (!row->has_ends)
		return;
	event->proto_name = tw_event_row_proto(row->proto, events->proto);
	show_end(row->from, row->from_port, tw_dictionary_text(names, row->from_workload),
		events->from, &event->from);
	show_end(row->to, row->to_port, tw_dictionary_text(names, row->to_workload), events->to,
		&event->to);
}

/* Shows the fields of a kind of row, which are 0 in rows of other kinds. */
static void show_details(const struct tw_event_row *row, struct tapwall_event *event)
{
	memcpy(event->src_mac, row->src_mac, sizeof(event->src_mac));
	memcpy(event->dst_mac, row->dst_mac, sizeof(event->dst_mac));
	event->len = row->len;
	event->packets_out = row->packets_out;
	event->packets_in = row->packets_in;
	event->bytes_out = row->bytes_out;
	event->bytes_in = row->bytes_in;
	event->age_ns = row->age_ns;
	event->first_ns = row->first_ns;
	event->last_ns = row->last_ns;
	event->tcp_flags = row->tcp_flags;
	event->tcp_window = row->tcp_window;
	event->tcp_seq = row->tcp_seq;
	event->tcp_ack = row->tcp_ack;
}

static void show(struct tapwall_events *events, const struct tw_event_row *row)
{
	const struct tw_dictionary *names = &events->reader.dictionary;
	struct tapwall_event *event = &events->event;

	*event = (struct tapwall_event){
		.number = row->number,
		.lost_before = row->lost_before,
		.time_ns = row->time_ns,
		.kind = (enum tapwall_kind)row->kind,
		.verdict = (enum tapwall_verdict)row->verdict,
		.direction = (enum tapwall_direction)row->direction,
		.notable = row->notable,
		.reason = tw_dictionary_text(names, row->reason),
		.rule = tw_dictionary_text(names, row->rule),
		.workload = tw_dictionary_text(names, row->workload),
		.port = tw_dictionary_text(names, row->port),
		.icmp_type = row->icmp_type,
		.ethertype = row->ethertype,
		.vlan = row->vlan,
		.state = tw_dictionary_text(names, row->state),
		.out = {(enum tapwall_verdict)row->out_verdict,
			tw_dictionary_text(names, row->out_rule)},
		.in = {(enum tapwall_verdict)row->in_verdict,
			tw_dictionary_text(names, row->in_rule)},
		.out_port = tw_dictionary_text(names, row->out_port),
		.in_port = tw_dictionary_text(names, row->in_port),
		.entered_by = tw_dictionary_text(names, row->entered_by),
	};
	show_ends(events, row);
	show_details(row, event);
}

/* Returns the batch's next row whose kind was asked for; NULL: none is left. Agents send only the
 * kinds in the request. */
static const struct tw_event_row *next_row(struct tapwall_events *events)
{
	while (events->at < events->reader.n) {
		const struct tw_event_row *row = &events->reader.rows[events->at++];

		if (row->kind < 32 && events->kinds >> row->kind & 1)
			return row;
	}
	return NULL;
}

/* Reads the next batch, or the end. Returns 0 or a negative errno. */
static int next_batch(struct tapwall_events *events, int wait_ms, struct tapwall_error *error)
{
	Tapwall__V1__Response *response = NULL;
	int code = tw_sdk_receive(events->client, wait_ms, &response, error);

	if (code == -EAGAIN || code == -EINTR)
		return code;
	events->failed = code;
	if (code < 0)
		return code;
	events->ended = response->last;
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_EVENTS) {
		events->at = 0;
		code = tw_event_reader_take(&events->reader, response->events);
	}
	tapwall__v1__response__free_unpacked(response, NULL);
	events->failed = code;
	if (!code)
		return 0;
	return tw_sdk_error(error, code, "events", "use a library of the agent's version",
		code == -ENOMEM ? "out of memory" : "a batch of events is malformed");
}

int tapwall_events_next(struct tapwall_events *events, int wait_ms,
	const struct tapwall_event **ret, struct tapwall_error *error)
{
	const struct tw_event_row *row = next_row(events);
	uint64_t due_ns = row ? 0 : tw_sdk_due_ns(wait_ms);

	while (!row) {
		int code;

		if (events->failed)
			return tw_sdk_error(error, events->failed, "events", "subscribe again",
				"the stream has ended with an error");
		if (events->ended)
			return 0;
		code = next_batch(events, tw_sdk_left_ms(due_ns), error);
		if (code < 0)
			return code;
		row = next_row(events);
	}
	show(events, row);
	*ret = &events->event;
	return 1;
}

void tapwall_events_place(
	const struct tapwall_events *events, uint64_t *ret_journal, uint64_t *ret_next)
{
	*ret_journal = events->reader.journal;
	*ret_next = events->at < events->reader.n ? events->reader.rows[events->at].number
						  : events->reader.next;
}

uint64_t tapwall_events_lost(const struct tapwall_events *events)
{
	return events->reader.lost;
}
