/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/diff/sequence.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "sim/scene.h"

#define START_NS    1000000000000ull
#define CUT_LEN_MAX 1514

struct player {
	const struct tw_seq *seq;
	struct tw_target *target;
	struct tw_seq_tally *tally;
	struct tw_err *err;
	uint32_t epoch;
	uint8_t *room;
	/* If set, called for every judgement. */
	void (*tell)(void *arg, const struct tw_seq_item *item, enum tw_dir dir,
		const struct tw_native_result *result);
	void *arg;
};

void tw_seq_done(struct tw_seq *seq)
{
	tw_vec_foreach (&seq->items, item)
		free(item->data);
	tw_vec_done(&seq->items);
}

int tw_seq_add(struct tw_seq *seq, const struct tw_seq_item *item)
{
	struct tw_seq_item copy = *item;

	copy.data = tw_alloc(item->len);
	if (!copy.data)
		return -ENOMEM;
	if (item->len)
		memcpy(copy.data, item->data, item->len);
	if (tw_vec_push(&seq->items, copy)) {
		free(copy.data);
		return -ENOMEM;
	}
	return 0;
}

static int set_up_port(struct player *p, uint32_t ifindex)
{
	const struct tw_local local = {ifindex, CUT_LEN_MAX};
	struct tw_local_key key = {0};
	struct tw_port port;
	int failed = p->target->ops->get_port(p->target, ifindex, p->epoch, &port);

	if (failed)
		return failed;
	if (p->seq->adopt)
		port.adopt_until = (uint32_t)(START_NS >> TW_TICK_SHIFT) + (1u << 30);
	if (p->seq->cut_through) {
		port.flags |= TW_PORT_F_CUT;
		port.len_max = CUT_LEN_MAX;
		key.network = port.network;
		memcpy(key.mac, port.mac, sizeof(key.mac));
		failed = p->target->ops->add_local(p->target, &key, &local);
	}
	return failed ? failed : p->target->ops->set_port(p->target, ifindex, p->epoch, &port);
}

static int put_in_force(struct player *p, int number)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	const char *text = p->seq->policies[number];
	struct tw_diags diags = {0};
	int failed = tw_policy_read(text, strlen(text), &policy, &diags);

	if (failed)
		tw_err_set(p->err, failed, NULL, NULL, "policy %d: line %u: %s", number,
			diags.n ? diags.at[0].line : 0, diags.n ? diags.at[0].text : "");
	tw_diags_done(&diags);
	if (!failed)
		failed = p->target->ops->load(p->target, policy, ++p->epoch, p->err);
	for (size_t i = 0; !failed && i < tw_policy_n_vnics(policy); i++)
		failed = set_up_port(p, tw_scene_ifindex(i));
	return failed;
}

/* 0: the frame passes; 1: it ends here; negative errno. */
static int judge(
	struct player *p, const struct tw_seq_item *item, enum tw_dir dir, struct tw_beside *beside)
{
	struct tw_native_frame frame = {.data = p->room,
		.len = item->len,
		.max = TW_TARGET_FRAME_MAX,
		.gso_size = item->gso_size,
		.beside = *beside};
	uint32_t ifindex = tw_scene_ifindex((size_t)(dir == TW_DIR_OUT ? item->from : item->to));
	struct tw_native_result result = {0};
	int failed;

	p->tally->n_judgements++;
	if (item->len > TW_TARGET_FRAME_MAX - TW_TARGET_HEADROOM) {
		p->tally->n_untakable++;
		return 1;
	}
	if (item->len)
		memcpy(p->room, item->data, item->len);
	failed = p->target->ops->run(
		p->target, ifindex, dir, START_NS + item->at_ns, &frame, &result, p->err);
	if (failed == -E2BIG) {
		p->tally->n_untakable++;
		return 1;
	}
	if (failed)
		return failed;
	p->tally->reasons[result.outcome.reason % TW_R__MAX][dir]++;
	*beside = frame.beside;
	if (p->tell)
		p->tell(p->arg, item, dir, &result);
	return result.outcome.verdict != TW_V_ALLOW;
}

static int play_item(struct player *p, const struct tw_seq_item *item)
{
	struct tw_beside beside = {0};
	int ended = 0;

	if (item->policy >= 0) {
		if (p->tell)
			p->tell(p->arg, item, TW_DIR_OUT, NULL);
		return put_in_force(p, item->policy);
	}
	p->tally->n_frames++;
	if (item->from != TW_SEQ_NOWHERE)
		ended = judge(p, item, TW_DIR_OUT, &beside);
	if (!ended && item->to != TW_SEQ_NOWHERE)
		ended = judge(p, item, TW_DIR_IN, &beside);
	return ended < 0 ? ended : 0;
}

static int empty(struct player *p)
{
	struct tw_config config;
	int failed = p->target->ops->reset(p->target, 0, p->err);

	if (!failed)
		failed = p->target->ops->get_config(p->target, &config);
	config.cut_until_ns = p->seq->cut_through ? UINT64_MAX : 0;
	return failed ? failed : p->target->ops->set_config(p->target, &config);
}

static int play(struct player *p, size_t *ret_at)
{
	int failed = 0;

	p->room = tw_alloc(TW_TARGET_FRAME_MAX);
	if (!p->room)
		return -ENOMEM;
	if (p->seq->in_force)
		p->target->ops->forget(p->target);
	else
		failed = empty(p);
	if (!failed && !p->seq->in_force)
		failed = put_in_force(p, 0);
	for (*ret_at = 0; !failed && *ret_at < p->seq->items.n; (*ret_at)++) {
		failed = play_item(p, &p->seq->items.at[*ret_at]);
		if (failed)
			break;
	}
	free(p->room);
	return failed;
}

int tw_seq_play(const struct tw_seq *seq, struct tw_target *target, struct tw_seq_tally *tally,
	size_t *ret_at, struct tw_err *err)
{
	struct player p = {.seq = seq, .target = target, .tally = tally, .err = err};

	return play(&p, ret_at);
}

/* ---- shrinking ---- */

/* True if the disagreement remains without items `from` to `from + n - 1`. `less` has room for all
 * items. */
static bool stays_without(const struct tw_seq *seq, size_t from, size_t n, struct tw_target *target,
	struct tw_seq *less)
{
	struct tw_seq_item *at = less->items.at;
	struct tw_seq_tally tally = {0};
	struct tw_err err = {0};
	size_t where;

	memcpy(at, seq->items.at, from * sizeof(*at));
	memcpy(at + from, seq->items.at + from + n, (seq->items.n - from - n) * sizeof(*at));
	less->items.n = seq->items.n - n;
	return tw_seq_play(less, target, &tally, &where, &err) == -EXDEV;
}

void tw_seq_shrink(struct tw_seq *seq, struct tw_target *target)
{
	struct tw_seq less = *seq;
	size_t from, n;

	less.in_force = false;
	less.items.at = tw_alloc_array(seq->items.n + 1, sizeof(*seq->items.at));
	if (!less.items.at)
		return;
	for (size_t step = seq->items.n; step; step /= 2) {
		for (from = 0; from < seq->items.n;) {
			n = from + step < seq->items.n ? step : seq->items.n - from;
			if (!stays_without(seq, from, n, target, &less)) {
				from += step;
				continue;
			}
			for (size_t i = from; i < from + n; i++)
				free(seq->items.at[i].data);
			seq->items.n = less.items.n;
			memcpy(seq->items.at, less.items.at, seq->items.n * sizeof(*seq->items.at));
		}
	}
	free(less.items.at);
}

/* ---- as a case ---- */

struct writer {
	struct tw_buf out;
	const struct tw_seq *seq;
	const struct tw_seq_item *last;
	struct tw_policy *policy; /* only for names */
};

static void print_yaml(const char *text, struct tw_buf *out)
{
	tw_buf_adds(out, "policy:\n");
	while (*text) {
		size_t len = strcspn(text, "\n");

		tw_buf_addf(out, "  %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
	tw_buf_adds(out, "\n");
}

static const char *port_name(const struct writer *w, int vnic)
{
	const struct tw_vnic *v = tw_policy_vnic(w->policy, (size_t)vnic);

	return v->port ? v->port : v->workload;
}

static void write_frame(struct writer *w, const struct tw_seq_item *item)
{
	tw_buf_addf(&w->out, "%llu.%09llu ", (unsigned long long)(item->at_ns / 1000000000),
		(unsigned long long)(item->at_ns % 1000000000));
	if (item->from == TW_SEQ_NOWHERE)
		tw_buf_addf(&w->out, "in %s: raw ", port_name(w, item->to));
	else if (item->to == TW_SEQ_NOWHERE)
		tw_buf_addf(&w->out, "out %s: raw ", port_name(w, item->from));
	else
		tw_buf_addf(&w->out, "%s -> %s: raw ", port_name(w, item->from),
			port_name(w, item->to));
	for (size_t i = 0; i < item->len; i++)
		tw_buf_addf(&w->out, "%02x", item->data[i]);
	if (item->gso_size)
		tw_buf_addf(&w->out, " | gso %u", item->gso_size);
	tw_buf_adds(&w->out, " => ");
}

static void write_judgement(void *arg, const struct tw_seq_item *item, enum tw_dir dir,
	const struct tw_native_result *result)
{
	struct writer *w = arg;

	tw_buf_adds(&w->out, w->last == item ? " then " : w->last ? "\n" : "");
	if (!result) {
		print_yaml(w->seq->policies[item->policy], &w->out);
		w->last = NULL;
		return;
	}
	if (w->last != item)
		write_frame(w, item);
	tw_buf_addf(&w->out, "%s %s", tw_verdict_name(result->outcome.verdict),
		tw_reason_name(result->outcome.reason));
	w->last = item;
}

int tw_seq_write_case(
	const struct tw_seq *seq, struct tw_target *native, const char *about, const char *path)
{
	struct tw_seq_tally tally = {0};
	struct tw_seq fresh = *seq;
	struct writer w = {.seq = seq};
	struct tw_diags diags = {0};
	struct tw_err err = {0};
	struct player p = {.seq = &fresh,
		.target = native,
		.tally = &tally,
		.err = &err,
		.tell = write_judgement,
		.arg = &w};
	tw_autofile FILE *file = NULL;
	size_t at;
	int failed = tw_policy_read(seq->policies[0], strlen(seq->policies[0]), &w.policy, &diags);

	tw_diags_done(&diags);
	if (failed)
		return failed;
	tw_buf_addf(&w.out,
		"# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only\nabout: %s\n\n", about);
	print_yaml(seq->policies[0], &w.out);
	if (seq->cut_through)
		tw_buf_adds(&w.out, "set cut-through=1\n");
	for (size_t i = 0; i < tw_policy_n_vnics(w.policy); i++)
		tw_buf_addf(&w.out, "port %s%s%s\n", port_name(&w, (int)i),
			seq->adopt ? " adopt=1000000" : "", seq->cut_through ? " cut=1514" : "");
	failed = play(&p, &at);
	tw_buf_adds(&w.out, "\n");
	tw_policy_free(w.policy);
	file = fopen(path, "we");
	if (w.out.failed || !file || fwrite(w.out.data, 1, w.out.len, file) != w.out.len)
		failed = -EIO;
	tw_buf_done(&w.out);
	return failed;
}
