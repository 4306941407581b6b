/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/event_row.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mac.h"
#include "fastpath/abi/names.h"

/* Strings of messages are not const in generated code, and are only read. */
#define TEXT(text) ((char *)(uintptr_t)(text))
#define NS_PER_S   1000000000u

_Static_assert(sizeof(((struct tw_event_words *)0)->from_text) >= INET6_ADDRSTRLEN, "an address");
_Static_assert(sizeof(((struct tw_event_row *)0)->from) == sizeof(struct tw_addr), "an address");

const char *tw_event_row_proto(uint8_t proto, char text[TW_EVENT_PROTO_TEXT])
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmp6";
	default:
		snprintf(text, TW_EVENT_PROTO_TEXT, "%u", proto);
		return text;
	}
}

static const char *kind_name(uint8_t kind)
{
	switch (kind) {
	case TW_EVENT_ROW_OPEN:
		return "open";
	case TW_EVENT_ROW_CLOSE:
		return "close";
	default:
		return "deny";
	}
}

static Tapwall__V1__End *describe_end(const uint8_t address[16], uint16_t port,
	const char *workload, char *text, Tapwall__V1__End *ret)
{
	struct tw_addr addr;

	memcpy(&addr, address, sizeof(addr));
	tapwall__v1__end__init(ret);
	ret->address = TEXT(tw_addr_format(&addr, text));
	ret->workload = TEXT(workload);
	ret->port = port;
	return ret;
}

static void describe_ends(const struct tw_event_row *row, const struct tw_dictionary *dictionary,
	struct tw_event_words *ret)
{
	const char *from = tw_dictionary_text(dictionary, row->from_workload);
	const char *to = tw_dictionary_text(dictionary, row->to_workload);

	ret->entry.from = describe_end(row->from, row->from_port, from, ret->from_text, &ret->from);
	ret->entry.to = describe_end(row->to, row->to_port, to, ret->to_text, &ret->to);
	ret->entry.proto = TEXT(tw_event_row_proto(row->proto, ret->proto));
}

static Tapwall__V1__Gate *describe_gate(uint8_t verdict, const char *rule, Tapwall__V1__Gate *ret)
{
	if (!verdict)
		return NULL;
	tapwall__v1__gate__init(ret);
	ret->verdict = TEXT(tw_verdict_name(verdict));
	ret->rule = TEXT(rule);
	return ret;
}

static void describe_frame(const struct tw_event_row *row, struct tw_event_words *ret)
{
	ret->entry.src_mac = TEXT(tw_mac_format(row->src_mac, ret->src_mac));
	ret->entry.dst_mac = TEXT(tw_mac_format(row->dst_mac, ret->dst_mac));
	ret->entry.len = row->len;
	if (row->proto != IPPROTO_TCP || !row->tcp_flags)
		return;
	tapwall__v1__segment__init(&ret->segment);
	ret->segment.flags = row->tcp_flags;
	ret->segment.seq = row->tcp_seq;
	ret->segment.ack = row->tcp_ack;
	ret->segment.window = row->tcp_window;
	ret->entry.tcp = &ret->segment;
}

static void describe_sums(const struct tw_event_row *row, Tapwall__V1__LogEntry *entry)
{
	entry->packets_out = row->packets_out;
	entry->packets_in = row->packets_in;
	entry->bytes_out = row->bytes_out;
	entry->bytes_in = row->bytes_in;
	entry->age_s = (double)row->age_ns / 1e9;
}

void tw_event_row_describe(const struct tw_event_row *row, const struct tw_dictionary *dictionary,
	struct tw_event_words *ret)
{
	Tapwall__V1__LogEntry *entry = &ret->entry;
	uint64_t seconds = row->time_ns / NS_PER_S;

	tapwall__v1__log_entry__init(entry);
	entry->lost_before = row->lost_before;
	/* Seconds and nanoseconds are converted separately: a double has 53 bits, but the time
	 * in nanoseconds needs 61. */
	entry->time = (double)seconds + (double)(row->time_ns % NS_PER_S) / 1e9;
	entry->verdict = TEXT(tw_verdict_name(row->verdict));
	/* A frame that would be denied is no denial. */
	entry->event = row->kind == TW_EVENT_ROW_DENY && row->verdict == TW_V_WOULD_DENY
			       ? entry->verdict
			       : TEXT(kind_name(row->kind));
	entry->reason = TEXT(tw_dictionary_text(dictionary, row->reason));
	entry->rule = TEXT(tw_dictionary_text(dictionary, row->rule));
	entry->port = TEXT(tw_dictionary_text(dictionary, row->port));
	entry->workload = TEXT(tw_dictionary_text(dictionary, row->workload));
	entry->direction = TEXT(tw_dir_name(row->direction));
	entry->entered_by = TEXT(tw_dictionary_text(dictionary, row->entered_by));
	entry->state = TEXT(tw_dictionary_text(dictionary, row->state));
	entry->out = describe_gate(
		row->out_verdict, tw_dictionary_text(dictionary, row->out_rule), &ret->out);
	entry->in = describe_gate(
		row->in_verdict, tw_dictionary_text(dictionary, row->in_rule), &ret->in);
	if (row->has_ends)
		describe_ends(row, dictionary, ret);
	entry->ethertype = row->ethertype;
	entry->vlan = row->vlan;
	entry->icmp_type = row->icmp_type;
	if (row->kind == TW_EVENT_ROW_CLOSE)
		describe_sums(row, entry);
	else
		describe_frame(row, ret);
}
