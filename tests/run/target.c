/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/target.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"

void tw_target_settings(struct tw_config *config)
{
	config->mark = 0x5eed1e00;
	config->event_rate = config->event_burst = 0; /* no limits */
	config->reply_rate = config->reply_burst = 0;
	config->dhcp_rate = 0;
	config->ask_until = 0;
	config->ask_rate = TW_ASK_RATE_DEFAULT;
	config->ask_quota = TW_ANSWERS_PORT;
	config->half_open_max = config->established_max = 0;
	/* The same key for all targets, because DHCP requests are stored by their hash. */
	for (uint64_t i = 0; i <= TW_KEY_WORDS; i++)
		config->hash_key[i] = 0x9e3779b97f4a7c15 * (i + 1) ^ 0x94d049bb133111eb;
	tw_state_timeouts(config);
}

void tw_outcome_print(const struct tw_native_result *result, struct tw_buf *out)
{
	const struct tw_outcome *o = &result->outcome;

	tw_buf_addf(out, "%s %s (rule slot %u, stage %s", tw_verdict_name(o->verdict),
		tw_reason_name(o->reason), tw_decision_rule(o->decision), tw_stage_name(o->stage));
	if (o->tracked)
		tw_buf_addf(out, ", %s%s, way %u", o->created ? "new " : "",
			tw_state_name(o->state), o->way);
	tw_buf_addf(out, "%s%s)", result->replied ? ", replied" : "",
		result->cut_ifindex ? ", cut through" : "");
}

bool tw_outcome_differs(
	const struct tw_native_result *a, const struct tw_native_result *b, struct tw_buf *out)
{
	if (!memcmp(&a->outcome, &b->outcome, sizeof(a->outcome)) && a->replied == b->replied &&
		!a->cut_ifindex == !b->cut_ifindex && (!a->replied || a->reply_len == b->reply_len))
		return false;
	tw_outcome_print(a, out);
	tw_buf_adds(out, " against ");
	tw_outcome_print(b, out);
	if (a->outcome.gate[0] != b->outcome.gate[0] || a->outcome.gate[1] != b->outcome.gate[1])
		tw_buf_addf(out, "; gates %llx %llx against %llx %llx",
			(unsigned long long)a->outcome.gate[0],
			(unsigned long long)a->outcome.gate[1],
			(unsigned long long)b->outcome.gate[0],
			(unsigned long long)b->outcome.gate[1]);
	if (a->replied && b->replied && a->reply_len != b->reply_len)
		tw_buf_addf(out, "; refusals of %zu and %zu bytes", a->reply_len, b->reply_len);
	return true;
}

bool tw_target_answers(struct tw_ask_key *key, const struct tw_answer *entry, uint32_t rule,
	enum tw_verdict verdict, enum tw_ask_scope scope, const struct tw_answer *limits,
	struct tw_answer *ret)
{
	uint32_t payer = tw_answer_payer(entry->word);

	if (key->rule != rule || tw_answer_verdict(entry->word) != TW_V_ASK)
		return false;
	*ret = (struct tw_answer){
		.word = tw_answer_word(verdict, payer, tw_answer_tick(limits->word)),
		.until = limits->until,
		.epoch = scope == TW_ASK_POLICY ? limits->epoch : 0};
	if (scope != TW_ASK_CONNECTION) {
		key->sport = 0;
		key->scope = TW_ASK_PAIR;
	}
	return true;
}

/* ---- pair ---- */

struct pair {
	struct tw_target target;
	struct tw_target *a;
	struct tw_target *b;
	uint8_t *copy; /* copy of the frame for `b` */
	uint32_t
		number; /* redirect number that a program of `a` stored last, and the corresponding one of `b` */
	uint32_t other_number;
};

static struct pair *pair_of(struct tw_target *target)
{
	return (struct pair *)target;
}

static void pair_free(struct tw_target *target)
{
	struct pair *pair = pair_of(target);

	tw_target_free(pair->a);
	tw_target_free(pair->b);
	free(pair->copy);
	free(pair);
}

static int pair_reset(struct tw_target *target, uint32_t max_conns, struct tw_err *err)
{
	struct pair *pair = pair_of(target);
	int failed = pair->a->ops->reset(pair->a, max_conns, err);

	return failed ? failed : pair->b->ops->reset(pair->b, max_conns, err);
}

static void pair_forget(struct tw_target *target)
{
	struct pair *pair = pair_of(target);

	pair->a->ops->forget(pair->a);
	pair->b->ops->forget(pair->b);
}

static int pair_load(struct tw_target *target, const struct tw_policy *policy, uint32_t epoch,
	struct tw_err *err)
{
	struct pair *pair = pair_of(target);
	int failed = pair->a->ops->load(pair->a, policy, epoch, err);

	return failed ? failed : pair->b->ops->load(pair->b, policy, epoch, err);
}

static int pair_run(struct tw_target *target, uint32_t ifindex, enum tw_dir dir, uint64_t now_ns,
	struct tw_native_frame *frame, struct tw_native_result *ret, struct tw_err *err)
{
	struct pair *pair = pair_of(target);
	struct tw_native_frame other = *frame;
	struct tw_native_result result = {0};
	tw_auto_buf struct tw_buf text = {0};
	int failed;

	if (frame->len > TW_TARGET_FRAME_MAX - TW_TARGET_HEADROOM)
		return -E2BIG;
	memcpy(pair->copy, frame->data, frame->len);
	other.data = pair->copy;
	other.max = TW_TARGET_FRAME_MAX;
	if (other.beside.number == pair->number)
		other.beside.number = pair->other_number;
	/* The kernel runs first: a frame that it does not accept is skipped for both. */
	failed = pair->b->ops->run(pair->b, ifindex, dir, now_ns, &other, &result, err);
	if (failed)
		return failed;
	failed = pair->a->ops->run(pair->a, ifindex, dir, now_ns, frame, ret, err);
	if (failed)
		return failed;
	if (tw_outcome_differs(ret, &result, &text))
		return tw_err_set(err, -EXDEV, NULL, NULL, "%s and %s disagree: %s",
			pair->a->ops->name, pair->b->ops->name, text.data);
	if (ret->replied && memcmp(frame->data, other.data, ret->reply_len))
		return tw_err_set(err, -EXDEV, NULL, NULL, "%s and %s wrote different refusals",
			pair->a->ops->name, pair->b->ops->name);
	if (frame->beside.mark != other.beside.mark)
		return tw_err_set(err, -EXDEV, NULL, NULL, "marks differ: %#x and %#x",
			frame->beside.mark, other.beside.mark);
	if (ret->cut_ifindex) {
		pair->number = frame->beside.number;
		pair->other_number = other.beside.number;
	}
	return 0;
}

/* A fragment that only one target sent, or that differs, is returned with length 0. */
static bool pair_take_sent(
	struct tw_target *target, uint32_t port_id, uint32_t n, struct tw_fragq *ret)
{
	struct pair *pair = pair_of(target);
	struct tw_fragq other = {0};
	bool a = pair->a->ops->take_sent(pair->a, port_id, n, ret);
	bool b = pair->b->ops->take_sent(pair->b, port_id, n, &other);

	if (a != b || (a && (ret->len != other.len || ret->mark != other.mark ||
				    memcmp(ret->bytes, other.bytes, ret->len))))
		ret->len = 0;
	return a || b;
}

static int pair_get_port(
	struct tw_target *target, uint32_t ifindex, uint32_t epoch, struct tw_port *ret)
{
	struct pair *pair = pair_of(target);

	return pair->a->ops->get_port(pair->a, ifindex, epoch, ret);
}

static int pair_set_port(
	struct tw_target *target, uint32_t ifindex, uint32_t epoch, const struct tw_port *port)
{
	struct pair *pair = pair_of(target);
	int failed = pair->a->ops->set_port(pair->a, ifindex, epoch, port);

	return failed ? failed : pair->b->ops->set_port(pair->b, ifindex, epoch, port);
}

static int pair_add_local(
	struct tw_target *target, const struct tw_local_key *key, const struct tw_local *local)
{
	struct pair *pair = pair_of(target);
	int failed = pair->a->ops->add_local(pair->a, key, local);

	return failed ? failed : pair->b->ops->add_local(pair->b, key, local);
}

static int pair_add_mac(struct tw_target *target, const uint8_t mac[6])
{
	struct pair *pair = pair_of(target);
	int failed = pair->a->ops->add_mac(pair->a, mac);

	return failed ? failed : pair->b->ops->add_mac(pair->b, mac);
}

/* The learned leases must be identical. */
static int pair_get_leases(struct tw_target *target, uint32_t id, struct tw_leases *ret)
{
	struct pair *pair = pair_of(target);
	struct tw_leases other = {0};
	int failed = pair->a->ops->get_leases(pair->a, id, ret);

	if (!failed)
		failed = pair->b->ops->get_leases(pair->b, id, &other);
	return failed || !memcmp(ret, &other, sizeof(other)) ? failed : -EIO;
}

static int pair_get_config(struct tw_target *target, struct tw_config *ret)
{
	struct pair *pair = pair_of(target);

	return pair->a->ops->get_config(pair->a, ret);
}

static int pair_set_config(struct tw_target *target, const struct tw_config *config)
{
	struct pair *pair = pair_of(target);
	int failed = pair->a->ops->set_config(pair->a, config);

	return failed ? failed : pair->b->ops->set_config(pair->b, config);
}

static int pair_each_conn(struct tw_target *target, tw_conn_fn *each, void *arg)
{
	struct pair *pair = pair_of(target);

	return pair->b->ops->each_conn(pair->b, each, arg);
}

static int pair_rule_count(struct tw_target *target, uint32_t slot, struct tw_rule_count *ret)
{
	struct pair *pair = pair_of(target);

	return pair->b->ops->rule_count(pair->b, slot, ret);
}

static uint64_t pair_reason_count(struct tw_target *target, enum tw_reason reason, enum tw_dir dir)
{
	struct pair *pair = pair_of(target);

	return pair->b->ops->reason_count(pair->b, reason, dir);
}

static int pair_answer(struct tw_target *target, uint32_t rule, enum tw_verdict verdict,
	enum tw_ask_scope scope, const struct tw_answer *limits)
{
	struct pair *pair = pair_of(target);
	int a = pair->a->ops->answer(pair->a, rule, verdict, scope, limits);
	int b = pair->b->ops->answer(pair->b, rule, verdict, scope, limits);

	return a == b ? a : -EXDEV;
}

static const struct tw_target_ops pair_ops = {
	.name = "pair",
	.free = pair_free,
	.reset = pair_reset,
	.forget = pair_forget,
	.load = pair_load,
	.run = pair_run,
	.take_sent = pair_take_sent,
	.get_port = pair_get_port,
	.set_port = pair_set_port,
	.add_local = pair_add_local,
	.add_mac = pair_add_mac,
	.get_leases = pair_get_leases,
	.get_config = pair_get_config,
	.set_config = pair_set_config,
	.each_conn = pair_each_conn,
	.rule_count = pair_rule_count,
	.answer = pair_answer,
	.reason_count = pair_reason_count,
};

int tw_target_pair(struct tw_target *a, struct tw_target *b, struct tw_target **ret)
{
	struct pair *pair = tw_alloc(sizeof(*pair));

	if (pair) {
		*pair = (struct pair){
			.target = {&pair_ops, a->can_tag_outside && b->can_tag_outside},
			.a = a,
			.b = b,
			.copy = tw_alloc(TW_TARGET_FRAME_MAX)};
		if (pair->copy) {
			*ret = &pair->target;
			return 0;
		}
	}
	tw_target_free(a);
	tw_target_free(b);
	free(pair);
	return -ENOMEM;
}
