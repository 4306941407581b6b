/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the recognition of applications: first bytes of each, near misses, noise, and streams in
 * pieces. */
#include "fastpath/abi/names.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sim/apps.h"
#include "tests/unit/apps.h"

#define NOISE 1000000

/* Payloads of one connection, in the order in which they are sent. */
struct talk {
	struct tw_apps *apps;
	struct tw_key key;
	uint32_t next[2]; /* sequence numbers */
};

static void talk_begin(struct talk *talk, const struct sample *sample)
{
	*talk = (struct talk){.next = {1000, 2000}};
	assert_int_equal(tw_apps_new(&talk->apps, 4), 0);
	talk->key.lo.w[3] = htonl(0x0a000001);
	talk->key.hi.w[3] = htonl(0x0a000002);
	talk->key.lo_port = htons(40000);
	talk->key.hi_port = htons(sample->port ? sample->port : 7777);
	talk->key.proto = sample->udp ? IPPROTO_UDP : IPPROTO_TCP;
}

static enum tw_app say(
	struct talk *talk, int way, uint8_t flags, uint32_t seq, const uint8_t *bytes, size_t len)
{
	struct tw_glance glance = {.has_payload = true,
		.proto = (uint8_t)talk->key.proto,
		.tcp_flags = flags,
		.tcp_seq = seq,
		.payload_here = len,
		.payload_len = len};

	glance.addr[TW_DIR_OUT] = way ? talk->key.hi : talk->key.lo;
	glance.addr[TW_DIR_IN] = way ? talk->key.lo : talk->key.hi;
	glance.port[TW_DIR_OUT] = ntohs(way ? talk->key.hi_port : talk->key.lo_port);
	glance.port[TW_DIR_IN] = ntohs(way ? talk->key.lo_port : talk->key.hi_port);
	return tw_apps_see(talk->apps, &talk->key, false, &glance, bytes);
}

/* Plays a sample. TCP is sent in segments of `step` bytes. */
static enum tw_app play(const struct sample *sample, size_t step)
{
	enum tw_app app = TW_APP_NONE;
	struct talk talk;

	talk_begin(&talk, sample);
	for (int way = 0; way < 2; way++) {
		const uint8_t *bytes = (const uint8_t *)sample->bytes[way];
		size_t len = sample->len[way];

		if (sample->udp)
			step = len;
		else
			say(&talk, way, TH_SYN, talk.next[way]++, bytes, 0);
		for (size_t at = 0; at < len && !app; at += step)
			app = say(&talk, way, TH_ACK, talk.next[way] + (uint32_t)at, bytes + at,
				len - at < step ? len - at : step);
	}
	tw_apps_free(talk.apps);
	return app;
}

static const char *name_of(enum tw_app app)
{
	return app ? tw_app_name(app) : "none";
}

static void test_samples(void **state)
{
	bool seen[TW_APP__MAX] = {false};

	(void)state;
	for (size_t i = 0; i < n_samples; i++) {
		seen[samples[i].app] = true;
		if (play(&samples[i], SIZE_MAX / 2) != samples[i].app)
			fail_msg("sample %zu is %s, not %s", i,
				name_of(play(&samples[i], SIZE_MAX / 2)), name_of(samples[i].app));
	}
	for (int app = 1; app < TW_APP__MAX; app++)
		if (!seen[app])
			fail_msg("%s has no sample", tw_app_name((enum tw_app)app));
}

static void test_near_misses(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_near_misses; i++)
		if (play(&near_misses[i], SIZE_MAX / 2) != TW_APP_NONE)
			fail_msg("near miss %zu is %s", i,
				name_of(play(&near_misses[i], SIZE_MAX / 2)));
}

/* Texts that name their application are recognised in segments of any length, too. */
static void test_in_pieces(void **state)
{
	static const struct sample texts[] = {
		{.app = TW_APP_SSH, .bytes = {"SSH-2.0-x\r\n"}, .len = {11}},
		{.app = TW_APP_HTTP, .bytes = {"GET / HTTP/1.1\r\n"}, .len = {16}},
		{.app = TW_APP_SMTP, .bytes = {"EHLO mail\r\n"}, .len = {11}},
		{.app = TW_APP_POSTGRESQL, .bytes = {"\0\0\0\10\4\322\26\57"}, .len = {8}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t step = 1; step <= 16; step++)
			assert_int_equal(play(&texts[i], step), texts[i].app);
}

/* The first copy of a byte counts. Bytes behind a gap wait. Bytes before the first are ignored. */
static void test_order(void **state)
{
	const uint8_t *ssh = (const uint8_t *)"SSH-2.0-OpenSSH",
		      *other = (const uint8_t *)"xxxxxxxxxxxx";
	struct sample sample = {.app = TW_APP_SSH};
	struct talk talk;

	(void)state;
	talk_begin(&talk, &sample);
	say(&talk, 0, TH_SYN, 99, ssh, 0);
	assert_int_equal(say(&talk, 0, TH_ACK, 104, ssh + 4, 8), TW_APP_NONE);
	assert_int_equal(say(&talk, 0, TH_ACK, 104, other, 8), TW_APP_NONE);
	assert_int_equal(say(&talk, 0, TH_ACK, 98, other, 1), TW_APP_NONE);
	assert_int_equal(say(&talk, 0, TH_ACK, 100, ssh, 4), TW_APP_SSH);
	assert_int_equal(say(&talk, 0, TH_ACK, 112, other, 4), TW_APP_SSH);
	tw_apps_free(talk.apps);
	/* Data in the SYN comes first. */
	talk_begin(&talk, &sample);
	assert_int_equal(say(&talk, 0, TH_SYN, 99, ssh, 3), TW_APP_NONE);
	assert_int_equal(say(&talk, 0, TH_ACK, 103, ssh + 3, 8), TW_APP_SSH);
	assert_int_equal(tw_apps_count(talk.apps, TW_APP_SSH), 1);
	tw_apps_free(talk.apps);
	/* More pieces than are kept: retransmission fills the gap. */
	talk_begin(&talk, &sample);
	say(&talk, 0, TH_SYN, 99, ssh, 0);
	for (uint32_t i = 14; i > 0; i--)
		assert_int_equal(say(&talk, 0, TH_ACK, 100 + i, ssh + i, 1), TW_APP_NONE);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(say(&talk, 0, TH_ACK, 100 + i, ssh + i, 1), TW_APP_NONE);
	assert_int_equal(say(&talk, 0, TH_ACK, 106, ssh + 6, 1), TW_APP_SSH);
	tw_apps_free(talk.apps);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Returns the number of connections that get a name although both payloads are random. The lengths include
 * those that patterns require. */
static unsigned int named_in_noise(bool udp, unsigned int n)
{
	static const uint16_t lengths[] = {12, 20, 48, 64, 92, 148, 512, 1200};
	struct tw_app_state state;
	uint64_t seed = 88172645463325252ull;
	unsigned int named = 0;

	for (unsigned int i = 0; i < n; i++) {
		state = (struct tw_app_state){0};
		for (uint32_t way = 0; way < 2; way++) {
			struct tw_app_head head = {.port = {40000, 7777}};

			for (int w = 0; w < TW_APP_WORDS; w++)
				head.w[w] = next_random(&seed);
			head.payload = lengths[next_random(&seed) % 8];
			head.len = head.payload < TW_APP_HEAD ? head.payload : TW_APP_HEAD;
			for (uint64_t at = head.len; at < TW_APP_HEAD; at++)
				head.w[at / 8] &= ~(0xffull << (56 - at % 8 * 8));
			if (udp)
				tw_app_compare_udp(&head);
			else
				tw_app_compare_tcp(&head);
			if (tw_app_note(&state, way, &head) == TW_APP_NONE)
				continue;
			print_message("noise is %s\n", tw_app_name((enum tw_app)state.app));
			named++;
			break;
		}
	}
	return named;
}

static void test_noise(void **state)
{
	(void)state;
	assert_in_range(named_in_noise(false, NOISE), 0, 4);
	assert_in_range(named_in_noise(true, NOISE), 0, 4);
}

/* After TW_APP_LOOKS payloads, a connection without a name stays without one. */
static void test_gives_up(void **state)
{
	struct tw_app_head head = {.payload = 5, .len = 5, .w = {0x68656c6c6f000000ull}};
	struct tw_app_state talk = {0};

	(void)state;
	for (int i = 0; i < TW_APP_LOOKS; i++) {
		assert_false(talk.done);
		tw_app_compare_tcp(&head);
		assert_int_equal(tw_app_note(&talk, 0, &head), TW_APP_NONE);
	}
	assert_true(talk.done);
	head.found[TW_APP_SURE] = 1ull << TW_APP_SSH;
	assert_int_equal(tw_app_note(&talk, 0, &head), TW_APP_NONE);
}

/* A set of one application names it; an empty set, or a set of two, names none. */
static void test_only(void **state)
{
	(void)state;
	assert_int_equal(tw_app_only(0), TW_APP_NONE);
	for (uint32_t app = 1; app < TW_APP__MAX; app++) {
		assert_int_equal(tw_app_only(1ull << app), app);
		assert_int_equal(tw_app_only(1ull << app | 1ull << (app % (TW_APP__MAX - 1) + 1)),
			TW_APP_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_near_misses),
		cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_gives_up),
		cmocka_unit_test(test_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
