/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the reading of names: TLS, HTTP and DNS in pieces of any size, near misses, noise. */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "sim/asked.h"
#include "tests/unit/messages.h"

#define NOISE 200000

/* Reads a message in pieces of `size` bytes. The outcome, and the name if there is one. */
static enum tw_name_outcome read_in(
	const struct message *m, enum tw_name_kind kind, size_t first, size_t size, char *ret_name)
{
	struct tw_name_reader name;
	size_t len = first;

	tw_name_begin(&name, kind);
	for (size_t at = 0; at < m->len && !name.outcome; at += len, len = size) {
		if (len > m->len - at)
			len = m->len - at;
		tw_asked_read(&name, m->bytes + at, len);
	}
	assert_true(name.len <= TW_NAME_MAX);
	memcpy(ret_name, name.bytes, name.len);
	ret_name[name.len] = 0;
	return (enum tw_name_outcome)name.outcome;
}

/* The same outcome in one piece, in bytes, and in two pieces at each place. `name`: NULL if there is none. */
static void reads(const struct message *m, enum tw_name_kind kind, enum tw_name_outcome outcome,
	const char *name)
{
	char got[TW_NAME_MAX + 1];

	for (size_t first = 1; first <= m->len; first++)
		for (int rest = 0; rest < 2; rest++) {
			assert_int_equal(read_in(m, kind, first, rest ? m->len : 1, got), outcome);
			if (name)
				assert_string_equal(got, name);
		}
}

static void reads_text(const char *request, enum tw_name_outcome outcome, const char *name)
{
	struct message m = text(request);

	reads(&m, TW_NAME_HTTP, outcome, name);
}

static void tls(void **state)
{
	static const char *const names[] = {"a", "example.com", "WWW.Example.COM",
		"a-name_with.all-characters.0123456789.example"};
	char longest[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (int others = 0; others < 4; others++) {
			struct message m = hello(names[i], others);
			char lower[256];

			for (size_t k = 0; k <= strlen(names[i]); k++)
				lower[k] = (char)(names[i][k] >= 'A' && names[i][k] <= 'Z'
							  ? names[i][k] | 0x20
							  : names[i][k]);
			reads(&m, TW_NAME_TLS, TW_NAME_FOUND, lower);
			for (size_t size = 8; size < 60; size += 7) {
				struct message split = in_records(&m, size);

				reads(&split, TW_NAME_TLS, TW_NAME_FOUND, lower);
			}
		}
	memset(longest, 'x', 255);
	longest[255] = 0;
	struct message m = hello(longest, 1);

	reads(&m, TW_NAME_TLS, TW_NAME_FOUND, longest);
	m = hello("example.com.", 0);
	reads(&m, TW_NAME_TLS, TW_NAME_FOUND, "example.com");
	m = hello(NULL, 2);
	reads(&m, TW_NAME_TLS, TW_NAME_NONE, NULL);
	m = hello(NULL, 0);
	reads(&m, TW_NAME_TLS, TW_NAME_NONE, NULL);
}

/* A changed byte never gives a name that was not there whole, and never a wrong end. */
static void tls_malformed(void **state)
{
	struct message m = hello("example.com", 1), bad;
	char got[TW_NAME_MAX + 1];

	bad = hello("exa mple.com", 0);
	reads(&bad, TW_NAME_TLS, TW_NAME_BAD, NULL);
	bad = hello("exa\0ple.com", 0);
	reads(&bad, TW_NAME_TLS, TW_NAME_FOUND, "exa"); /* strlen() ends there */
	bad = hello("", 0);
	reads(&bad, TW_NAME_TLS, TW_NAME_BAD, NULL);
	/* The lengths: of the record, the message, the session id, all extensions, the list, the name. */
	static const size_t lengths[] = {
		1, 3, 5, 6, 7, 43, 76, 77, 84, 85, 88, 89, 95, 96, 97, 98, 99, 100};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (int change = 1; change < 256; change++) {
			bad = m;
			bad.bytes[lengths[i]] ^= (uint8_t)change;
			if (read_in(&bad, TW_NAME_TLS, bad.len, bad.len, got) == TW_NAME_FOUND)
				assert_true(strstr("example.com", got) != NULL);
		}
}

static void http(void **state)
{
	reads_text("GET / HTTP/1.1\r\nHost: Example.com\r\n\r\n", TW_NAME_FOUND, "example.com");
	reads_text("GET / HTTP/1.1\r\nA: b\r\nhOsT:example.com:8080\r\nCookie: x=y\r\n\r\n",
		TW_NAME_FOUND, "example.com");
	reads_text(
		"GET /host:other HTTP/1.1\r\nHosts: other\r\nX-Host: other\r\nHo: x\r\nHost:  \tw_1-2.example. \t\r\n\r\n",
		TW_NAME_FOUND, "w_1-2.example");
	reads_text("GET / HTTP/1.1\nHost: example.com\n\n", TW_NAME_FOUND, "example.com");
	reads_text("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", TW_NAME_FOUND, "a");
	reads_text("GET http://a.example/x HTTP/1.1\r\nHost: A.example\r\n\r\n", TW_NAME_FOUND,
		"a.example");
	reads_text("GET http://a.example:80/ HTTP/1.0\r\n\r\n", TW_NAME_FOUND, "a.example");
	reads_text("GET HTTPS://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n", TW_NAME_FOUND,
		"a.example");
	reads_text("CONNECT http.example:443 HTTP/1.1\r\nHost: http.example:443\r\n\r\n",
		TW_NAME_FOUND, "http.example");
	reads_text("GET / HTTP/1.0\r\n\r\n", TW_NAME_NONE, NULL);
	reads_text("GET / HTTP/1.1\r\nHost:\r\n\r\n", TW_NAME_NONE, NULL);
	reads_text("GET / HTTP/1.1\r\nHost: example.com\r\n", TW_NAME_MORE, NULL);
}

/* What a server may understand in another way. */
static void http_ambiguous(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: ab\r\n\r\n",
		"GET http://ab/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
		"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
		"GET / HTTP/1.1\r\nX: y\rHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: user@b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: %61\r\n\r\n",
		"GET http://user@a/ HTTP/1.1\r\n\r\n",
		"GET http:/a/ HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct message m = text(requests[i]);
		char got[TW_NAME_MAX + 1];

		if (read_in(&m, TW_NAME_HTTP, m.len, m.len, got) != TW_NAME_BAD)
			fail_msg("\"%s\" is not ambiguous", requests[i]);
		reads(&m, TW_NAME_HTTP, TW_NAME_BAD, NULL);
	}
}

static void dns(void **state)
{
	struct message m;

	for (int tcp = 0; tcp < 2; tcp++) {
		enum tw_name_kind kind = tcp ? TW_NAME_DNS_TCP : TW_NAME_DNS;

		m = query("www.Example.com", tcp);
		reads(&m, kind, TW_NAME_FOUND, "www.example.com");
		m = query("_a._tcp.x", tcp);
		reads(&m, kind, TW_NAME_FOUND, "_a._tcp.x");
		m = query("", tcp);
		reads(&m, kind, TW_NAME_NONE, NULL);
		/* A label that contains a dot reads like two. */
		m = query("wwwxexample.com", tcp);
		m.bytes[m.len - 4 - 1 - 4 - 8] = '.';
		reads(&m, kind, TW_NAME_BAD, NULL);
		m = query("a.b", tcp);
		m.bytes[tcp ? 4 : 2] |= 0x80; /* an answer */
		reads(&m, kind, TW_NAME_BAD, NULL);
		m = query("a.b", tcp);
		m.bytes[tcp ? 7 : 5] = 2; /* two questions */
		reads(&m, kind, TW_NAME_BAD, NULL);
		m = query("a.b", tcp);
		m.bytes[tcp ? 14 : 12] = 0xc0; /* a pointer */
		reads(&m, kind, TW_NAME_BAD, NULL);
	}
}

/* Any bytes end somewhere, and the same in any pieces. */
static void noise(void **state)
{
	static const char letters[] = "\r\n\r\n: /.hHoOsStT*\t GET\x16\x03\x01";
	uint64_t seed = 1;

	for (int i = 0; i < NOISE; i++) {
		struct message m = {.len = 1 + (size_t)i % 300};
		char whole[TW_NAME_MAX + 1], parts[TW_NAME_MAX + 1];
		enum tw_name_kind kind = (enum tw_name_kind)(i % 4);

		m = i % 3 ? m : hello("example.com", i % 5);
		for (size_t n = 0; n < (i % 3 ? m.len : 3); n++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			if (i % 3 == 0)
				m.bytes[(seed >> 40) % m.len] = (uint8_t)(seed >> 32);
			else
				m.bytes[n] = i % 3 == 1 ? (uint8_t)(seed >> 56)
							: (uint8_t)letters[(seed >> 33) %
									   (sizeof(letters) - 1)];
		}
		enum tw_name_outcome outcome = read_in(&m, kind, m.len, m.len, whole);

		assert_int_equal(read_in(&m, kind, 1 + (size_t)(seed >> 33) % 9,
					 1 + (size_t)(seed >> 43) % 40, parts),
			outcome);
		if (outcome == TW_NAME_FOUND)
			assert_string_equal(whole, parts);
	}
}

/* Plays a message's segments of `size` bytes in an order, behind a SYN, while the server talks, too. */
static const char *plays(const struct message *m, size_t size, bool backwards, char *ret)
{
	tw_auto(tw_asked_names) struct tw_asked_names *asked = NULL;
	struct tw_key key = {.lo_port = htons(40000), .hi_port = htons(80), .proto = IPPROTO_TCP};
	struct tw_glance glance = {.has_payload = true, .proto = IPPROTO_TCP, .port = {40000, 80}};
	struct tw_glance server = {.has_payload = true, .proto = IPPROTO_TCP, .port = {80, 40000}};
	size_t n = (m->len + size - 1) / size;
	struct tw_asked_name name = {.text = ""};
	bool known = false;

	key.lo.w[3] = server.addr[TW_DIR_IN].w[3] = glance.addr[TW_DIR_OUT].w[3] = htonl(
		0x0a000001);
	key.hi.w[3] = server.addr[TW_DIR_OUT].w[3] = glance.addr[TW_DIR_IN].w[3] = htonl(
		0x0a000002);
	assert_int_equal(tw_asked_new(&asked, 4), 0);
	glance.tcp_flags = TH_SYN;
	glance.tcp_seq = 999;
	assert_false(tw_asked_see(asked, &key, true, &glance, m->bytes, &name));
	glance.tcp_flags = TH_ACK;
	server.tcp_seq = 5000;
	server.payload_here = server.payload_len = 10;
	assert_false(
		tw_asked_see(asked, &key, false, &server, (const uint8_t *)"HTTP/1.1 2", &name));
	for (size_t i = 0; i < n; i++) {
		size_t at = (backwards ? n - 1 - i : i) * size;

		glance.tcp_seq = 1000 + (uint32_t)at;
		glance.payload_here = glance.payload_len = m->len - at < size ? m->len - at : size;
		known = tw_asked_see(asked, &key, false, &glance, m->bytes + at, &name);
	}
	strcpy(ret, known ? name.text : "");
	return ret;
}

static void in_any_order(void **state)
{
	struct message tls_hello = hello("example.com", 3);
	struct message request = text("GET / HTTP/1.1\r\nA: b\r\nHost: example.com\r\n\r\n");
	char got[TW_NAME_MAX + 1];

	for (size_t size = 1; size < 100; size++)
		for (int backwards = 0; backwards < 2; backwards++) {
			assert_string_equal(plays(&tls_hello, size, backwards, got), "example.com");
			assert_string_equal(plays(&request, size, backwards, got), "example.com");
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls),
		cmocka_unit_test(tls_malformed),
		cmocka_unit_test(http),
		cmocka_unit_test(http_ambiguous),
		cmocka_unit_test(dns),
		cmocka_unit_test(noise),
		cmocka_unit_test(in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
