/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/syslog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/mac.h"
#include "fastpath/abi/names.h"

#define LOCAL0	     (16 << 3)
#define NOTICE	     5
#define INFO	     6
#define SEQUENCE_MAX 2147483647u /* RFC 5424 §7.3.1 */
#define HOST_MAX     255
#define COUNT_MAX    8	 /* bytes of the octet count and its space */
#define REST_MAX     512 /* bytes kept for what comes after the parameters */
#define TIME_TEXT    32
#define UTF8_MARK    "\xef\xbb\xbf" /* RFC 5424 §6.4 */
#define NS_PER_S     1000000000u
#define NS_PER_US    1000u

struct tw_syslog {
	struct tw_syslog_what what;
	tw_syslog_put *put;
	void *arg;
	const char *app;
	int pid;
	bool stream;
	char host[HOST_MAX + 1];
	_Atomic uint32_t sequence;
	/* Only for the thread that calls tw_syslog_row(): the second that `second_text` shows. */
	time_t second;
	char second_text[TIME_TEXT];
};

/* A message that is being made. Its first COUNT_MAX bytes are for the octet count. */
struct draft {
	char bytes[TW_SYSLOG_MAX];
	size_t len;
};

/* ---- writing ---- */

static void put_raw(struct draft *draft, const char *text, size_t len, size_t kept)
{
	if (draft->len + len + kept > sizeof(draft->bytes))
		return;
	memcpy(draft->bytes + draft->len, text, len);
	draft->len += len;
}

static void put_text(struct draft *draft, const char *text)
{
	put_raw(draft, text, strlen(text), 0);
}

/* Adds a parameter, unless its value is empty. */
static void put_param(struct draft *draft, const char *name, const char *value)
{
	char text[TW_SYSLOG_VALUE_MAX + 1], param[2 * TW_SYSLOG_VALUE_MAX + 64];
	size_t len = tw_clean_cut(value, TW_SYSLOG_VALUE_MAX), n;

	if (!len)
		return;
	memcpy(text, value, len);
	tw_clean(text, len);
	n = (size_t)snprintf(param, sizeof(param), " %s=\"", name);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\' || text[i] == ']')
			param[n++] = '\\';
		param[n++] = text[i];
	}
	param[n++] = '"';
	put_raw(draft, param, n, REST_MAX);
}

static void put_number(struct draft *draft, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put_param(draft, name, text);
}

/* Writes the second of a time as in RFC 3339, without its fraction. */
static void write_second(time_t second, char ret[TIME_TEXT])
{
	struct tm tm;

	if (!gmtime_r(&second, &tm) || tm.tm_year < 0 || tm.tm_year > 9999 - 1900 ||
		!strftime(ret, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm))
		strcpy(ret, "1970-01-01T00:00:00");
}

/* Writes everything up to the structured data, and its element `meta`. */
static void begin(struct tw_syslog *syslog, struct draft *draft, int severity, const char *second,
	uint64_t unix_ns, const char *msgid)
{
	uint32_t sequence = atomic_fetch_add(&syslog->sequence, 1) % SEQUENCE_MAX + 1;

	draft->len = COUNT_MAX;
	draft->len += (size_t)snprintf(draft->bytes + draft->len, sizeof(draft->bytes) - draft->len,
		"<%d>1 %s.%06uZ %s %s %d %s [meta sequenceId=\"%u\"]", LOCAL0 | severity, second,
		(unsigned int)(unix_ns % NS_PER_S / NS_PER_US), syslog->host, syslog->app,
		syslog->pid, msgid, sequence);
}

/* Writes the octet count, if needed, and passes the message on. */
static void end(struct tw_syslog *syslog, struct draft *draft)
{
	char count[COUNT_MAX + 1];
	int n = syslog->stream ? snprintf(count, sizeof(count), "%zu ", draft->len - COUNT_MAX) : 0;

	memcpy(draft->bytes + COUNT_MAX - n, count, (size_t)n);
	syslog->put(syslog->arg, draft->bytes + COUNT_MAX - n, draft->len - COUNT_MAX + (size_t)n);
}

/* ---- events ---- */

/* The facts of a row as texts. */
struct words {
	const char *verdict, *proto;
	const char *what; /* MSGID */
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN], proto_text[TW_EVENT_PROTO_TEXT];
	bool has_ports, icmp;
};

static void write_address(const uint8_t addr[16], char ret[INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!memcmp(addr, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, addr + 12, ret, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, addr, ret, INET6_ADDRSTRLEN);
}

static void describe(const struct tw_event_row *row, struct words *ret)
{
	*ret = (struct words){0};
	ret->verdict = row->verdict == TW_V_WOULD_DENY	? "would-deny"
		       : row->kind != TW_EVENT_ROW_DENY ? "allow"
		       : row->verdict == TW_V_REJECT	? "reject"
							: "deny";
	ret->what = row->kind == TW_EVENT_ROW_CLOSE	 ? "close"
		    : strcmp(ret->verdict, "allow") != 0 ? ret->verdict
							 : "open";
	if (!row->has_ends)
		return;
	ret->proto = tw_event_row_proto(row->proto, ret->proto_text);
	ret->icmp = row->proto == IPPROTO_ICMP || row->proto == IPPROTO_ICMPV6;
	ret->has_ports = !ret->icmp && (row->from_port || row->to_port);
	write_address(row->from, ret->from);
	write_address(row->to, ret->to);
}

static void put_ends(struct draft *draft, const struct tw_dictionary *names,
	const struct tw_event_row *row, const struct words *words)
{
	if (words->proto)
		put_param(draft, "proto", words->proto);
	put_param(draft, "src", words->from);
	put_param(draft, "dst", words->to);
	if (words->has_ports) {
		put_number(draft, "srcPort", row->from_port);
		put_number(draft, "dstPort", row->to_port);
	}
	if (words->icmp) {
		put_number(draft, "icmpType", row->icmp_type >> 8);
		put_number(draft, "icmpCode", row->icmp_type & 0xff);
	}
	put_param(draft, "srcWorkload", tw_dictionary_text(names, row->from_workload));
	put_param(draft, "dstWorkload", tw_dictionary_text(names, row->to_workload));
}

static void put_frame(
	struct draft *draft, const struct tw_dictionary *names, const struct tw_event_row *row)
{
	char mac[TW_MAC_TEXT];

	put_param(draft, "direction", row->direction == TW_DIR_OUT ? "out" : "in");
	put_param(draft, "port", tw_dictionary_text(names, row->port));
	put_param(draft, "workload", tw_dictionary_text(names, row->workload));
	put_param(draft, "enteredBy", tw_dictionary_text(names, row->entered_by));
	put_param(draft, "srcMac", tw_mac_format(row->src_mac, mac));
	put_param(draft, "dstMac", tw_mac_format(row->dst_mac, mac));
	if (!row->has_ends)
		put_number(draft, "etherType", row->ethertype);
	if (row->vlan & 0xfff)
		put_number(draft, "vlan", row->vlan & 0xfff);
	put_number(draft, "bytes", row->len);
	if (row->lost_before)
		put_number(draft, "lostBefore", row->lost_before);
}

static void put_close(
	struct draft *draft, const struct tw_dictionary *names, const struct tw_event_row *row)
{
	put_param(draft, "state", tw_dictionary_text(names, row->state));
	put_param(draft, "srcRule", tw_dictionary_text(names, row->out_rule));
	put_param(draft, "dstRule", tw_dictionary_text(names, row->in_rule));
	put_param(draft, "srcTap", tw_dictionary_text(names, row->out_port));
	put_param(draft, "dstTap", tw_dictionary_text(names, row->in_port));
	put_number(draft, "packetsOut", row->packets_out);
	put_number(draft, "packetsIn", row->packets_in);
	put_number(draft, "bytesOut", row->bytes_out);
	put_number(draft, "bytesIn", row->bytes_in);
	put_number(draft, "durationMs", row->age_ns / 1000000);
}

/* The text has only words of tapwall's own, addresses and numbers, so it is ASCII. */
static void write_sentence(
	const struct tw_event_row *row, const struct words *words, char ret[TW_SYSLOG_SENTENCE_MAX])
{
	char from_port[8] = "", to_port[8] = "";

	if (words->has_ports) {
		snprintf(from_port, sizeof(from_port), " %u", row->from_port);
		snprintf(to_port, sizeof(to_port), " %u", row->to_port);
	}
	if (row->has_ends)
		snprintf(ret, TW_SYSLOG_SENTENCE_MAX, "%s %s %s%s to %s%s", words->what,
			words->proto, words->from, from_port, words->to, to_port);
	else
		snprintf(ret, TW_SYSLOG_SENTENCE_MAX, "%s frame of type 0x%04x", words->what,
			row->ethertype);
}

void tw_syslog_sentence(const struct tw_event_row *row, char ret[TW_SYSLOG_SENTENCE_MAX])
{
	struct words words;

	describe(row, &words);
	write_sentence(row, &words, ret);
}

void tw_syslog_row(struct tw_syslog *syslog, const char *agent, const struct tw_dictionary *names,
	const struct tw_event_row *row)
{
	time_t second = (time_t)(row->time_ns / NS_PER_S);
	char sentence[TW_SYSLOG_SENTENCE_MAX];
	struct words words;
	struct draft draft;

	describe(row, &words);
	if (second != syslog->second || !syslog->second_text[0])
		write_second(second, syslog->second_text);
	syslog->second = second;
	begin(syslog, &draft, row->kind == TW_EVENT_ROW_DENY ? NOTICE : INFO, syslog->second_text,
		row->time_ns, words.what);
	put_text(&draft, "[" TW_SYSLOG_ID);
	put_param(&draft, "agent", agent);
	put_param(&draft, "verdict", words.verdict);
	put_param(&draft, "reason", tw_dictionary_text(names, row->reason));
	put_param(&draft, "rule", tw_dictionary_text(names, row->rule));
	put_ends(&draft, names, row, &words);
	if (row->kind == TW_EVENT_ROW_CLOSE)
		put_close(&draft, names, row);
	else
		put_frame(&draft, names, row);
	put_text(&draft, "] ");
	write_sentence(row, &words, sentence);
	put_text(&draft, sentence);
	end(syslog, &draft);
}

void tw_syslog_take(
	struct tw_syslog *syslog, const char *agent, const struct tw_event_reader *reader)
{
	for (size_t i = 0; i < reader->n; i++) {
		const struct tw_event_row *row = &reader->rows[i];

		if ((row->kind == TW_EVENT_ROW_DENY && syslog->what.denials) ||
			(row->kind == TW_EVENT_ROW_CLOSE && syslog->what.connections))
			tw_syslog_row(syslog, agent, &reader->dictionary, row);
	}
}

/* ---- the log ---- */

static bool is_ascii(const char *text)
{
	while (*text && (unsigned char)*text < 0x80)
		text++;
	return !*text;
}

void tw_syslog_log(
	struct tw_syslog *syslog, enum tw_log_level level, uint64_t unix_ns, const char *text)
{
	size_t len = tw_clean_cut(text, TW_SYSLOG_MAX / 2);
	char second[TIME_TEXT];
	struct draft draft;

	if (!syslog->what.log)
		return;
	write_second((time_t)(unix_ns / NS_PER_S), second);
	begin(syslog, &draft, (int)level, second, unix_ns, "log");
	put_text(&draft, is_ascii(text) ? " " : " " UTF8_MARK);
	put_raw(&draft, text, len, 0);
	tw_clean(draft.bytes + draft.len - len, len);
	end(syslog, &draft);
}

/* ---- life ---- */

bool tw_syslog_parse(const char *text, struct tw_syslog_what *ret)
{
	*ret = (struct tw_syslog_what){0};
	do {
		size_t len = strcspn(text, ",");

		if (len == strlen("denials") && !strncmp(text, "denials", len))
			ret->denials = true;
		else if (len == strlen("connections") && !strncmp(text, "connections", len))
			ret->connections = true;
		else if (len == strlen("log") && !strncmp(text, "log", len))
			ret->log = true;
		else
			return false;
		text += len;
	} while (*text++ == ',');
	return true;
}

int tw_syslog_new(const struct tw_syslog_what *what, const struct tw_syslog_sender *sender,
	tw_syslog_put *put, void *arg, struct tw_syslog **ret)
{
	struct tw_syslog *syslog = tw_alloc(sizeof(*syslog));
	size_t n = 0;

	if (!syslog)
		return -ENOMEM;
	syslog->what = *what;
	syslog->put = put;
	syslog->arg = arg;
	syslog->pid = sender->pid;
	syslog->app = sender->app;
	syslog->stream = sender->stream;
	/* HOSTNAME has printable ASCII without spaces (RFC 5424 §6). */
	for (const char *host = sender->host; *host && n < HOST_MAX; host++)
		if (*host > ' ' && *host < 0x7f)
			syslog->host[n++] = *host;
	if (!n)
		syslog->host[0] = '-';
	*ret = syslog;
	return 0;
}

void tw_syslog_free(struct tw_syslog *syslog)
{
	free(syslog);
}
