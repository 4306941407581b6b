/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* states_diff: sends well-formed packets of a few connections, in random order and time, under
 * random policies. The native fast path must pass exactly the packets that the oracle's state
 * machine passes, and give the same reason for a packet that does not fit its connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/inet.h"
#include "fastpath/abi/names.h"
#include "sim/scene.h"
#include "tests/diff/generate.h"
#include "tests/run/draft.h"
#include "tests/run/target.h"
#include "tests/scale.h"

#define N_TUPLES 6
#define START_NS 1000000000000ull
#define SECOND	 1000000000ull
#define N_STEPS	 300
#define N_ROUNDS 5

struct run {
	struct tw_gen *gen;
	struct tw_target *target;
	struct tw_oracle_host host;
	struct tw_oracle_tuple tuples[N_TUPLES];
	unsigned int step[N_TUPLES];
	int8_t scale[N_TUPLES][2]; /* window scales offered by originator and other end; -1: none */
	uint32_t first[N_TUPLES][2];
	uint64_t now_ns;
	uint8_t room[4096];
	struct tw_draft draft;
	size_t n_packets;
	size_t n_passed;
	size_t reasons[TW_R__MAX];
};

/* ---- packets ---- */

static bool is_router(const struct run *run, int nic)
{
	const struct tw_oracle_nic *n = &run->gen->oracle.nics[nic];

	for (size_t i = 0; i < n->n_prefixes; i++)
		if (n->prefixes[i].len < 128)
			return true;
	return false;
}

/* Only connections with one protected end, or with two that share their record: a router has a
 * record of its own, which may be half open although the other end refused the connection. */
static bool is_wanted(const struct run *run, const struct tw_oracle_tuple *t)
{
	int from = tw_oracle_owner(&run->gen->oracle, &t->from);
	int to = tw_oracle_owner(&run->gen->oracle, &t->to);

	if (t->proto != 6 && t->proto != 17 && t->proto != 1 && t->proto != 58)
		return false;
	if (from < 0 || to < 0)
		return from >= 0 || to >= 0;
	/* With a liberal and a strict end, the former may have a record of what the latter refuses. */
	return !is_router(run, from) && !is_router(run, to) &&
	       run->gen->oracle.nics[from].liberal == run->gen->oracle.nics[to].liberal;
}

static void choose_tuples(struct run *run)
{
	for (size_t i = 0; i < N_TUPLES; i++) {
		struct tw_oracle_tuple *t = &run->tuples[i];

		do {
			tw_gen_tuple(run->gen, t);
		} while (!is_wanted(run, t));
		if (t->proto == 1 || t->proto == 58)
			t->sport = t->dport = (uint16_t)(100 + i);
		run->step[i] = 0;
		for (int end = 0; end < 2; end++) {
			run->scale[i][end] = (int8_t)(tw_random_below(&run->gen->random, 9) - 1);
			run->first[i][end] = (uint32_t)tw_random_bits(&run->gen->random);
			if (tw_random_one_in(&run->gen->random, 3)) /* about to wrap */
				run->first[i][end] = 0u - tw_random_below(&run->gen->random, 3000);
		}
	}
}

static uint8_t choose_flags(struct run *run, size_t tuple, bool *ret_reply)
{
	/* The regular course of a connection, step by step. */
	static const struct {
		uint8_t flags;
		bool reply;
	} script[] = {{TW_TCP_SYN, false}, {TW_TCP_SYN | TW_TCP_ACK, true}, {TW_TCP_ACK, false},
		{TW_TCP_PSH | TW_TCP_ACK, false}, {TW_TCP_ACK, true},
		{TW_TCP_FIN | TW_TCP_ACK, false}, {TW_TCP_ACK, true},
		{TW_TCP_FIN | TW_TCP_ACK, true}, {TW_TCP_ACK, false}};
	/* Segments that may come at any time. */
	static const uint8_t any[] = {TW_TCP_SYN, TW_TCP_SYN | TW_TCP_ACK, TW_TCP_ACK, TW_TCP_RST,
		TW_TCP_RST | TW_TCP_ACK, TW_TCP_FIN | TW_TCP_ACK, TW_TCP_PSH | TW_TCP_ACK};
	struct tw_random *r = &run->gen->random;

	if (tw_random_one_in(r, 4)) {
		*ret_reply = tw_random_one_in(r, 2);
		return any[tw_random_below(r, sizeof(any))];
	}
	*ret_reply = script[run->step[tuple] % 9].reply;
	return script[run->step[tuple]++ % 9].flags;
}

static bool is_of(const struct tw_oracle_conn *c, const struct tw_oracle_tuple *t)
{
	bool same = !memcmp(&c->tuple.from, &t->from, 16) && !memcmp(&c->tuple.to, &t->to, 16);
	bool turned = !memcmp(&c->tuple.from, &t->to, 16) && !memcmp(&c->tuple.to, &t->from, 16);

	return c->tuple.proto == t->proto &&
	       ((same && c->tuple.sport == t->sport && c->tuple.dport == t->dport) ||
		       (turned && c->tuple.sport == t->dport && c->tuple.dport == t->sport));
}

/* Returns a sequence number: the sender's own, near a bound of the valid range, or random. */
static uint32_t choose_number(struct tw_random *r, uint32_t honest, const uint32_t bounds[3])
{
	static const int off[] = {-66001, -66000, -2, -1, 0, 1, 2, 1000};

	if (!tw_random_one_in(r, 4))
		return honest;
	if (tw_random_one_in(r, 10))
		return (uint32_t)tw_random_bits(r);
	return bounds[tw_random_below(r, 3)] + (uint32_t)off[tw_random_below(r, 8)];
}

/* Sets the TCP numbers from the oracle's record of the connection. Windows are multiples of the
 * largest scale's unit, because the product tracks shrinking right edges only to that precision. */
static void choose_numbers(
	struct run *run, size_t tuple, bool reply, struct tw_oracle_packet *packet)
{
	static const struct tw_oracle_end_state nothing = {0};
	const struct tw_oracle_end_state *me = &nothing, *peer = &nothing;
	struct tw_random *r = &run->gen->random;
	bool syn = packet->flags & TW_TCP_SYN;

	for (size_t i = 0; i < TW_ORACLE_CONNS_MAX; i++) {
		const struct tw_oracle_conn *c = &run->host.conns[i];

		if (c->alive && is_of(c, &run->tuples[tuple])) {
			bool turned = memcmp(&c->tuple.from, &run->tuples[tuple].from, 16) ||
				      c->tuple.sport != run->tuples[tuple].sport;

			me = &c->tcp[reply != turned];
			peer = &c->tcp[reply == turned];
		}
	}
	packet->len = tw_random_one_in(r, 3) ? tw_random_below(r, 1400) : 0;
	packet->scale = syn && run->scale[tuple][reply] >= 0 ? run->scale[tuple][reply] : -1;
	packet->window = syn ? 32768 : 32768 >> (run->scale[tuple][reply] & 7);
	packet->seq = choose_number(r,
		syn && !tw_random_one_in(r, 3) ? run->first[tuple][reply] : me->next,
		(const uint32_t[]){me->next, me->una, me->edge});
	packet->ack = packet->flags & TW_TCP_ACK
			      ? choose_number(r, peer->next,
					(const uint32_t[]){peer->next, peer->una, peer->edge})
			      : 0;
}

static void choose_packet(struct run *run, struct tw_oracle_packet *ret)
{
	struct tw_random *r = &run->gen->random;
	size_t i = tw_random_below(r, N_TUPLES);
	const struct tw_oracle_tuple *t = &run->tuples[i];
	bool reply = tw_random_one_in(r, 2);

	/* No limit is a multiple of 7 s, so no packet comes exactly at a limit: the product counts
	 * in ticks of about a millisecond. */
	run->now_ns += 1000000 * (uint64_t)(1 + tw_random_below(r, 5));
	if (tw_random_one_in(r, 6))
		run->now_ns += 7 * SECOND * (1 + tw_random_below(r, 20));
	/* At most once, because this test does not sweep: in the product, the sweep removes records
	 * that were not seen for weeks before half of the tick's range has passed. */
	if (tw_random_one_in(r, 300) && run->now_ns < 500000 * SECOND)
		run->now_ns += 500000 * SECOND;
	*ret = (struct tw_oracle_packet){.now_ns = run->now_ns};
	if (t->proto == 6)
		ret->flags = choose_flags(run, i, &reply);
	if (t->proto == 6)
		choose_numbers(run, i, reply, ret);
	ret->answer = reply && (t->proto == 1 || t->proto == 58);
	ret->tuple = *t;
	if (reply) {
		ret->tuple.from = t->to;
		ret->tuple.to = t->from;
		ret->tuple.sport = t->dport;
		ret->tuple.dport = t->sport;
	}
}

/* ---- frames ---- */

static void fill_end(const struct run *run, const struct tw_addr *addr, struct tw_draft_end *ret)
{
	int nic = tw_oracle_owner(&run->gen->oracle, addr);
	uint8_t own[6] = {0x52, 0x54, 0, 0, (uint8_t)(nic >> 8), (uint8_t)nic};
	static const uint8_t outside[6] = {2, 0, 0, 0, 0, 0xfe};

	*ret = (struct tw_draft_end){.has_mac = true};
	memcpy(ret->mac, nic < 0 ? outside : own, 6);
}

static void describe_tcp(
	struct run *run, const struct tw_oracle_packet *packet, struct tw_layer *layer)
{
	/* RFC 7323 §2.2, after a maximum segment size and a no-operation. */
	const uint8_t scale[] = {2, 4, 5, 0xb4, 1, 3, 3, (uint8_t)packet->scale};

	tw_layer_set(layer, TW_F_FLAGS, packet->flags);
	tw_layer_set(layer, TW_F_SEQ, packet->seq);
	tw_layer_set(layer, TW_F_ACK, packet->ack);
	tw_layer_set(layer, TW_F_WIN, packet->window);
	if (packet->scale >= 0)
		tw_layer_set_blob(&run->draft, layer, scale, sizeof(scale));
	if (packet->len)
		tw_layer_set(tw_draft_add(&run->draft, TW_L_DATA), TW_F_SIZE, packet->len);
}

static void describe(struct run *run, const struct tw_oracle_packet *packet)
{
	const struct tw_oracle_tuple *t = &packet->tuple;
	bool v4 = tw_inet_is_v4(t->from.b);
	struct tw_layer *layer;

	run->draft.n_layers = 0;
	run->draft.blob_len = 0;
	fill_end(run, &t->from, &run->draft.from);
	fill_end(run, &t->to, &run->draft.to);
	tw_draft_add(&run->draft, TW_L_ETH);
	layer = tw_draft_add(&run->draft, v4 ? TW_L_IP : TW_L_IP6);
	tw_layer_set_addr(layer, TW_F_A, &t->from);
	tw_layer_set_addr(layer, TW_F_B, &t->to);
	switch (t->proto) {
	case 6:
	case 17:
		layer = tw_draft_add(&run->draft, t->proto == 6 ? TW_L_TCP : TW_L_UDP);
		tw_layer_set(layer, TW_F_SPORT, t->sport);
		tw_layer_set(layer, TW_F_DPORT, t->dport);
		if (t->proto == 6)
			describe_tcp(run, packet, layer);
		break;
	default:
		layer = tw_draft_add(&run->draft, v4 ? TW_L_ICMP : TW_L_ICMP6);
		tw_layer_set(layer, TW_F_TYPE,
			v4 ? (packet->answer ? 0 : 8) : (packet->answer ? 129 : 128));
		tw_layer_set(layer, TW_F_ID, t->sport);
	}
}

/* Sends the frame from one end to the other. 1: it arrives; 0: denied, reason in *ret_reason;
 * negative errno. */
static int send_frame(
	struct run *run, const struct tw_oracle_packet *packet, enum tw_reason *ret_reason)
{
	const struct tw_addr *ends[TW_DIR__MAX] = {&packet->tuple.from, &packet->tuple.to};
	tw_auto_buf struct tw_buf bytes = {0};
	struct tw_native_result result = {0};
	struct tw_native_frame frame = {0};
	struct tw_err err = {0};
	struct tw_beside beside = {0};

	describe(run, packet);
	if (tw_draft_build(&run->draft, &bytes))
		return -ENOMEM;
	for (int d = 0; d < TW_DIR__MAX; d++) {
		int nic = tw_oracle_owner(&run->gen->oracle, ends[d]);

		if (nic < 0)
			continue;
		memcpy(run->room, bytes.data, bytes.len);
		frame = (struct tw_native_frame){.data = run->room,
			.len = bytes.len,
			.max = sizeof(run->room),
			.beside = beside};
		run->target->ops->run(run->target, tw_scene_ifindex((size_t)nic), (enum tw_dir)d,
			START_NS + run->now_ns, &frame, &result, &err);
		beside = frame.beside;
		*ret_reason = (enum tw_reason)result.outcome.reason;
		if (result.outcome.verdict != TW_V_ALLOW)
			return 0;
	}
	return 1;
}

/* ---- comparing ---- */

static void report(const struct run *run, const struct tw_oracle_packet *packet, bool expected,
	enum tw_reason expected_reason, bool got, enum tw_reason got_reason, uint64_t seed)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	printf("the oracle disagrees (seed %llu, packet %zu at %.3f s)\n"
	       "  packet   %s %u > %s %u proto %u flags %#x seq %u ack %u len %u%s\n"
	       "  oracle   %s %s\n  native   %s %s\n",
		(unsigned long long)seed, run->n_packets, (double)packet->now_ns / 1e9,
		tw_addr_format(&packet->tuple.from, from), packet->tuple.sport,
		tw_addr_format(&packet->tuple.to, to), packet->tuple.dport, packet->tuple.proto,
		packet->flags, packet->seq, packet->ack, packet->len,
		packet->answer ? " answer" : "", expected ? "passes" : "stops",
		tw_reason_name(expected_reason), got ? "passes" : "stops",
		tw_reason_name(got_reason));
}

/* True if the packet's outcome is unspecified: a late packet of a closed connection that only one
 * end may open, or data beyond a window offer that was not seen. If the other end has tried to
 * reopen the closed connection and was refused, the record may be that of its attempt, or still the
 * closed one. The same is true of an adopted connection and a SYN of the end that is taken for the
 * server. */
static bool is_left_open(const struct run *run, const struct tw_oracle_packet *packet)
{
	for (size_t i = 0; i < TW_ORACLE_CONNS_MAX; i++) {
		const struct tw_oracle_conn *c = &run->host.conns[i];

		if (c->alive && is_of(c, &packet->tuple) &&
			(c->tcp[TW_WAY_ORIGINAL].unbound || c->tcp[TW_WAY_REPLY].unbound))
			return true;
		if (c->alive && is_of(c, &packet->tuple))
			return (c->state == TW_S_CLOSED || c->state == TW_S_TIME_WAIT ||
				       c->adopted) &&
			       tw_oracle_refuses(&run->host, packet);
	}
	return tw_oracle_liberal(run->host.policy, &packet->tuple) &&
	       tw_oracle_refuses(&run->host, packet);
}

#define ROUND_OVER 2

/* 0: agreed; 1: disagreed; ROUND_OVER; negative errno. */
static int run_packet(struct run *run, uint64_t seed)
{
	enum tw_reason expected_reason, got_reason = TW_R_NONE;
	struct tw_oracle_packet packet;
	bool expected;
	int got;

	choose_packet(run, &packet);
	run->n_packets++;
	expected = tw_oracle_passes(&run->host, &packet, &expected_reason);
	got = send_frame(run, &packet, &got_reason);
	if (got < 0)
		return got;
	run->n_passed += expected;
	run->reasons[expected_reason]++;
	/* A packet that the rules refuse at one end may have a record at the other: then it is
	 * enough that it does not pass. */
	if (expected == got && (expected || expected_reason == got_reason ||
				       tw_oracle_refuses(&run->host, &packet)))
		return 0;
	if (is_left_open(run, &packet))
		return ROUND_OVER;
	report(run, &packet, expected, expected_reason, got, got_reason, seed);
	return 1;
}

static int run_one(struct run *run, uint64_t seed)
{
	tw_auto_buf struct tw_buf text = {0};
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	struct tw_err err = {0};
	int failed;

	tw_gen_print(run->gen, &text);
	failed = text.failed ? -ENOMEM : tw_policy_read(text.data, text.len, &policy, &diags);
	tw_diags_done(&diags);
	if (!failed)
		failed = run->target->ops->reset(run->target, 0, &err);
	if (!failed)
		failed = run->target->ops->load(run->target, policy, 1, &err);
	for (int round = 0; round < N_ROUNDS && !failed; round++) {
		run->host = (struct tw_oracle_host){.policy = &run->gen->oracle};
		run->target->ops->forget(run->target);
		run->now_ns = 0;
		choose_tuples(run);
		for (int i = 0; i < N_STEPS && !failed; i++)
			failed = run_packet(run, seed);
		if (failed == ROUND_OVER)
			failed = 0;
	}
	return failed;
}

static int run_all(struct run *run, uint64_t seed, size_t n)
{
	int failed = 0;

	for (size_t i = 0; i < n && !failed; i++) {
		run->gen = tw_gen_new(seed + i, 1 + i % 30);
		if (!run->gen)
			return -ENOMEM;
		if (i % 2)
			tw_gen_liberal(run->gen, seed + i / 2);
		failed = run_one(run, seed + i);
		tw_gen_free(run->gen);
	}
	if (failed)
		return failed;
	printf("%zu packets over %zu policies agree with the oracle: %zu pass; stopped:",
		run->n_packets, n, run->n_passed);
	for (unsigned int r = TW_R_NONE + 1; r < TW_R__MAX; r++)
		if (run->reasons[r])
			printf(" %s %zu", tw_reason_name(r), run->reasons[r]);
	printf(" (seed %llu)\n", (unsigned long long)seed);
	return 0;
}

int main(int argc, char **argv)
{
	tw_autofree struct run *run = tw_alloc(sizeof(*run));
	tw_auto(tw_target) struct tw_target *target = NULL;
	struct tw_err err = {0};
	int failed;

	if (argc != 3) {
		fputs("usage: states_diff SEED POLICIES\n", stderr);
		return 2;
	}
	if (!run || tw_target_native(&target, &err))
		return 5;
	run->target = target;
	failed = run_all(run, strtoull(argv[1], NULL, 10), strtoul(argv[2], NULL, 10) * tw_scale());
	if (failed < 0)
		fprintf(stderr, "states_diff: %s\n", strerror(-failed));
	return failed < 0 ? 5 : failed;
}
