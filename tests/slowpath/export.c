/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the exporters of tapwall-slowd: strict readers read the messages made from random rows with hostile
 * names, and a sender's collector is away, stopped or restarted. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clean.h"
#include "base/clock.h"
#include "fastpath/abi/types.h"
#include "link/syslog.h"
#include "slowpath/export/ipfix.h"
#include "slowpath/export/sender.h"
#include "slowpath/export/terms.h"

#define N_ROWS	   3000
#define FIELDS_MAX 32

#define TEN(text) text text text text text text text text text text

static const char *const names[] = {"tap1", "web-1", "", "a\"b\\c]d", "x\"] [evil@1 a=\"b",
	"line\nbreak\r\033[0m", "\xff\xfe\xc3", "Stra\xc3\x9f\x65", "policy", "established",
	"port-gone", "no-such-reason", "closed",
	/* Longer than any field, with a character of two bytes at the end of a selectorName. */
	TEN("0123456"), TEN("012345") "012\xc3\xa9", TEN(TEN("n\xc3\xa4")), TEN(TEN("\"]\\"))};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* ---- rows ---- */

static struct tw_event_row rows[N_ROWS];
static struct tw_event_reader reader;

static uint64_t random_number(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint32_t random_name(void)
{
	return tw_dictionary_intern(&reader.dictionary, names[random_number() % N_NAMES]);
}

static void random_row(struct tw_event_row *row)
{
	static const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, 47};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	for (size_t i = 0; i < sizeof(*row) / sizeof(uint64_t); i++)
		((uint64_t *)row)[i] = random_number();
	row->kind = (uint8_t)(1 + random_number() % 5);
	row->has_ends = random_number() % 4 != 0;
	row->proto = protos[random_number() % sizeof(protos)];
	row->direction = random_number() % 2;
	if (random_number() % 2) {
		memcpy(row->from, mapped, sizeof(mapped));
		memcpy(row->to, mapped, sizeof(mapped));
	}
	row->reason = random_name();
	row->rule = random_name();
	row->port = random_name();
	row->workload = random_name();
	row->from_workload = random_name();
	row->to_workload = random_name();
	row->state = random_name();
	row->out_rule = random_name();
	row->in_rule = random_name();
	row->out_port = random_name();
	row->in_port = random_name();
	row->entered_by = random_name();
}

static int make_rows(void **state)
{
	for (size_t i = 0; i < N_ROWS; i++)
		random_row(&rows[i]);
	reader.rows = rows;
	reader.n = N_ROWS;
	return 0;
}

static int free_rows(void **state)
{
	tw_dictionary_clear(&reader.dictionary);
	return 0;
}

static size_t count_rows(uint8_t kind, bool with_ends)
{
	size_t n = 0;

	for (size_t i = 0; i < N_ROWS; i++)
		n += rows[i].kind == kind && (rows[i].has_ends || !with_ends);
	return n;
}

/* ---- IPFIX ---- */

struct field {
	unsigned int element, len;
};

static struct field fields[1024][FIELDS_MAX];
static size_t n_fields[1024];
static size_t n_records, n_messages;
static uint32_t sequence;
static struct tw_ipfix *ipfix;
static struct tw_ipfix_stamp stamp = {
	.now_ns = 1000000000000u, .unix_s = 1800000000, .connection = 1};
static size_t n_templates;

static uint64_t number(const unsigned char *at, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | at[i];
	return value;
}

static size_t read_template(const unsigned char *at, size_t len, size_t head)
{
	size_t id = number(at, 2), n = number(at + 2, 2), used = head;

	assert_in_range(id, 256, 1023);
	assert_in_range(n, 1, FIELDS_MAX);
	n_fields[id] = n;
	for (size_t i = 0; i < n; i++) {
		assert_true(used + 4 <= len);
		fields[id][i].element = (unsigned int)number(at + used, 2);
		fields[id][i].len = (unsigned int)number(at + used + 2, 2);
		used += 4;
		if (!(fields[id][i].element & 0x8000))
			continue;
		assert_int_equal(number(at + used, 4), 29305);
		used += 4;
	}
	assert_true(used <= len);
	return used;
}

static size_t read_record(const unsigned char *at, size_t len, size_t id)
{
	size_t used = 0;

	assert_true(n_fields[id] > 0);
	for (size_t i = 0; i < n_fields[id]; i++) {
		size_t n = fields[id][i].len;
		unsigned int element = fields[id][i].element;

		if (n == 65535)
			n = at[used++];
		assert_true(used + n <= len);
		if (element == 82 || element == 335 || element == 350 || element == 300) {
			size_t text = strnlen((const char *)at + used, n);

			assert_true(tw_clean_check((const char *)at + used, text));
			for (size_t k = text; k < n; k++)
				assert_int_equal(at[used + k], 0);
		}
		if (element == 233)
			assert_in_range(at[used], 2, 4);
		used += n;
	}
	n_records++;
	return used;
}

static void read_sets(const unsigned char *at, size_t len)
{
	size_t used = 16;

	assert_int_equal(number(at, 2), 10);
	assert_int_equal(number(at + 2, 2), len);
	assert_int_equal(number(at + 4, 4), stamp.unix_s);
	assert_int_equal(number(at + 8, 4), sequence);
	assert_true(number(at + 12, 4) != 0);
	while (used < len) {
		size_t id = number(at + used, 2), set = number(at + used + 2, 2), in = 4;

		assert_in_range(set, 5, len - used);
		while (in < set)
			in += id == 2	? read_template(at + used + in, set - in, 4)
			      : id == 3 ? read_template(at + used + in, set - in, 6)
					: read_record(at + used + in, set - in, id);
		used += set;
	}
}

static void take_message(void *arg, const void *message, size_t len, uint32_t n)
{
	unsigned char templates[TW_IPFIX_TEMPLATES_MAX], copy[TW_IPFIX_MESSAGE_MAX];
	size_t before, n_bytes;

	assert_in_range(len, 21, TW_IPFIX_MESSAGE_MAX);
	memcpy(copy, message, len);
	n_bytes = tw_ipfix_stamp(ipfix, &stamp, copy, n, templates);
	if (n_bytes) {
		n_templates++;
		before = n_records;
		read_sets(templates, n_bytes);
		sequence += (uint32_t)(n_records - before);
		n_records = before;
	}
	before = n_records;
	read_sets(copy, len);
	assert_int_equal(n_records - before, n);
	sequence += n;
	n_messages++;
}

static void test_ipfix(void **state)
{
	size_t want = count_rows(TW_EVENT_ROW_CLOSE, true) + count_rows(TW_EVENT_ROW_DENY, false);

	assert_int_equal(tw_ipfix_new(take_message, NULL, &ipfix), 0);
	assert_int_equal(tw_ipfix_take(ipfix, "host-a", &reader), 0);
	assert_int_equal(n_records, want);
	assert_true(n_messages > want / 10);
	assert_int_equal(n_templates, 1);
	/* By UDP, templates are sent again after a while. */
	stamp.now_ns += TW_IPFIX_TEMPLATE_NS;
	assert_int_equal(tw_ipfix_take(ipfix, "host-a", &reader), 0);
	assert_int_equal(n_templates, 2);
	/* On a new connection too, and a stream counts from 0. */
	stamp.connection++;
	stamp.is_stream = true;
	sequence = 0;
	assert_int_equal(tw_ipfix_take(ipfix, "host-a", &reader), 0);
	stamp.now_ns += TW_IPFIX_TEMPLATE_NS;
	assert_int_equal(tw_ipfix_take(ipfix, "host-a", &reader), 0);
	assert_int_equal(n_templates, 3);
	assert_int_equal(n_records, 4 * want);
	tw_ipfix_free(ipfix);
}

/* ---- syslog ---- */

static size_t n_syslog, last_sequence;

/* Reads a value in quotes at `at`, unescaped. Returns the address behind it. */
static const char *read_value(const char *at, const char *end, char ret[1024])
{
	size_t n = 0;

	for (; at < end && *at != '"'; at++) {
		assert_true(*at != ']' && (unsigned char)*at >= ' ');
		if (*at == '\\') {
			at++;
			assert_true(at < end && (*at == '"' || *at == '\\' || *at == ']'));
		}
		assert_true(n < 1023);
		ret[n++] = *at;
	}
	assert_true(at < end);
	ret[n] = '\0';
	assert_true(tw_clean_check(ret, n));
	return at + 1;
}

static bool is_name(const char *value)
{
	char text[1024];

	for (size_t i = 0; i < N_NAMES; i++) {
		size_t len = tw_clean_cut(names[i], TW_SYSLOG_VALUE_MAX);

		memcpy(text, names[i], len);
		text[len] = '\0';
		tw_clean(text, len);
		if (!strcmp(text, value))
			return true;
	}
	return false;
}

/* Reads one element of structured data. Returns the address behind it. */
static const char *read_element(const char *at, const char *end, const char *id)
{
	char name[64], value[1024];

	assert_memory_equal(at, id, strlen(id));
	for (at += strlen(id); *at == ' ';) {
		size_t n = strcspn(++at, "=\" ]\\");

		assert_in_range(n, 1, 32);
		memcpy(name, at, n);
		name[n] = '\0';
		assert_memory_equal(at + n, "=\"", 2);
		at = read_value(at + n + 2, end, value);
		if (!strcmp(name, "rule") || !strcmp(name, "srcWorkload") ||
			!strcmp(name, "srcTap"))
			assert_true(is_name(value));
		if (!strcmp(name, "agent"))
			assert_string_equal(value, "h\"o]s\\t");
		if (!strcmp(name, "sequenceId"))
			assert_int_equal(strtoul(value, NULL, 10), ++last_sequence);
	}
	assert_int_equal(*at, ']');
	return at + 1;
}

static void take_syslog(void *arg, const void *message, size_t len)
{
	const char *expected = arg, *at = message, *end = at + len;
	char *rest;
	size_t count = strtoul(at, &rest, 10);
	unsigned int pri, pid;
	char time[40], host[40], app[40], msgid[40];
	int n = 0;

	assert_in_range(len, 60, TW_SYSLOG_MAX);
	assert_int_equal(*rest, ' ');
	assert_int_equal(count, (size_t)(end - rest - 1));
	assert_true(tw_clean_check(rest, (size_t)(end - rest)) || expected);
	assert_int_equal(sscanf(rest + 1, "<%u>1 %39s %39s %39s %u %39s %n", &pri, time, host, app,
				 &pid, msgid, &n),
		6);
	assert_int_equal(strlen(time), strlen("2026-11-30T18:00:00.000000Z"));
	assert_string_equal(host, "here");
	assert_string_equal(app, "tapwall-slowd");
	assert_int_equal(pid, 42);
	at = read_element(rest + 1 + n, end, "[meta");
	if (expected) {
		assert_string_equal(msgid, "log");
		assert_int_equal(pri, 16 * 8 + 4);
		assert_int_equal(end - at, strlen(expected));
		assert_memory_equal(at, expected, strlen(expected));
	} else {
		at = read_element(at, end, "[" TW_SYSLOG_ID);
		assert_int_equal(*at, ' ');
		for (; at < end; at++)
			assert_in_range(*at, ' ', '~');
	}
	n_syslog++;
}

static const struct tw_syslog_sender here = {
	.host = "here", .app = "tapwall-slowd", .pid = 42, .stream = true};

static void test_syslog(void **state)
{
	struct tw_syslog_sender odd = here;
	struct tw_syslog_what what;
	struct tw_syslog *syslog;

	odd.host = "he\nre ";
	assert_false(tw_syslog_parse("", &what));
	assert_false(tw_syslog_parse("denials,", &what));
	assert_false(tw_syslog_parse("denial", &what));
	assert_true(tw_syslog_parse("log,denials", &what));
	assert_true(what.log && what.denials && !what.connections);
	assert_int_equal(tw_syslog_new(&what, &here, take_syslog, NULL, &syslog), 0);
	tw_syslog_take(syslog, "h\"o]s\\t", &reader);
	assert_int_equal(n_syslog, count_rows(TW_EVENT_ROW_DENY, false));
	tw_syslog_free(syslog);

	assert_true(tw_syslog_parse("connections", &what));
	last_sequence = n_syslog = 0;
	assert_int_equal(tw_syslog_new(&what, &odd, take_syslog, NULL, &syslog), 0);
	tw_syslog_take(syslog, "h\"o]s\\t", &reader);
	assert_int_equal(n_syslog, count_rows(TW_EVENT_ROW_CLOSE, false));
	tw_syslog_log(syslog, TW_LOG_WARNING, 0, "is not sent");
	assert_int_equal(n_syslog, count_rows(TW_EVENT_ROW_CLOSE, false));
	tw_syslog_free(syslog);
}

static bool has(const char *message, size_t len, const char *text)
{
	return memmem(message, len, text, strlen(text)) != NULL;
}

static void take_datagram(void *arg, const void *message, size_t len)
{
	static const char text[] = " deny frame of type 0x0806";
	const char *at = message;

	assert_memory_equal(at, "<133>1 ", strlen("<133>1 "));
	assert_false(has(at, len, "agent="));
	assert_true(has(at, len, " here tapwalld 42 deny [meta sequenceId=\"1\"]"));
	assert_true(has(at, len, " lostBefore=\"7\"]"));
	assert_memory_equal(at + len - strlen(text), text, strlen(text));
	++*(int *)arg;
}

/* A datagram has no octet count. */
static void test_datagram(void **state)
{
	const struct tw_syslog_what what = {.denials = true};
	const struct tw_syslog_sender sender = {.host = "here", .app = "tapwalld", .pid = 42};
	const struct tw_event_row row = {.kind = TW_EVENT_ROW_DENY,
		.verdict = TW_V_DENY,
		.ethertype = 0x0806,
		.lost_before = 7};
	const struct tw_dictionary none = {0};
	struct tw_syslog *syslog;
	int n = 0;

	assert_int_equal(tw_syslog_new(&what, &sender, take_datagram, &n, &syslog), 0);
	tw_syslog_row(syslog, "", &none, &row);
	assert_int_equal(n, 1);
	tw_syslog_free(syslog);
}

static void test_log(void **state)
{
	const struct tw_syslog_what what = {.log = true};
	struct tw_syslog *syslog;

	last_sequence = n_syslog = 0;
	assert_int_equal(tw_syslog_new(&what, &here, take_syslog, " a ] [b\" c", &syslog), 0);
	tw_syslog_log(syslog, TW_LOG_WARNING, UINT64_MAX, "a ] [b\" c");
	tw_syslog_free(syslog);
	last_sequence = 0;
	assert_int_equal(
		tw_syslog_new(&what, &here, take_syslog, " \xef\xbb\xbf\xc3\x9f?7 ", &syslog), 0);
	tw_syslog_log(syslog, TW_LOG_WARNING, 0, "\xc3\x9f\n7 ");
	tw_syslog_free(syslog);
	assert_int_equal(n_syslog, 2);
}

static void test_cut(void **state)
{
	assert_int_equal(tw_clean_cut("", 4), 0);
	assert_int_equal(tw_clean_cut("abcd", 4), 4);
	assert_int_equal(tw_clean_cut("abcde", 4), 4);
	assert_int_equal(tw_clean_cut("abc\xc3\x9f", 4), 3);
	assert_int_equal(tw_clean_cut("ab\xe2\x82\xac", 4), 2);
	assert_int_equal(tw_clean_cut("\x80\x80\x80", 2), 0);
}

/* ---- the sender ---- */

#define QUEUE_BYTES 65536

/* Listens at a port of this host, which is written to `where`. */
static int listen_at(char where[32], in_port_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port)};
	socklen_t len = sizeof(at);
	const int on = 1, least = 4096;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(where, 32, "127.0.0.1:%u", ntohs(at.sin_port));
	return fd;
}

static struct tw_sender *start_sender(const char *where)
{
	const struct tw_sender_setup setup = {.what = "collector",
		.kind = TW_OUTLET_TCP,
		.where = where,
		.queue_bytes = QUEUE_BYTES};
	struct tw_sender *sender;
	struct tw_err err;

	assert_int_equal(tw_sender_new(&setup, "--option", &sender, &err), 0);
	return sender;
}

/* Reads numbers until `last`, some of which may be repeated. Returns how many are missing between them. */
static unsigned int read_until(int fd, uint32_t *next, uint32_t last)
{
	unsigned int n_missing = 0;
	uint32_t got;

	while (*next <= last) {
		assert_int_equal(recv(fd, &got, sizeof(got), MSG_WAITALL), sizeof(got));
		if (got > *next)
			n_missing += got - *next;
		if (got >= *next)
			*next = got + 1;
	}
	return n_missing;
}

/* Waits until the figure is `want`, for 20 s. */
static void wait_for(struct tw_sender *sender, uint64_t want, struct tw_sender_facts *ret)
{
	for (int i = 0; i < 2000; i++) {
		tw_sender_get_facts(sender, ret);
		if (ret->queued == want)
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("%llu records are queued", (unsigned long long)ret->queued);
}

/* A collector that does not read loses what the queue has no room for, and nothing waits for it. */
static void test_stopped(void **state)
{
	static unsigned char message[TW_SENDER_MESSAGE_MAX];
	struct tw_sender_facts facts;
	struct tw_sender *sender;
	char where[32];
	int fd = listen_at(where, 0);
	uint64_t begun;
	unsigned int n = 0;

	sender = start_sender(where);
	/* The number of messages depends on the size of both sockets' buffers. */
	do {
		tw_sender_give(sender, message, sizeof(message), 1);
		n++;
		if (n % 8 == 0)
			poll(NULL, 0, 1);
		tw_sender_get_facts(sender, &facts);
	} while (facts.lost < 100 && n < 20000);
	assert_true(facts.lost >= 100);
	assert_true(facts.queued <= QUEUE_BYTES / sizeof(message));
	assert_true(facts.queued > 0);
	begun = tw_clock_ns();
	tw_sender_free(sender);
	assert_true(tw_clock_ns() - begun < 10000000000u);
	close(fd);
}

/* A collector that restarts misses nothing. */
static void test_restarted(void **state)
{
	struct tw_sender_facts facts;
	struct tw_sender *sender;
	char where[32], again[32];
	int fd = listen_at(where, 0), peer;
	uint32_t next = 1;

	sender = start_sender(where);
	for (uint32_t i = 1; i <= 100; i++)
		tw_sender_give(sender, &i, sizeof(i), 1);
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(read_until(peer, &next, 100), 0);
	wait_for(sender, 0, &facts);
	assert_int_equal(facts.records, 100);
	close(peer);
	close(fd);
	for (uint32_t i = 101; i <= 200; i++)
		tw_sender_give(sender, &i, sizeof(i), 1);
	fd = listen_at(again, (in_port_t)strtoul(strchr(where, ':') + 1, NULL, 10));
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(read_until(peer, &next, 200), 0);
	wait_for(sender, 0, &facts);
	assert_int_equal(facts.records, 200);
	assert_int_equal(facts.lost, 0);
	assert_int_equal(facts.connects, 2);
	tw_sender_free(sender);
	close(peer);
	close(fd);
}

/* Messages that the collector's TCP did not acknowledge before the connection broke are sent again. */
static void test_broken(void **state)
{
	struct {
		uint32_t number;
		unsigned char rest[996];
	} message = {0};
	struct tw_sender_facts facts = {0};
	struct tw_sender *sender;
	char where[32];
	int fd = listen_at(where, 0), peer;

	sender = start_sender(where);
	for (uint32_t i = 1; i <= 60; i++) {
		message.number = i;
		tw_sender_give(sender, &message, sizeof(message), 1);
	}
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	/* The collector reads nothing, so the buffers of the sockets have it all, and some is not acknowledged. */
	for (int i = 0; i < 2000 && facts.records < 60; i++) {
		poll(NULL, 0, 10);
		tw_sender_get_facts(sender, &facts);
	}
	assert_int_equal(facts.records, 60);
	assert_in_range(facts.queued, 1, 60);
	close(peer);
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(recv(peer, &message, sizeof(message), MSG_WAITALL), sizeof(message));
	assert_in_range(message.number, 1, 60 - facts.queued + 1);
	for (uint32_t next = message.number + 1; next <= 60; next++) {
		assert_int_equal(
			recv(peer, &message, sizeof(message), MSG_WAITALL), sizeof(message));
		assert_int_equal(message.number, next);
	}
	wait_for(sender, 0, &facts);
	assert_int_equal(facts.records, 60);
	tw_sender_free(sender);
	close(peer);
	close(fd);
}

static void test_refusals(void **state)
{
	struct tw_sender_setup setup = {
		.what = "collector", .kind = TW_OUTLET_TLS, .where = "nonsense"};
	struct tw_sender *sender = NULL;
	struct tw_err err;

	assert_int_equal(tw_sender_new(&setup, "--syslog", &sender, &err), -EINVAL);
	assert_string_equal(err.place, "--syslog");
	setup.where = "127.0.0.1:6514";
	setup.ca = "/nonexistent.pem";
	assert_int_equal(tw_sender_new(&setup, "--syslog", &sender, &err), -EKEYREJECTED);
	assert_string_equal(err.place, setup.ca);
	setup.ca = "/dev/null";
	assert_int_equal(tw_sender_new(&setup, "--syslog", &sender, &err), -EKEYREJECTED);
	assert_null(sender);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ipfix, make_rows, free_rows),
		cmocka_unit_test_setup_teardown(test_syslog, make_rows, free_rows),
		cmocka_unit_test(test_datagram),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_restarted),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
