/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/judge.h"

#include <string.h>

#include "fastpath/abi/names.h"
#include "sim/frame.h"

#define EPOCH 1
/* Time of a new connection's frame. Far from zero, so that no timestamp becomes negative. */
#define TUPLE_NOW_NS (3600ull * 1000000000ull)
/* Time between two tuples, long enough that no port reaches its rate limit. */
#define TUPLE_STEP_NS 2000000000ull

int tw_judge_init(struct tw_judge *judge, const struct tw_policy *policy, size_t max_conns,
	struct tw_diags *diags)
{
	tw_auto(tw_native) struct tw_native *native = NULL;
	int code = tw_native_new(&native, max_conns);

	if (!code)
		code = tw_scene_load(native, policy, EPOCH, diags);
	if (code < 0)
		return code;
	judge->policy = policy;
	judge->tuple_ns = TUPLE_NOW_NS;
	judge->native = TW_TAKE_PTR(native);
	return 0;
}

void tw_judge_done(struct tw_judge *judge)
{
	tw_native_free(judge->native);
	judge->native = NULL;
}

/* Returns this end's own verdict. That of the whole connection would also say what the other end would do. */
static enum tw_verdict verdict_of(const struct tw_outcome *o)
{
	return o->verdict == TW_V_ALLOW && (o->spared || o->decision & TW_DECISION_OBSERVED)
		       ? TW_V_WOULD_DENY
		       : (enum tw_verdict)o->verdict;
}

static void take_end(struct tw_judged_end *end, const struct tw_native_result *run)
{
	end->asked = true;
	end->verdict = verdict_of(&run->outcome);
	end->reason = (enum tw_reason)run->outcome.reason;
	end->rule = TW_NO_RULE;
	if (run->outcome.decision)
		end->rule = tw_decision_rule(run->outcome.decision);
	end->run = *run;
}

/* True if the end where the packet leaves its sender decides: it refuses the packet, or would refuse it
 * if it were enforced, and the other end does not refuse it. */
static bool sender_decides(const struct tw_judged_end *out, const struct tw_judged_end *in)
{
	if (!out->protected)
		return false;
	if (!in->protected || !tw_verdict_passes(out->verdict))
		return true;
	return out->verdict == TW_V_WOULD_DENY && tw_verdict_passes(in->verdict);
}

static void decide(struct tw_judgement *judgement)
{
	const struct tw_judged_end *out = &judgement->end[TW_DIR_OUT];
	const struct tw_judged_end *in = &judgement->end[TW_DIR_IN];

	judgement->decider = sender_decides(out, in) ? TW_DIR_OUT : in->protected ? TW_DIR_IN : -1;
}

void tw_judge_frame(struct tw_judge *judge, const struct tw_vnic *from, const struct tw_vnic *to,
	uint64_t now_ns, struct tw_native_frame *frame, struct tw_judgement *ret)
{
	const struct tw_vnic *vnics[TW_DIR__MAX] = {[TW_DIR_OUT] = from, [TW_DIR_IN] = to};
	struct tw_scene_result result;

	if (from || to)
		tw_scene_run(judge->native, from, to, now_ns, frame, &result);
	for (int d = 0; d < TW_DIR__MAX; d++) {
		ret->end[d].protected = vnics[d] != NULL;
		ret->end[d].asked = false;
		ret->end[d].real = TW_REAL_JUDGED;
		ret->end[d].rule = TW_NO_RULE;
		if (vnics[d] && result.has_end[d])
			take_end(&ret->end[d], &result.end[d]);
	}
	decide(ret);
}

/* Replaces the policy's verdict at an end by what its port does. */
static void settle_end(struct tw_judged_end *end, enum tw_real real)
{
	end->real = real;
	end->by_policy = end->verdict;
	end->by_rule = end->rule;
	if (real == TW_REAL_JUDGED)
		return;
	end->protected = real == TW_REAL_SHUT;
	end->verdict = TW_V_DENY;
	end->reason = TW_R_NO_IMAGE;
	end->rule = TW_NO_RULE;
}

static void settle(
	const struct tw_judge *judge, const struct tw_query *tuple, struct tw_judgement *ret)
{
	for (int d = 0; judge->real && d < TW_DIR__MAX; d++)
		if (tuple->vnic[d])
			settle_end(&ret->end[d], judge->real[tuple->vnic[d]->index]);
	/* If the out end is open or not on this host, the frame reaches the in end whatever the
	 * policy says. */
	if (!ret->end[TW_DIR_OUT].protected || tw_verdict_passes(ret->end[TW_DIR_OUT].verdict))
		ret->end[TW_DIR_IN].asked = ret->end[TW_DIR_IN].protected;
	else
		ret->end[TW_DIR_IN].asked = false;
	decide(ret);
}

static void judge_by_policy(
	struct tw_judge *judge, const struct tw_query *tuple, struct tw_judgement *ret)
{
	uint8_t data[TW_JUDGE_ROOM];
	struct tw_native_frame frame = {.data = data, .max = sizeof(data)};
	const struct tw_vnic *from = tuple->vnic[TW_DIR_OUT], *to = tuple->vnic[TW_DIR_IN];
	struct tw_judgement alone;

	judge->tuple_ns += TUPLE_STEP_NS;
	frame.len = tw_frame_build(tuple, data);
	tw_judge_frame(judge, from, to, judge->tuple_ns, &frame, ret);
	if (from || to)
		tw_native_forget(judge->native);
	if (!to || ret->end[TW_DIR_IN].asked)
		return;
	frame = (struct tw_native_frame){.data = data, .max = sizeof(data)};
	frame.len = tw_frame_build(tuple, data);
	tw_judge_frame(judge, NULL, to, judge->tuple_ns, &frame, &alone);
	tw_native_forget(judge->native);
	ret->end[TW_DIR_IN] = alone.end[TW_DIR_IN];
	ret->end[TW_DIR_IN].asked = false;
}

void tw_judge_tuple(struct tw_judge *judge, const struct tw_query *tuple, struct tw_judgement *ret)
{
	judge_by_policy(judge, tuple, ret);
	if (judge->real)
		settle(judge, tuple, ret);
}

const char *tw_judge_rule(const struct tw_judge *judge, size_t rule)
{
	if (rule == TW_NO_RULE || rule > tw_policy_n_rules(judge->policy))
		return NULL;
	return tw_policy_rule(judge->policy, rule)->name;
}

const char *tw_judgement_verdict(const struct tw_judgement *judgement)
{
	return judgement->decider < 0 ? "unprotected"
				      : tw_verdict_name(judgement->end[judgement->decider].verdict);
}

const char *tw_judge_port_name(const struct tw_vnic *vnic)
{
	return vnic->port ? vnic->port : vnic->workload;
}
