/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>

#include "base/alloc.h"
#include "fastpath/native/table.h"
#include "sim/scene.h"
#include "tests/run/target.h"

#define MAX_CONNS 65536

struct native {
	struct tw_target target;
	struct tw_native *native;
	bool full_path;
};

static struct tw_native *native_of(struct tw_target *target)
{
	return ((struct native *)target)->native;
}

static void native_free(struct tw_target *target)
{
	tw_native_free(native_of(target));
	free(target);
}

static int native_reset(struct tw_target *target, uint32_t max_conns, struct tw_err *err)
{
	struct native *native = (struct native *)target;
	struct tw_native *fresh = NULL;
	int failed = tw_native_new(&fresh, max_conns ? max_conns : MAX_CONNS);

	if (failed)
		return tw_err_set(err, failed, NULL, NULL, "no memory for a native fast path");
	tw_native_free(native->native);
	native->native = fresh;
	if (native->full_path)
		tw_native_take_full_path(fresh);
	tw_target_settings(tw_native_config(fresh));
	return 0;
}

static void native_forget(struct tw_target *target)
{
	tw_native_forget(native_of(target));
}

static int native_load(struct tw_target *target, const struct tw_policy *policy, uint32_t epoch,
	struct tw_err *err)
{
	struct tw_native *native = native_of(target);
	struct tw_diags diags = {0};
	int failed;

	for (uint32_t i = 0; i < TW_TARGET_PORTS_MAX; i++)
		tw_native_remove_port(native, tw_scene_ifindex(i), epoch);
	failed = tw_scene_load(native, policy, epoch, &diags);
	if (failed)
		tw_err_set(err, failed, NULL, NULL, "cannot load the policy: %s",
			diags.n ? diags.at[0].text : "no memory");
	tw_diags_done(&diags);
	return failed;
}

static int native_run(struct tw_target *target, uint32_t ifindex, enum tw_dir dir, uint64_t now_ns,
	struct tw_native_frame *frame, struct tw_native_result *ret, struct tw_err *err)
{
	tw_native_run(native_of(target), ifindex, dir, now_ns, frame, ret);
	return 0;
}

static bool native_take_sent(
	struct tw_target *target, uint32_t port_id, uint32_t n, struct tw_fragq *ret)
{
	struct tw_fragq *queued = tw_native_fragq(native_of(target), port_id, n);

	if (!queued || queued->state != TW_FRAGQ_SENT)
		return false;
	*ret = *queued;
	queued->state = TW_FRAGQ_FREE;
	return true;
}

static int native_get_port(
	struct tw_target *target, uint32_t ifindex, uint32_t epoch, struct tw_port *ret)
{
	const struct tw_port *port = tw_native_port(native_of(target), ifindex, epoch);

	if (!port)
		return -ENOSPC;
	*ret = *port;
	return 0;
}

static int native_set_port(
	struct tw_target *target, uint32_t ifindex, uint32_t epoch, const struct tw_port *port)
{
	struct tw_port *entry;

	if (!port) {
		tw_native_remove_port(native_of(target), ifindex, epoch);
		return 0;
	}
	entry = tw_native_port(native_of(target), ifindex, epoch);
	if (!entry)
		return -ENOSPC;
	*entry = *port;
	return 0;
}

static int native_get_leases(struct tw_target *target, uint32_t id, struct tw_leases *ret)
{
	const struct tw_leases *leases = tw_native_leases(native_of(target), id);

	if (!leases)
		return -ENOMEM;
	*ret = *leases;
	return 0;
}

static int native_add_local(
	struct tw_target *target, const struct tw_local_key *key, const struct tw_local *local)
{
	return tw_native_add_local(native_of(target), key, local);
}

static int native_add_mac(struct tw_target *target, const uint8_t mac[6])
{
	return tw_native_add_mac(native_of(target), mac, TW_MAC_FOUND);
}

static int native_get_config(struct tw_target *target, struct tw_config *ret)
{
	*ret = *tw_native_config(native_of(target));
	return 0;
}

static int native_set_config(struct tw_target *target, const struct tw_config *config)
{
	*tw_native_config(native_of(target)) = *config;
	return 0;
}

static int native_each_conn(struct tw_target *target, tw_conn_fn *each, void *arg)
{
	tw_native_each_conn(native_of(target), each, arg);
	return 0;
}

static int native_rule_count(struct tw_target *target, uint32_t slot, struct tw_rule_count *ret)
{
	*ret = *tw_native_rule_count(native_of(target), slot);
	return 0;
}

static uint64_t native_reason_count(
	struct tw_target *target, enum tw_reason reason, enum tw_dir dir)
{
	return tw_native_reason_count(native_of(target), reason, dir);
}

#define QUESTIONS_MAX 64 /* in a case */

struct questions {
	struct tw_ask_key keys[QUESTIONS_MAX];
	struct tw_answer entries[QUESTIONS_MAX];
	size_t n;
};

static void list_question(void *arg, const void *key, void *value)
{
	struct questions *questions = arg;

	if (questions->n == QUESTIONS_MAX)
		return;
	questions->keys[questions->n] = *(const struct tw_ask_key *)key;
	questions->entries[questions->n++] = *(const struct tw_answer *)value;
}

static int native_answer(struct tw_target *target, uint32_t rule, enum tw_verdict verdict,
	enum tw_ask_scope scope, const struct tw_answer *limits)
{
	struct tw_table *answers = tw_native_answers(native_of(target));
	struct questions questions = {.n = 0};
	struct tw_answer answer;
	int n = 0;

	tw_table_each(answers, list_question, &questions);
	for (size_t i = 0; i < questions.n; i++) {
		struct tw_ask_key about = questions.keys[i];

		if (!tw_target_answers(
			    &about, &questions.entries[i], rule, verdict, scope, limits, &answer))
			continue;
		tw_table_delete(answers, &questions.keys[i]);
		if (tw_table_update(answers, &about, &answer, 0))
			return -ENOMEM;
		n++;
	}
	return n;
}

static const struct tw_target_ops native_ops = {
	.name = "native",
	.free = native_free,
	.reset = native_reset,
	.forget = native_forget,
	.load = native_load,
	.run = native_run,
	.take_sent = native_take_sent,
	.get_port = native_get_port,
	.set_port = native_set_port,
	.add_local = native_add_local,
	.add_mac = native_add_mac,
	.get_leases = native_get_leases,
	.get_config = native_get_config,
	.set_config = native_set_config,
	.each_conn = native_each_conn,
	.rule_count = native_rule_count,
	.answer = native_answer,
	.reason_count = native_reason_count,
};

static int target_new(bool full_path, struct tw_target **ret, struct tw_err *err)
{
	struct native *native = tw_alloc(sizeof(*native));
	int failed;

	if (!native)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "no memory");
	native->target.ops = &native_ops;
	native->full_path = full_path;
	native->target.can_tag_outside = true;
	failed = native_reset(&native->target, 0, err);
	if (failed) {
		free(native);
		return failed;
	}
	*ret = &native->target;
	return 0;
}

int tw_target_native(struct tw_target **ret, struct tw_err *err)
{
	return target_new(false, ret, err);
}

int tw_target_full_path(struct tw_target **ret, struct tw_err *err)
{
	return target_new(true, ret, err);
}
