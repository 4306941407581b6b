/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Differential test of the express path (fastpath/path/express/) and the full path: both must give
 * the same outcome for every frame, the same records and the same counters. Random conversations
 * between three guests, inside and outside their windows, with frames corrupted at random, under
 * changing policies. */
#include "tests/unit/test.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "sim/scene.h"
#include "tests/diff/random.h"
#include "tests/run/draft_text.h"

#define N_FRAMES   120000
#define N_PORTS	   3
#define N_TALKS	   48
#define N_CONNS	   16384
#define FRAME_ROOM 4096

static const char *const policies[] = {
	"version: 1\n"
	"workloads:\n"
	"  a: {port: tap-a, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.1, \"fd00::1\"]}\n"
	"  b: {port: tap-b, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.9, 10.0.0.2, \"fd00::2\"]}\n"
	"  c: {port: tap-c, mac: \"52:54:00:00:00:03\", addresses: [10.0.0.3, \"fd00::3\"]}\n"
	"rules:\n"
	"  - {name: web, from: any, to: any, service: [tcp/80-84, udp/50-70], action: allow}\n",
	"version: 1\n"
	"workloads:\n"
	"  a: {port: tap-a, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.1, \"fd00::1\"]}\n"
	"  b: {port: tap-b, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.9, 10.0.0.2, \"fd00::2\"]}\n"
	"  c: {port: tap-c, mac: \"52:54:00:00:00:03\", addresses: [10.0.0.3, \"fd00::3\"]}\n"
	"rules:\n"
	"  - {name: less, from: any, to: [a, b], service: [tcp/80-82, udp/50-70], action: allow}\n",
	/* Connections that are looked at keep to the full path until they have a name or get none. */
	"version: 1\n"
	"workloads:\n"
	"  a: {port: tap-a, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.1, \"fd00::1\"]}\n"
	"  b: {port: tap-b, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.9, 10.0.0.2, \"fd00::2\"]}\n"
	"  c: {port: tap-c, mac: \"52:54:00:00:00:03\", addresses: [10.0.0.3, \"fd00::3\"]}\n"
	"rules:\n"
	"  - {name: web, from: any, to: any, service: [tcp/80-84, udp/50-70], action: allow}\n"
	"options: {inspection: {applications: true}}\n",
};

/* The events of a frame. */
struct told {
	struct tw_event events[4];
	size_t n;
};

/* A conversation, as its ends know it. */
struct talk {
	uint32_t from, to; /* ports */
	bool v6, udp;
	uint16_t sport, dport;
	uint32_t seq[2]; /* sequence number of each end */
};

struct fixture {
	struct tw_native *way[2]; /* with the express path; with the full path only */
	struct tw_random random;
	struct talk talks[N_TALKS];
	uint64_t now_ns;
	uint32_t epoch;
	size_t n_passed, n_opened, n_denied; /* counts on the express path */
	struct told told[2];		     /* events of the present frame, by path */
};

static void new_talk(struct fixture *f, struct talk *talk)
{
	talk->from = tw_random_below(&f->random, N_PORTS);
	talk->to = (talk->from + 1 + tw_random_below(&f->random, N_PORTS - 1)) % N_PORTS;
	talk->v6 = tw_random_one_in(&f->random, 3);
	talk->udp = tw_random_one_in(&f->random, 3);
	talk->sport = (uint16_t)(talk->udp ? 60 + tw_random_below(&f->random, 12)
					   : 1000 + tw_random_below(&f->random, 4000));
	talk->dport = (uint16_t)((talk->udp ? 60 : 80) +
				 tw_random_below(&f->random, talk->udp ? 10 : 6));
	talk->seq[0] = (uint32_t)tw_random_bits(&f->random);
	talk->seq[1] = (uint32_t)tw_random_bits(&f->random);
}

/* Publishes a policy to both paths, with cut-through at all ports, sometimes all except one. */
static void usage(struct fixture *f, const char *text)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	uint32_t odd = tw_random_below(&f->random, 8), rate = tw_random_below(&f->random, 16);
	uint32_t few = tw_random_below(&f->random, 2 * N_PORTS);
	/* With and without a limit on the rate of events. */
	uint32_t events = tw_random_below(&f->random, 2) * 20;
	struct tw_diags diags = {0};

	assert_int_equal(tw_policy_read(text, strlen(text), &policy, &diags), 0);
	f->epoch++;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tw_scene_load(f->way[i], policy, f->epoch, &diags), 0);
		tw_native_config(f->way[i])->cut_until_ns = UINT64_MAX;
		tw_native_config(f->way[i])->event_rate = events;
		tw_native_config(f->way[i])->event_burst = 4;
		for (uint32_t n = 0; n < N_PORTS; n++) {
			struct tw_port *port = tw_native_port(
				f->way[i], tw_scene_ifindex(n), f->epoch);
			struct tw_local_key key = {.network = TW_SCENE_NETWORK};
			const struct tw_local local = {tw_scene_ifindex(n), 1514};

			assert_non_null(port);
			port->ifindex = tw_scene_ifindex(n);
			port->len_max = 1514;
			if (n != odd)
				port->flags |= TW_PORT_F_CUT;
			if (n == rate)
				port->packet_rate = 1000;
			if (n == few)
				port->half_open_max = 20;
			memcpy(key.mac, port->mac, sizeof(key.mac));
			assert_int_equal(tw_native_add_local(f->way[i], &key, &local), 0);
		}
	}
	tw_diags_done(&diags);
}

static void note_event(void *arg, const struct tw_event *event)
{
	struct told *told = arg;

	/* The sweep reports ended connections, independently of the frame. */
	if (event->kind == TW_EVENT_CLOSE)
		return;
	assert_true(told->n < sizeof(told->events) / sizeof(told->events[0]));
	told->events[told->n++] = *event;
}

static int set_up(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	f->random = tw_random_from(7);
	f->now_ns = 1000000000;
	for (int i = 0; i < 2; i++)
		assert_int_equal(tw_native_new(&f->way[i], N_CONNS), 0);
	for (int i = 0; i < 2; i++)
		tw_native_on_event(f->way[i], note_event, &f->told[i]);
	tw_native_take_full_path(f->way[1]);
	for (size_t i = 0; i < N_TALKS; i++)
		new_talk(f, &f->talks[i]);
	usage(f, policies[0]);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		tw_native_free(f->way[i]);
	test_free(f);
	return 0;
}

static void name_end(struct tw_draft_end *end, uint32_t port, bool mapped)
{
	char text[16];

	*end = (struct tw_draft_end){.has_mac = true,
		.has_v4 = true,
		.has_v6 = true,
		.mac = {0x52, 0x54, 0, 0, 0, (uint8_t)(port + 1)}};
	snprintf(text, sizeof(text), "10.0.0.%u", port + 1);
	tw_addr_parse(text, &end->v4);
	/* An IPv4-mapped address is not valid in a frame. */
	snprintf(text, sizeof(text), mapped ? "::ffff:10.0.0.%u" : "fd00::%u", port + 1);
	tw_addr_parse(text, &end->v6);
}

/* Describes an end's next packet, mostly a correct one. */
static void say(struct fixture *f, struct talk *talk, bool back, char *text, size_t max)
{
	static const char *const odd[] = {"S", "SA", "R", "RA", "FA", "F", "SF", "AU", ""};
	uint32_t most = tw_random_one_in(&f->random, 20) ? 1600 : 200;
	uint32_t len = tw_random_below(&f->random, 4) ? tw_random_below(&f->random, most) : 0;
	const char *flags = tw_random_one_in(&f->random, 2) ? "A" : "PA";
	uint32_t seq = talk->seq[back], ack = talk->seq[!back];
	unsigned int sport = back ? talk->dport : talk->sport;
	unsigned int dport = back ? talk->sport : talk->dport;

	if (talk->udp) {
		snprintf(text, max, "udp %u > %u / data %u", sport, dport, len);
		return;
	}
	if (tw_random_one_in(&f->random, 6))
		flags = odd[tw_random_below(&f->random, sizeof(odd) / sizeof(odd[0]))];
	if (tw_random_one_in(&f->random, 12))
		seq += (uint32_t)tw_random_bits(&f->random) >> tw_random_below(&f->random, 32);
	if (tw_random_one_in(&f->random, 12))
		ack -= (uint32_t)tw_random_bits(&f->random) >> tw_random_below(&f->random, 32);
	snprintf(text, max, "tcp %u > %u %s seq=%u ack=%u win=%u / data %u", sport, dport, flags,
		seq, ack, tw_random_below(&f->random, 65536), len);
	if (seq == talk->seq[back])
		talk->seq[back] += len + (strchr(flags, 'S') || strchr(flags, 'F') ? 1 : 0);
}

/* Sets a length in a frame to 0, the IP header's or UDP's, as guests do in super-frames. */
static void forget_length(struct fixture *f, const struct talk *talk, uint8_t *bytes)
{
	size_t at = talk->v6 ? 18 : 16;

	if (talk->udp && tw_random_one_in(&f->random, 2))
		at = talk->v6 ? 58 : 38;
	bytes[at] = bytes[at + 1] = 0;
}

/* Builds an end's packet, sometimes corrupted at random; returns its length in bytes. */
static size_t build(
	struct fixture *f, struct talk *talk, bool back, const char *text, uint8_t *bytes)
{
	static struct tw_draft draft;
	tw_auto_buf struct tw_buf out = {0};
	struct tw_draft_names names = {0};
	bool mapped = tw_random_one_in(&f->random, 16);
	struct tw_err err = {0};
	char full[256];
	size_t len;

	name_end(&names.from, back ? talk->to : talk->from, mapped);
	name_end(&names.to, back ? talk->from : talk->to, mapped);
	snprintf(full, sizeof(full), "%s%s", talk->v6 ? "ip6 / " : "", text);
	if (tw_draft_read(full, &names, &draft, &err))
		fail_msg("%s: %s", full, err.text);
	assert_int_equal(tw_draft_build(&draft, &out), 0);
	len = out.len;
	assert_true(len <= FRAME_ROOM);
	memcpy(bytes, out.data, len);
	if (tw_random_one_in(&f->random, 10))
		bytes[tw_random_below(&f->random, len < 80 ? (uint32_t)len : 80)] ^=
			(uint8_t)(1 << tw_random_below(&f->random, 8));
	if (tw_random_one_in(&f->random, 20))
		forget_length(f, talk, bytes);
	if (tw_random_one_in(&f->random, 50))
		len -= tw_random_below(&f->random, (uint32_t)len - 14);
	return len;
}

/* Draws the offloads of a frame: mostly suitable ones for TCP or UDP after an IP header without
 * options. */
static struct tw_offload draw_offload(struct fixture *f, const uint8_t *bytes)
{
	static const uint32_t types[] = {TW_GSO_TCPV4, TW_GSO_TCPV6, TW_GSO_UDP_L4, 1u << 16, 0};
	const bool v6 = bytes[12] == 0x86, udp = bytes[v6 ? 20 : 23] == IPPROTO_UDP;
	struct tw_offload offload = {
		.summed = (uint8_t)tw_random_below(&f->random, 4),
		.csum_start = v6 ? 54 : 34,
		.csum_offset = udp ? 6 : 16,
		.gso_type = TW_GSO_DODGY | (udp		? TW_GSO_UDP_L4
						   : v6 ? TW_GSO_TCPV6
							: TW_GSO_TCPV4),
	};

	if (tw_random_one_in(&f->random, 8))
		offload.csum_start = (uint16_t)tw_random_below(&f->random, 80);
	if (tw_random_one_in(&f->random, 8))
		offload.csum_offset = (uint16_t)tw_random_below(&f->random, 20);
	if (tw_random_one_in(&f->random, 4))
		offload.gso_type = types[tw_random_below(&f->random, 5)];
	return offload;
}

/* Judges a frame at both ends on both paths. */
static void judge(struct fixture *f, const uint8_t *bytes, size_t len, uint32_t from, uint32_t to)
{
	uint16_t gso_size = tw_random_one_in(&f->random, 20) ? 100 : 0;
	struct tw_offload offload = {0};
	struct tw_beside beside[2] = {0};

	if (tw_random_one_in(&f->random, 3))
		offload = draw_offload(f, bytes);
	for (int dir = TW_DIR_OUT; dir <= TW_DIR_IN; dir++) {
		struct tw_native_result result[2] = {0};

		for (int i = 0; i < 2; i++) {
			uint8_t copy[FRAME_ROOM + 256] = {0};
			struct tw_native_frame frame = {.data = copy,
				.len = len,
				.max = sizeof(copy),
				.beside = beside[i],
				.gso_size = gso_size,
				.offload = offload};

			memcpy(copy, bytes, len);
			f->told[i].n = 0;
			tw_native_run(f->way[i], tw_scene_ifindex(dir ? to : from),
				(enum tw_dir)dir, f->now_ns, &frame, &result[i]);
			beside[i] = frame.beside;
		}
		if (result[0].express && result[0].outcome.created)
			f->n_opened++;
		else if (result[0].express && result[0].outcome.verdict == TW_V_ALLOW)
			f->n_passed++;
		else if (result[0].express)
			f->n_denied++;
		assert_false(result[1].express);
		assert_memory_equal(
			&result[0].outcome, &result[1].outcome, sizeof(result[0].outcome));
		assert_memory_equal(&result[0].key, &result[1].key, sizeof(result[0].key));
		assert_memory_equal(result[0].stage_ran, result[1].stage_ran, TW_STAGE__MAX);
		assert_int_equal(result[0].cut_ifindex, result[1].cut_ifindex);
		assert_memory_equal(&beside[0], &beside[1], sizeof(beside[0]));
		assert_int_equal(f->told[0].n, f->told[1].n);
		assert_memory_equal(f->told[0].events, f->told[1].events,
			f->told[0].n * sizeof(f->told[0].events[0]));
		if (result[0].outcome.verdict != TW_V_ALLOW)
			return;
	}
}

struct copy {
	struct tw_conn conns[2][N_CONNS];
	size_t n[2];
	int way;
};

static void copy_conn(void *arg, const struct tw_key *key, const struct tw_conn *conn)
{
	struct copy *copy = arg;

	(void)key;
	assert_true(copy->n[copy->way] < N_CONNS);
	copy->conns[copy->way][copy->n[copy->way]++] = *conn;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct tw_conn, progress));
}

/* Compares the records and counters of both paths. */
static void compare(const struct fixture *f)
{
	struct copy *copy = test_calloc(1, sizeof(*copy));

	for (copy->way = 0; copy->way < 2; copy->way++) {
		tw_native_each_conn(f->way[copy->way], copy_conn, copy);
		qsort(copy->conns[copy->way], copy->n[copy->way], sizeof(struct tw_conn), by_key);
	}
	assert_int_equal(copy->n[0], copy->n[1]);
	assert_memory_equal(copy->conns[0], copy->conns[1], copy->n[0] * sizeof(struct tw_conn));
	test_free(copy);
	for (uint32_t id = 1; id <= N_PORTS; id++) {
		assert_memory_equal(tw_native_port_count(f->way[0], id),
			tw_native_port_count(f->way[1], id), sizeof(struct tw_port_count));
		assert_memory_equal(tw_native_usage(f->way[0], id), tw_native_usage(f->way[1], id),
			sizeof(struct tw_usage));
	}
	for (uint32_t slot = 0; slot < 2; slot++)
		assert_memory_equal(tw_native_rule_count(f->way[0], slot),
			tw_native_rule_count(f->way[1], slot), sizeof(struct tw_rule_count));
	for (uint32_t r = 0; r < TW_R__MAX; r++)
		for (int dir = 0; dir < TW_DIR__MAX; dir++)
			assert_int_equal(tw_native_reason_count(
						 f->way[0], (enum tw_reason)r, (enum tw_dir)dir),
				tw_native_reason_count(
					f->way[1], (enum tw_reason)r, (enum tw_dir)dir));
}

/* Opens a TCP conversation with the handshake of its ends. */
static void shake_hands(struct fixture *f, struct talk *talk)
{
	static const char *const flags[] = {"S", "SA", "A"};
	/* No options, or a segment size and a window scale. */
	const char *options = tw_random_one_in(&f->random, 2) ? "" : " options=020405b401030307";
	uint8_t bytes[FRAME_ROOM];
	char text[128];

	for (int i = 0; i < 3; i++) {
		bool back = i == 1;

		snprintf(text, sizeof(text), "tcp %u > %u %s seq=%u ack=%u win=60000%s",
			back ? talk->dport : talk->sport, back ? talk->sport : talk->dport,
			flags[i], talk->seq[back], i ? talk->seq[!back] : 0, i < 2 ? options : "");
		talk->seq[back] += i < 2;
		judge(f, bytes, build(f, talk, back, text, bytes), back ? talk->to : talk->from,
			back ? talk->from : talk->to);
	}
}

static void both_ways_agree(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[FRAME_ROOM];
	char text[192];

	for (size_t i = 0; i < N_FRAMES; i++) {
		struct talk *talk = &f->talks[tw_random_below(&f->random, N_TALKS)];
		bool back = tw_random_one_in(&f->random, 2);

		if (tw_random_one_in(&f->random, 12)) {
			new_talk(f, talk);
			if (!talk->udp)
				shake_hands(f, talk);
		}
		if (tw_random_one_in(&f->random, 2000))
			usage(f, policies[tw_random_one_in(&f->random, 8)
						  ? 2
						  : tw_random_below(&f->random, 2)]);
		f->now_ns += tw_random_one_in(&f->random, 5000) ? 400000000000 : 200000;
		for (int n = 0; n < 2 && i / 500 % 2;
			n++) /* half of the time an agent is present */
			tw_native_config(f->way[n])->agent_seen = (uint32_t)(f->now_ns >>
									     TW_TICK_SHIFT);
		say(f, talk, back, text, sizeof(text));
		judge(f, bytes, build(f, talk, back, text, bytes), back ? talk->to : talk->from,
			back ? talk->from : talk->to);
		if (i % 1000 == 0)
			compare(f);
	}
	compare(f);
	printf("%zu passed, %zu opened and %zu denied on the express path\n", f->n_passed,
		f->n_opened, f->n_denied);
	/* If only few frames took the express path, the test would prove nothing. */
	assert_true(f->n_passed > N_FRAMES / 8);
	assert_true(f->n_opened > N_FRAMES / 400);
	assert_true(f->n_denied > N_FRAMES / 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ways_agree, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
