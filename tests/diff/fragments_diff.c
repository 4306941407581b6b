/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fragments_diff: checks the datagrams that a receiver reassembles behind the firewall. One guest
 * sends another datagrams in fragments, in any order, interleaved, with fragments that overlap,
 * repeat or contradict each other.
 *
 *	Always: no byte reaches the receiver twice before the datagram is complete. No fragment
 *	reaches it if the datagram's first fragment was not allowed, and none that contradicts the
 *	datagram's end.
 *	A well-formed datagram, in any order, arrives completely if its first fragment is allowed, else
 *	not at all.
 *
 * The receiver is deliberately simple: an array of bytes for each datagram. The test runs natively
 * and, with the privileges for it, through the BPF programs in the kernel; both must agree frame by
 * frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "sim/scene.h"
#include "tests/diff/random.h"
#include "tests/run/both.h"
#include "tests/run/draft_text.h"
#include "tests/scale.h"

#define SECOND	    1000000000ull
#define START_NS    (1000 * SECOND)
#define ROUNDS	    400
#define HOSTILE_MAX 60 /* fragments sent in a hostile round */
#define IDS	    6
#define UNITS_MAX   24 /* units of eight bytes in a datagram */
#define ALLOWED	    53
#define DENIED	    54

static const char policy_text[] =
	"version: 1\n"
	"workloads:\n"
	"  web: {port: t1, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.11, \"fd00::11\"]}\n"
	"  db: {port: t2, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.21, \"fd00::21\"]}\n"
	"rules:\n"
	"  - {name: dns, from: any, to: db, service: udp/53, action: allow}\n";

struct piece {
	bool v6;
	unsigned int id;
	unsigned int from, to; /* units */
	bool more;
	unsigned int port; /* destination port, in a first fragment */
};

/* The part of one datagram that the receiver has. */
struct buffer {
	bool there[UNITS_MAX * 2];
	unsigned int total; /* in units; 0: not known */
	bool first;
};

struct run {
	struct tw_target *target;
	struct tw_random random;
	struct buffer buffer[2][IDS];
	uint64_t now_ns;
	bool bridged; /* false: from outside, directly to the receiver's port */
	size_t n_whole, n_pieces, n_delivered, n_released;
	size_t reasons[TW_R__MAX];
	struct tw_buf log;
	uint8_t room[TW_TARGET_FRAME_MAX];
};

static uint32_t below(struct run *run, uint32_t n)
{
	return tw_random_below(&run->random, n);
}

static int wrong(struct run *run, const char *what)
{
	printf("not ok: %s\n%s", what, run->log.data);
	return -EXDEV;
}

/* ---- the receiver ---- */

static void look_whole(struct run *run, struct buffer *b)
{
	for (unsigned int i = 0; i < b->total; i++)
		if (!b->there[i])
			return;
	if (!b->total)
		return;
	run->n_whole++;
	*b = (struct buffer){0};
}

static int receive(struct run *run, const struct piece *p)
{
	struct buffer *b = &run->buffer[p->v6][p->id];

	run->n_delivered++;
	tw_buf_addf(&run->log, "#   delivered: v%d id=%u %u-%u%s\n", p->v6 ? 6 : 4, p->id,
		p->from * 8, p->to * 8, p->more ? " mf" : "");
	if (!p->from && p->port != ALLOWED)
		return wrong(run, "a first fragment that no rule allows was delivered");
	b->first |= !p->from;
	for (unsigned int i = p->from; i < p->to; i++) {
		if (b->there[i])
			return wrong(run, "a byte was delivered twice");
		b->there[i] = true;
		if (b->total && i >= b->total)
			return wrong(run, "data beyond the end was delivered");
	}
	if (!p->more) {
		if (b->total)
			return wrong(run, "two different ends of a datagram were delivered");
		b->total = p->to;
		for (unsigned int i = p->to; i < UNITS_MAX * 2; i++)
			if (b->there[i])
				return wrong(
					run, "an end before the end of the data was delivered");
	}
	return 0;
}

/* Checked at the end of a step: queued fragments may be delivered before the first one that
 * released them. */
static int settle(struct run *run)
{
	for (int v6 = 0; v6 < 2; v6++) {
		for (int id = 0; id < IDS; id++) {
			struct buffer *b = &run->buffer[v6][id];

			for (int i = 0; i < UNITS_MAX * 2; i++)
				if (b->there[i] && !b->first)
					return wrong(run,
						"a fragment was delivered before the first one");
			look_whole(run, b);
		}
	}
	return 0;
}

/* ---- the path to the receiver ---- */

static void make_names(struct tw_draft_names *names)
{
	*names = (struct tw_draft_names){
		.from = {true, true, true, {0x52, 0x54, 0, 0, 0, 1}},
		.to = {true, true, true, {0x52, 0x54, 0, 0, 0, 2}},
	};
	tw_addr_parse("10.0.0.11", &names->from.v4);
	tw_addr_parse("10.0.0.21", &names->to.v4);
	tw_addr_parse("fd00::11", &names->from.v6);
	tw_addr_parse("fd00::21", &names->to.v6);
}

static void describe(const struct piece *p, struct tw_buf *out)
{
	const char *more = p->more ? " mf" : "";
	unsigned int size = (p->to - p->from) * 8;

	if (p->v6)
		tw_buf_addf(out, "ip6 / frag id=%u off=%u next=udp%s", p->id, p->from * 8, more);
	else
		tw_buf_addf(out, "ip id=%u off=%u proto=udp%s", p->id, p->from * 8, more);
	if (!p->from)
		tw_buf_addf(out, " / udp 40000 > %u len=500 / data %u", p->port, size - 8);
	else
		tw_buf_addf(out, " / data %u", size);
}

static int judge(struct run *run, size_t port, enum tw_dir dir, const struct tw_buf *bytes,
	struct tw_beside *beside, struct tw_outcome *ret)
{
	struct tw_native_frame frame = {
		.data = run->room, .len = bytes->len, .max = sizeof(run->room), .beside = *beside};
	struct tw_native_result result = {0};
	struct tw_err err = {0};

	memcpy(run->room, bytes->data, bytes->len);
	if (run->target->ops->run(
		    run->target, tw_scene_ifindex(port), dir, run->now_ns, &frame, &result, &err))
		return wrong(run, err.text);
	*beside = frame.beside;
	*ret = result.outcome;
	run->reasons[ret->reason]++;
	tw_buf_addf(&run->log, "#   %s: %s %s%s%s\n", tw_dir_name(dir),
		tw_verdict_name(ret->verdict), tw_reason_name(ret->reason),
		ret->queued ? " queued" : "", ret->release ? " release" : "");
	return 0;
}

/* Reads a fragment from a frame, with a simple parser of the test's own. */
static struct piece read_frame(const uint8_t *frame, size_t len)
{
	struct piece p = {.v6 = frame[12] == 0x86};
	const uint8_t *ip = frame + 14, *frag = ip + 40, *l4 = p.v6 ? frag + 8 : ip + 20;
	unsigned int size = (unsigned int)(p.v6 ? (ip[4] << 8 | ip[5]) - 8
						: (ip[2] << 8 | ip[3]) - 20);

	p.id = p.v6 ? frag[7] : ip[5];
	p.from = (unsigned int)(p.v6 ? (frag[2] << 8 | frag[3]) >> 3 : (ip[6] & 0x1f) << 8 | ip[7]);
	p.more = p.v6 ? frag[3] & 1 : ip[6] & 0x20;
	p.to = p.from + size / 8;
	p.port = (unsigned int)(l4[2] << 8 | l4[3]);
	return p;
}

static int travel(struct run *run, const struct tw_buf *bytes, uint32_t mark, bool released);

/* Delivers the fragments that were queued at a port. */
static int release(struct run *run, const struct tw_outcome *o)
{
	tw_autofree struct tw_fragq *queued = tw_alloc(sizeof(*queued));
	int err = queued ? 0 : -ENOMEM;

	for (uint32_t n = 0; !err && n < TW_FRAGQS; n++) {
		tw_auto_buf struct tw_buf bytes = {0};

		if (!run->target->ops->take_sent(run->target, o->release, n, queued))
			continue;
		if (!queued->len)
			return wrong(run, "the targets release different fragments");
		run->n_released++;
		tw_buf_add(&bytes, queued->bytes, queued->len);
		err = bytes.failed ? -ENOMEM : travel(run, &bytes, queued->mark, true);
	}
	return err;
}

static int travel(struct run *run, const struct tw_buf *bytes, uint32_t mark, bool released)
{
	struct tw_outcome out = {0}, in = {0};
	struct tw_beside beside = {.mark = mark};
	struct piece p;
	int err = 0;

	if (run->bridged) {
		err = judge(run, 0, TW_DIR_OUT, bytes, &beside, &out);
		if (err || out.verdict != TW_V_ALLOW)
			return err;
	}
	err = judge(run, 1, TW_DIR_IN, bytes, &beside, &in);
	if (err)
		return err;
	if (in.verdict == TW_V_ALLOW) {
		p = read_frame((const uint8_t *)bytes->data, bytes->len);
		err = receive(run, &p);
		if (!err && in.release)
			err = release(run, &in);
	}
	if (!err && out.verdict == TW_V_ALLOW && out.release)
		err = release(run, &out);
	return err || released ? err : settle(run);
}

static int send_piece(struct run *run, const struct piece *p)
{
	tw_autofree struct tw_draft *draft = tw_alloc(sizeof(*draft));
	tw_auto_buf struct tw_buf text = {0}, bytes = {0};
	struct tw_draft_names names;
	struct tw_err err = {0};

	make_names(&names);
	describe(p, &text);
	tw_buf_addf(&run->log, "%s%s\n", run->bridged ? "web -> db: " : "in db: ", text.data);
	if (!draft || text.failed)
		return -ENOMEM;
	if (tw_draft_read(text.data, &names, draft, &err))
		return wrong(run, err.text);
	if (tw_draft_build(draft, &bytes))
		return -ENOMEM;
	run->n_pieces++;
	run->now_ns += SECOND / 1000;
	return travel(run, &bytes, 0, false);
}

/* ---- sending ---- */

/* Cuts a datagram of `units` into up to `max` fragments; returns their number. */
static unsigned int cut(struct run *run, struct piece *pieces, struct piece whole,
	unsigned int units, unsigned int max)
{
	unsigned int n = 0, at = 0;

	while (at < units) {
		unsigned int size = 1 + below(run, units / 2);

		if (n + 1 == max || at + size > units || (!at && size == units))
			size = units - at;
		pieces[n] = whole;
		pieces[n].from = at;
		pieces[n].to = at + size;
		pieces[n].more = at + size < units;
		at += size;
		n++;
	}
	return n;
}

static void shuffle(struct run *run, struct piece *pieces, unsigned int n)
{
	for (unsigned int i = n; i > 1; i--) {
		unsigned int k = below(run, i);
		struct piece p = pieces[k];

		pieces[k] = pieces[i - 1];
		pieces[i - 1] = p;
	}
}

/* Sends two well-formed datagrams, their fragments in random order. */
static int honest(struct run *run)
{
	bool allowed = !tw_random_one_in(&run->random, 4);
	struct piece pieces[16], whole = {.v6 = below(run, 2), .port = allowed ? ALLOWED : DENIED};
	size_t whole_before = run->n_whole, delivered = run->n_delivered;
	unsigned int n = cut(run, pieces, whole, 2 + below(run, UNITS_MAX - 2), 8);
	int err = 0;

	whole.id = 1;
	n += cut(run, pieces + n, whole, 2 + below(run, UNITS_MAX - 2), 8);
	shuffle(run, pieces, n);
	for (unsigned int i = 0; i < n && !err; i++)
		err = send_piece(run, &pieces[i]);
	if (!err && allowed && run->n_whole != whole_before + 2)
		err = wrong(run, "an allowed datagram was not delivered completely");
	if (!err && !allowed && run->n_delivered != delivered)
		err = wrong(run, "a part of a denied datagram was delivered");
	return err;
}

/* Sends random fragments of few datagrams, so that they interact. */
static int hostile(struct run *run)
{
	unsigned int n = 10 + below(run, HOSTILE_MAX - 10);
	int err = 0;

	for (unsigned int i = 0; i < n && !err; i++) {
		struct piece p = {.v6 = below(run, 2),
			.id = below(run, IDS),
			.from = below(run, 3) ? below(run, UNITS_MAX) : 0,
			.more = below(run, 4) != 0,
			.port = below(run, 4) ? ALLOWED : DENIED};

		p.to = p.from + 1 + below(run, UNITS_MAX / 3);
		if (!p.from && !p.more && p.to < UNITS_MAX)
			p.more = true; /* otherwise it would not be a fragment */
		err = send_piece(run, &p);
	}
	return err;
}

/* Later than any reassembly timeout: the receiver has forgotten everything too. */
static int play_round(struct run *run, uint64_t seed)
{
	run->random = tw_random_from(seed);
	run->now_ns += 200 * SECOND;
	run->bridged = below(run, 2);
	memset(run->buffer, 0, sizeof(run->buffer));
	tw_buf_reset(&run->log);
	tw_buf_addf(&run->log, "# seed %llu\n", (unsigned long long)seed);
	return below(run, 2) ? honest(run) : hostile(run);
}

static int open_target(struct tw_target **ret, struct tw_err *err)
{
	int failed = tw_target_both(TW_PORTS_TAP, false, ret, err);

	if (failed != -EPERM && failed != -EOPNOTSUPP)
		return failed;
	printf("# natively alone: %s\n", err->text);
	return tw_target_native(ret, err);
}

int main(int argc, char **argv)
{
	static struct run run = {.now_ns = START_NS};
	tw_auto(tw_target) struct tw_target *target = NULL;
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	struct tw_err err = {0};
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	int failed = tw_policy_read(policy_text, strlen(policy_text), &policy, &diags);

	if (!failed)
		failed = open_target(&target, &err);
	if (!failed)
		failed = target->ops->load(target, policy, 1, &err);
	tw_diags_done(&diags);
	if (failed) {
		fprintf(stderr, "fragments_diff: %s\n", err.code ? err.text : strerror(-failed));
		return 5;
	}
	run.target = target;
	for (uint64_t i = 0; i < ROUNDS * tw_scale() && !failed; i++)
		failed = play_round(&run, seed * 1000003 + i);
	printf("%zu pieces on %s, %zu delivered, %zu datagrams whole, %zu sent on late\nreasons:",
		run.n_pieces, target->ops->name, run.n_delivered, run.n_whole, run.n_released);
	for (unsigned int r = 0; r < TW_R__MAX; r++)
		if (run.reasons[r])
			printf(" %s %zu", tw_reason_name(r), run.reasons[r]);
	printf("\n");
	tw_buf_done(&run.log);
	return failed ? 1 : 0;
}
