/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_diff: sends the same packets through nf_conntrack and through the native fast path, and
 * compares nf_conntrack's NEW, ESTABLISHED, RELATED or INVALID with the fast path's outcome for
 * each.
 *
 * Packets:    scenarios written by hand; random TCP conversations with loss, reordering and forged
 *             segments (conntrack_talk.c); UDP and ICMP; captures, if there are any. Passes if
 *             conntrack_reasons.c explains every difference.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "sim/scene.h"
#include "tests/diff/conntrack_net.h"
#include "tests/diff/conntrack_reasons.h"
#include "tests/diff/conntrack_scenes.h"
#include "tests/diff/conntrack_talk.h"
#include "tests/run/draft.h"
#include "tests/run/run.h"
#include "tests/run/target.h"
#include "tests/scale.h"

#define START_NS    1000000000000ull
#define STEP_NS	    1000000
#define FORGET_EACH 500 /* number of conversations between removals of all connections */
#define PRINT_MAX   20
#define CONNS_MAX   16

static const char policy_text[] =
	"version: 1\n"
	"workloads:\n"
	"  inside: {port: tap-in, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.1, \"fd00::1\"]}\n"
	"  all: {port: tap-all, addresses: [any]}\n"
	"default: allow\n";

struct run {
	struct tw_target *target;
	struct tw_random random;
	struct tw_draft draft;
	uint8_t room[TW_TARGET_FRAME_MAX];
	uint64_t now_ns;
	size_t n_talks;
	bool v6;	/* address family of the present conversation */
	bool from_here; /* the protected end opens the present conversation */
	uint16_t port;
	struct tw_ct_history history;
	size_t confusion[TW_CT__MAX]
			[TW_CT__MAX]; /* number of packets by nf_conntrack's class and by ours */
	size_t explained[TW_CT_WHY__MAX];
	size_t n_packets, n_unexplained;
	size_t shown;	   /* number of the conversation to print; 0: none */
	const char *scene; /* the present scenario; NULL: a random conversation */
	bool parted;	   /* the rest of the conversation cannot be compared */
};

/* ---- frames ---- */

static void fill_ends(struct run *run, bool from_here)
{
	static const uint8_t macs[2][6] = {{0x52, 0x54, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 0xfe}};
	struct tw_draft_end ends[2];

	for (int i = 0; i < 2; i++) {
		ends[i] = (struct tw_draft_end){.has_mac = true, .has_v4 = true, .has_v6 = true};
		memcpy(ends[i].mac, macs[i], 6);
		tw_addr_parse(i ? "198.51.100.1" : "10.0.0.1", &ends[i].v4);
		tw_addr_parse(i ? "2001:db8::1" : "fd00::1", &ends[i].v6);
	}
	run->draft.n_layers = 0;
	run->draft.blob_len = 0;
	run->draft.from = ends[!from_here];
	run->draft.to = ends[from_here];
	tw_draft_add(&run->draft, TW_L_ETH);
	tw_draft_add(&run->draft, run->v6 ? TW_L_IP6 : TW_L_IP);
}

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static size_t put_options(const struct tw_ct_segment *s, uint8_t *at)
{
	size_t n = 0;

	if (s->scale >= 0) {
		memcpy(at, (uint8_t[]){1, 3, 3, (uint8_t)s->scale}, 4);
		n += 4;
	}
	if (s->sack_ok) {
		memcpy(at + n, (uint8_t[]){1, 1, 4, 2}, 4);
		n += 4;
	}
	if (s->stamped) {
		memcpy(at + n, (uint8_t[]){1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1}, 12);
		n += 12;
	}
	if (s->n_sacks) {
		memcpy(at + n, (uint8_t[]){1, 1, 5, (uint8_t)(2 + 8 * s->n_sacks)}, 4);
		n += 4;
		for (unsigned int i = 0; i < s->n_sacks; i++, n += 8) {
			put32(at + n, s->sack[i][0]);
			put32(at + n + 4, s->sack[i][1]);
		}
	}
	return n;
}

static void describe(struct run *run, const struct tw_ct_segment *s)
{
	struct tw_layer *layer;
	uint8_t options[40];

	fill_ends(run, s->reply != run->from_here);
	layer = tw_draft_add(&run->draft, TW_L_TCP);
	tw_layer_set(layer, TW_F_SPORT, s->reply ? 80 : run->port);
	tw_layer_set(layer, TW_F_DPORT, s->reply ? run->port : 80);
	tw_layer_set(layer, TW_F_FLAGS, s->flags);
	tw_layer_set(layer, TW_F_SEQ, s->seq);
	tw_layer_set(layer, TW_F_ACK, s->ack);
	tw_layer_set(layer, TW_F_WIN, s->window);
	tw_layer_set_blob(&run->draft, layer, options, put_options(s, options));
	if (s->len)
		tw_layer_set(tw_draft_add(&run->draft, TW_L_DATA), TW_F_SIZE, s->len);
}

/* ---- judging ---- */

static enum tw_ct_class class_of(const struct tw_outcome *o)
{
	if (o->verdict != TW_V_ALLOW)
		return TW_CT_INVALID;
	switch (o->reason) {
	case TW_R_POLICY:
		return TW_CT_NEW;
	case TW_R_ESTABLISHED:
		return TW_CT_ESTABLISHED;
	case TW_R_RELATED:
		return TW_CT_RELATED;
	default:
		return TW_CT_UNTRACKED;
	}
}

static void take_record(void *arg, const struct tw_key *key, const struct tw_conn *conn)
{
	(void)key;
	*(struct tw_conn *)arg = *conn;
}

static void print_segment(const struct run *run, const struct tw_ct_segment *s)
{
	const uint32_t *base = run->history.first;

	printf("  %c %s%s%s%s%s seq %d ack %d len %u win %u%s%s\n", s->reply ? '<' : '>',
		s->flags & 1 ? "F" : "", s->flags & 2 ? "S" : "", s->flags & 4 ? "R" : "",
		s->flags & 8 ? "P" : "", s->flags & 16 ? "A" : "", (int)(s->seq - base[s->reply]),
		(int)(s->ack - base[!s->reply]), s->len, s->window, s->forged ? " forged" : "",
		s->n_sacks ? " sack" : "");
}

static void print_record(const struct run *run, const struct tw_conn *c)
{
	for (int w = 0; w < TW_WAY__MAX; w++)
		printf("    %s end %d acked %d window %u << %u\n", w ? "reply" : "original",
			(int)(c->window[w].end - run->history.first[w != run->history.turned]),
			(int)(c->window[w].acked - run->history.first[w != run->history.turned]),
			c->peer_window[w], c->progress.scale[!w] & TW_SCALE_SHIFT);
}

static void note_difference(struct run *run, const struct tw_ct_case *k)
{
	enum tw_ct_why why = tw_ct_explain(k);

	run->parted = tw_ct_parts_ways(why);
	if (why != TW_CT_WHY_NOT) {
		run->explained[why]++;
		return;
	}
	run->n_unexplained++;
	if (run->n_unexplained > PRINT_MAX)
		return;
	printf("nf_conntrack (in state %d) says %s, tapwall %s (%s), in state %s; conversation %zu%s%s\n",
		k->their_state, tw_ct_class_name(k->theirs), tw_ct_class_name(k->ours),
		tw_reason_name(k->reason),
		k->record.created ? tw_state_name(k->record.progress.state) : "none", run->n_talks,
		run->scene ? ": " : "", run->scene ? run->scene : "");
	if (k->segment) {
		print_segment(run, k->segment);
		print_record(run, &k->record);
	} else {
		printf("  %c kind %d\n", k->reply ? '<' : '>', k->kind);
	}
}

/* Sends the drafted frame through both; positive if the fast path passes it. */
static int ask_both(struct run *run, bool from_here, struct tw_ct_case *k)
{
	tw_auto_buf struct tw_buf bytes = {0};
	struct tw_native_result result = {0};
	struct tw_native_frame frame;
	struct tw_err err = {0};
	int failed;

	if (tw_draft_build(&run->draft, &bytes))
		return -ENOMEM;
	run->now_ns += STEP_NS;
	run->target->ops->each_conn(run->target, take_record, &k->record);
	memcpy(run->room, bytes.data, bytes.len);
	frame = (struct tw_native_frame){
		.data = run->room, .len = bytes.len, .max = sizeof(run->room)};
	failed = run->target->ops->run(run->target, tw_scene_ifindex(0),
		from_here ? TW_DIR_OUT : TW_DIR_IN, run->now_ns, &frame, &result, &err);
	k->their_state = k->segment ? tw_ct_tcp_state((uint8_t *)bytes.data + 14) : -1;
	if (!failed)
		failed = tw_ct_ask((uint8_t *)bytes.data + 14, bytes.len - 14, &k->theirs);
	if (failed)
		return failed;
	k->ours = class_of(&result.outcome);
	k->reason = (enum tw_reason)result.outcome.reason;
	k->state = (enum tw_state)result.outcome.state;
	run->n_packets++;
	run->confusion[k->theirs][k->ours]++;
	if (run->shown && run->shown == run->n_talks && k->segment) {
		printf("%d %s %s/%s", k->their_state, tw_state_name(k->record.progress.state),
			tw_ct_class_name(k->theirs), tw_ct_class_name(k->ours));
		print_segment(run, k->segment);
	}
	if (k->ours != k->theirs)
		note_difference(run, k);
	tw_ct_remember(&run->history, k);
	if (run->parted)
		return -ECANCELED;
	return k->ours != TW_CT_INVALID;
}

static int judge_segment(void *arg, const struct tw_ct_segment *segment)
{
	struct run *run = arg;
	struct tw_ct_case k = {.segment = segment, .history = &run->history};

	if (!run->history.begun) {
		run->history.first[segment->reply] = segment->seq;
		run->history.begun = true;
	}
	if (segment->reply && !run->history.answered && segment->flags & TW_TCP_SYN)
		run->history.first[1] = segment->seq;
	describe(run, segment);
	return ask_both(run, segment->reply != run->from_here, &k);
}

/* ---- conversations ---- */

static int new_talk(struct run *run)
{
	run->target->ops->forget(run->target);
	run->history = (struct tw_ct_history){0};
	run->parted = false;
	run->port = (uint16_t)(1024 + run->n_talks % 60000);
	run->v6 = tw_random_one_in(&run->random, 4);
	run->from_here = tw_random_one_in(&run->random, 2);
	return run->n_talks++ % FORGET_EACH ? 0 : tw_ct_forget();
}

static int run_talks(struct run *run, size_t n)
{
	int failed = 0;

	for (size_t i = 0; i < n && !failed; i++) {
		failed = new_talk(run);
		if (!failed)
			failed = tw_ct_converse(&run->random,
				10 + tw_random_below(&run->random, 90), judge_segment, run);
		if (failed == -ECANCELED)
			failed = 0;
	}
	return failed;
}

/* The packets of a datagram conversation. */
enum datagram { DATA, ECHO, ERROR_ABOUT_DATA, ERROR_ABOUT_ECHO, ERROR_ABOUT_NOTHING, N_DATAGRAMS };

static void add_data(struct run *run, bool reply, uint16_t port)
{
	struct tw_layer *layer = tw_draft_add(&run->draft, TW_L_UDP);

	tw_layer_set(layer, TW_F_SPORT, reply ? 53 : port);
	tw_layer_set(layer, TW_F_DPORT, reply ? port : 53);
	tw_layer_set(tw_draft_add(&run->draft, TW_L_DATA), TW_F_SIZE, 20);
}

static void add_echo(struct run *run, bool reply)
{
	struct tw_layer *layer = tw_draft_add(&run->draft, run->v6 ? TW_L_ICMP6 : TW_L_ICMP);

	tw_layer_set(layer, TW_F_TYPE, run->v6 ? (reply ? 129 : 128) : reply ? 0 : 8);
	tw_layer_set(layer, TW_F_ID, run->port);
}

/* Adds an ICMP error about a packet that travelled in the opposite direction. */
static void add_error(struct run *run, bool reply, enum datagram about)
{
	static const uint8_t types[2][3] = {{3, 11, 12}, {1, 2, 3}};
	struct tw_layer *layer = tw_draft_add(&run->draft, run->v6 ? TW_L_ICMP6 : TW_L_ICMP);

	tw_layer_set(layer, TW_F_TYPE, types[run->v6][tw_random_below(&run->random, 3)]);
	tw_draft_add(&run->draft, run->v6 ? TW_L_IP6 : TW_L_IP);
	if (about == ERROR_ABOUT_ECHO)
		add_echo(run, !reply);
	else
		add_data(run, !reply, about == ERROR_ABOUT_DATA ? run->port : 7);
}

/* Runs a conversation of UDP datagrams, ICMP echoes, and errors about both, in random order. */
static int run_datagrams(struct run *run, size_t n)
{
	int passes = 0;

	for (size_t i = 0; i < n && passes >= 0; i++) {
		passes = new_talk(run);
		for (int step = 0; step < 12 && passes >= 0; step++) {
			enum datagram what = (enum datagram)tw_random_below(
				&run->random, N_DATAGRAMS);
			bool reply = tw_random_one_in(&run->random, 2);
			struct tw_ct_case k = {.history = &run->history,
				.kind = what == DATA   ? TW_CT_UDP
					: what == ECHO ? TW_CT_ECHO
						       : TW_CT_ERROR,
				.reply = reply};

			fill_ends(run, reply != run->from_here);
			if (what == DATA)
				add_data(run, reply, run->port);
			else if (what == ECHO)
				add_echo(run, reply);
			else
				add_error(run, reply, what);
			passes = ask_both(run, reply != run->from_here, &k);
		}
		if (passes == -ECANCELED)
			passes = 0;
	}
	return passes < 0 ? passes : 0;
}

/* Plays each scenario twice: the second time near the wrap of the sequence numbers. */
static int run_scenes(struct run *run)
{
	static const uint32_t firsts[][2] = {{1000000, 5000000}, {0xfffffe00, 0xffffff80}};
	int failed = 0;

	for (const struct tw_ct_scene *scene = tw_ct_scenes; scene->name && !failed; scene++) {
		for (int i = 0; i < 4 && !failed; i++) {
			failed = new_talk(run);
			run->scene = scene->name;
			run->from_here = i & 2;
			if (!failed)
				failed = tw_ct_recite(
					scene->text, firsts[i & 1], judge_segment, run);
			if (failed == -ECANCELED)
				failed = 0;
		}
	}
	run->scene = NULL;
	return failed;
}

/* ---- result ---- */

static void print_result(const struct run *run)
{
	printf("%zu packets of %zu conversations\n%-16s", run->n_packets, run->n_talks,
		"conntrack \\ ours");
	for (unsigned int o = 0; o < TW_CT_LOST; o++)
		printf(" %11s", tw_ct_class_name(o));
	for (unsigned int t = 0; t < TW_CT__MAX; t++) {
		printf("\n%-16s", tw_ct_class_name(t));
		for (unsigned int o = 0; o < TW_CT_LOST; o++)
			printf(" %11zu", run->confusion[t][o]);
	}
	printf("\n");
	for (unsigned int w = 0; w < TW_CT_WHY__MAX; w++)
		if (run->explained[w])
			printf("%8zu %s\n", run->explained[w], tw_ct_why_name(w));
	printf("%8zu differences not explained\n", run->n_unexplained);
}

static int load(struct run *run, struct tw_err *err)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	int failed = tw_policy_read(policy_text, strlen(policy_text), &policy, &diags);

	tw_diags_done(&diags);
	if (!failed)
		failed = run->target->ops->reset(run->target, CONNS_MAX, err);
	return failed ? failed : run->target->ops->load(run->target, policy, 1, err);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
		{"conversations", required_argument, NULL, 'n'},
		{"show", required_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
	tw_autofree struct run *run = tw_alloc(sizeof(*run));
	tw_auto(tw_target) struct tw_target *target = NULL;
	unsigned long long seed = 1, n = 2000;
	struct tw_err err = {0};
	int c, failed;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			n = strtoull(optarg, NULL, 10);
		else if (c == 'v' && run)
			run->shown = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	if (!run || tw_target_native(&target, &err))
		return 5;
	run->target = target;
	run->random = tw_random_from(seed);
	run->now_ns = START_NS;
	n *= tw_scale();
	failed = tw_ct_enter(&err);
	if (failed) {
		printf("skipped: %s\n", err.text);
		return failed == -EPERM || failed == -EOPNOTSUPP ? TW_RUN_SKIPPED : 5;
	}
	failed = load(run, &err);
	if (!failed)
		failed = run_scenes(run);
	if (!failed)
		failed = run_datagrams(run, n / 4);
	if (!failed)
		failed = run_talks(run, n);
	if (failed) {
		fprintf(stderr, "conntrack_diff: %s\n", strerror(-failed));
		return 5;
	}
	print_result(run);
	return run->n_unexplained || !run->n_packets;
}
