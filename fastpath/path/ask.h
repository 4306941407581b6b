/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask.h: asks a decider about a connection whose rule has `action: ask`.
 *
 * How:        the first packet of such a connection makes an entry in `answers`, and sends a
 *             question with a copy of itself to the agent. The packet ends here. The agent writes
 *             the answer into the entry and sends the copy again. The copy is judged in full and
 *             finds the answer, as does each later packet until a gate holds the decision.
 * In:         a decision TW_V_ASK of the classifier, in scratch, with the connection's tuple.
 * Out:        the decision that replaces it, and the reason; or the packet waits.
 * Invariants: 1. A gate that asks is never open: the next packet asks again.
 *             2. One question for each entry: the CPU that makes the entry asks.
 *             3. An answer counts only at the port and for the rule that asked.
 *             4. Without an answer in config.ask_timeout, or without a decider, config.ask_verdict
 *                decides, whether an agent runs or not.
 *             5. The port that sent the packet pays, if it is on this host. So a flood of questions
 *                uses up only its sender's quota.
 * Bounds:     two lookups in `answers`; for a question, one in `askers` and one update; no loops.
 */
#pragma once

#include "fastpath/path/limit.h"
#include "fastpath/path/packet.h"

/* True if `was`, an old gate's decision, still counts: an answer allowed the connection, and the
 * new decision is of the same rule. */
tw_inline int tw_ask_keeps(__u32 was, __u32 decision)
{
	return was & TW_DECISION_ANSWERED && tw_decision_verdict(was) == TW_V_ALLOW &&
	       tw_decision_rule(was) == tw_decision_rule(decision);
}

/* Replaces the verdict of a decision that asks. */
tw_inline __u32 tw_ask_decided(__u32 decision, enum tw_verdict verdict, __u32 answered)
{
	return tw_decision(verdict, decision & TW_DECISION_LOG, tw_decision_rule(decision)) |
	       (decision & TW_DECISION_NAMED) | answered;
}

tw_inline void tw_ask_key_make(
	struct tw_ask_key *key, const struct tw_flow *flow, __u32 port_id, __u32 decision)
{
	int icmp = flow->first.proto == TW_IPPROTO_ICMP || flow->first.proto == TW_IPPROTO_ICMPV6;

	key->src = flow->first.src;
	key->dst = flow->first.dst;
	key->sport = flow->first.sport;
	key->dport = icmp ? tw_be16(flow->icmp) : flow->first.dport;
	key->network = flow->key.network;
	key->owner = flow->key.owner;
	key->tags = flow->key.w[TW_KEY_WORDS - 1];
	key->rule = tw_decision_rule(decision);
	key->port_id = (__u16)port_id;
	key->end = flow->end & 1;
	key->scope = TW_ASK_CONNECTION;
	key->pad = 0;
}

/* Returns the verdict of an entry: allow or deny while the answer is in force, TW_V_ASK for a question that
 * is younger than two timeouts, else TW_V_NONE. */
tw_inline enum tw_verdict tw_ask_state(
	const struct tw_answer *a, const struct tw_config *config, __u32 epoch, __u32 now)
{
	__u64 word = TW_MEMORY(a->word);
	enum tw_verdict verdict = tw_answer_verdict(word);

	if (verdict == TW_V_ASK)
		return tw_tick_after(now, tw_answer_tick(word) + 2 * config->ask_timeout)
			       ? TW_V_NONE
			       : TW_V_ASK;
	if (tw_tick_after(now, a->until) || (a->epoch && a->epoch != epoch))
		return TW_V_NONE;
	return verdict;
}

/* Applies options.ask.on-timeout. */
tw_inline enum tw_reason tw_ask_default(
	const struct tw_config *config, struct tw_flow *flow, enum tw_reason reason)
{
	if (config->ask_verdict != TW_V_ALLOW)
		return reason;
	flow->decision = tw_ask_decided(flow->decision, TW_V_ALLOW, 0);
	flow->asked = (__u8)reason;
	return TW_R_NONE;
}

/* Applies an answer in force. If an allowing answer is limited to this policy, the decision is not
 * marked as answered, so that the next policy asks again. */
tw_inline enum tw_reason tw_ask_answered(
	struct tw_flow *flow, enum tw_verdict verdict, const struct tw_answer *a)
{
	flow->decision = tw_ask_decided(flow->decision, verdict,
		a->epoch && verdict == TW_V_ALLOW ? 0 : TW_DECISION_ANSWERED);
	flow->asked = verdict == TW_V_ALLOW ? TW_R_ASK_ALLOWED : TW_R_ASK_DENIED;
	return TW_R_NONE;
}

/* Returns the id of the port that pays for a question: the sender's, if the frame entered the host there. */
tw_inline __u32 tw_ask_payer(const struct tw_frame *f, __u32 port_id, __u32 epoch)
{
	const struct tw_port *sender = f->origin == f->ifindex ? 0
							       : tw_port_at(f, f->origin, epoch);

	return sender ? sender->id : port_id;
}

/* Makes an entry for the key in scratch, or takes over its void entry. Returns TW_R_NONE if this CPU
 * did so and must ask. */
tw_inline enum tw_reason tw_ask_begin(const struct tw_frame *f, const struct tw_config *config,
	struct tw_asker *asker, struct tw_answer *void_entry, struct tw_scratch *scratch,
	__u64 word)
{
	__u64 old;

	if (void_entry) {
		old = TW_MEMORY(void_entry->word);
		return __sync_val_compare_and_swap(&void_entry->word, old, word) == old
			       ? TW_R_NONE
			       : TW_R_ASK_PENDING;
	}
	if (asker->entries >= config->ask_quota)
		return TW_R_ASK_LIMIT;
	scratch->answer.word = word;
	scratch->answer.until = 0;
	scratch->answer.epoch = 0;
	if (!tw_answers_update(f, &scratch->question.key, &scratch->answer, TW_MAP_NOEXIST)) {
		__sync_fetch_and_add(&asker->entries, 1);
		return TW_R_NONE;
	}
	return tw_answers_lookup(f, &scratch->question.key) ? TW_R_ASK_PENDING : TW_R_ASK_LIMIT;
}

/* Fills the question in scratch, whose key is there. */
tw_inline void tw_ask_fill(
	const struct tw_frame *f, struct tw_scratch *scratch, __u32 payer, __u32 now)
{
	const struct tw_flow *flow = &scratch->flow;
	struct tw_asked *q = &scratch->question;

	q->time_ns = f->now_ns;
	q->since = now;
	q->decision = flow->decision;
	q->ifindex = f->ifindex;
	q->origin = f->origin;
	q->mark = f->mark;
	q->len = f->len;
	q->cap_len = f->gso_size || f->len > TW_ASK_FRAME_MAX ? 0 : f->len;
	q->vlan_tci = 0;
	q->vlan_type = 0;
	q->csum_start = 0;
	q->csum_offset = 0;
	if (tw_frame_summed(f) == TW_SUMMED_PARTIAL) {
		q->csum_start = tw_frame_csum_start(f);
		q->csum_offset = (__u16)tw_frame_csum_offset(f);
	}
	q->payer_id = (__u16)payer;
	q->dir = (flow->end & 1) == (flow->way & 1) ? TW_DIR_OUT : TW_DIR_IN;
}

/* Asks the question whose key is in scratch. Returns the reason why the packet ends. */
tw_inline enum tw_reason tw_ask_question(const struct tw_frame *f, const struct tw_config *config,
	__u32 epoch, struct tw_answer *void_entry, struct tw_scratch *scratch)
{
	__u32 payer = tw_ask_payer(f, scratch->question.key.port_id, epoch),
	      now = tw_tick(f->now_ns);
	struct tw_asker *asker = tw_askers_lookup(f, &payer);
	struct tw_answer *entry;
	enum tw_reason reason;

	if (!asker || !config->ask_rate ||
		!tw_meter_take(&asker->due_ns, config->ask_rate, f->now_ns, 1))
		return TW_R_ASK_LIMIT;
	reason = tw_ask_begin(
		f, config, asker, void_entry, scratch, tw_answer_word(TW_V_ASK, payer, now));
	if (reason)
		return reason;
	tw_ask_fill(f, scratch, payer, now);
	if (!tw_frame_ask(f, &scratch->question))
		return scratch->question.cap_len ? TW_R_ASK_PENDING : TW_R_ASK_UNHOLDABLE;
	/* The ring buffer is full: the next packet asks again. */
	entry = tw_answers_lookup(f, &scratch->question.key);
	if (entry)
		entry->word = tw_answer_word(TW_V_NONE, payer, now);
	return TW_R_ASK_LIMIT;
}

/* Waits for an open question. The first packet after the timeout voids the entry, so that the next
 * packet asks again. */
tw_inline enum tw_reason tw_ask_wait(
	const struct tw_config *config, struct tw_flow *flow, struct tw_answer *entry, __u32 now)
{
	__u64 word = TW_MEMORY(entry->word);
	__u64 ended = tw_answer_word(TW_V_NONE, tw_answer_payer(word), now);

	if (!tw_tick_after(now, tw_answer_tick(word) + config->ask_timeout) ||
		__sync_val_compare_and_swap(&entry->word, word, ended) != word)
		return TW_R_ASK_PENDING;
	return tw_ask_default(config, flow, TW_R_ASK_TIMEOUT);
}

/* Handles a packet without an answer in force: waits for an open question, asks a new one, or
 * applies the default. */
tw_inline enum tw_reason tw_ask_open(const struct tw_frame *f, const struct tw_config *config,
	__u32 epoch, struct tw_answer *entry, struct tw_scratch *scratch)
{
	__u32 now = tw_tick(f->now_ns);

	if (entry && tw_ask_state(entry, config, epoch, now) == TW_V_ASK)
		return tw_ask_wait(config, &scratch->flow, entry, now);
	if (!config->ask_until || tw_tick_after(now, config->ask_until))
		return tw_ask_default(config, &scratch->flow, TW_R_ASK_UNAVAILABLE);
	/* An ICMP error about the connection is no reason to ask about it. */
	if (scratch->flow.related)
		return TW_R_ASK_PENDING;
	return tw_ask_question(f, config, epoch, entry, scratch);
}

/* True if a rule that asks gave this reason. It implies no verdict: that is in the outcome. */
tw_inline int tw_ask_reason(enum tw_reason reason)
{
	return (__u32)reason - TW_R_ASK_PENDING <= TW_R_ASK_LIMIT - TW_R_ASK_PENDING ||
	       reason == TW_R_ASK_UNAVAILABLE;
}

/* Replaces the decision in scratch, which asks. `was`: the decision of the gate at this end in an earlier
 * epoch; 0: none. */
tw_inline enum tw_reason tw_ask_decide(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, __u32 epoch, __u32 was, struct tw_scratch *scratch)
{
	struct tw_ask_key *key = &scratch->question.key;
	struct tw_flow *flow = &scratch->flow;
	__u32 now = tw_tick(f->now_ns);
	struct tw_answer *entry, *pair;
	enum tw_verdict verdict;
	__be16 sport;

	if (tw_ask_keeps(was, flow->decision)) {
		flow->decision = tw_ask_decided(flow->decision, TW_V_ALLOW, TW_DECISION_ANSWERED);
		flow->asked = TW_R_ASK_ALLOWED;
		return TW_R_NONE;
	}
	tw_ask_key_make(key, flow, port_id, flow->decision);
	entry = tw_answers_lookup(f, key);
	verdict = entry ? tw_ask_state(entry, config, epoch, now) : TW_V_NONE;
	if (verdict == TW_V_ALLOW || verdict == TW_V_DENY)
		return tw_ask_answered(flow, verdict, entry);
	sport = key->sport;
	key->sport = 0;
	key->scope = TW_ASK_PAIR;
	pair = tw_answers_lookup(f, key);
	verdict = pair ? tw_ask_state(pair, config, epoch, now) : TW_V_NONE;
	if (verdict == TW_V_ALLOW || verdict == TW_V_DENY)
		return tw_ask_answered(flow, verdict, pair);
	key->sport = sport;
	key->scope = TW_ASK_CONNECTION;
	return tw_ask_open(f, config, epoch, entry, scratch);
}

/* Body of tw_call_ask(). True if the packet ends here, because it waits for the answer or cannot
 * wait. Otherwise the decision in scratch is replaced or still asks; one that still asks refuses
 * the packet, and a later packet asks again. flow->asked is the reason in each case. A packet that
 * waits is not counted as a hit of the rule and not reported, but its copy is. */
tw_inline int tw_ask(const struct tw_frame *f, const struct tw_config *config, __u32 port_id,
	__u32 epoch, __u32 was, struct tw_scratch *scratch)
{
	enum tw_reason reason = tw_ask_decide(f, config, port_id, epoch, was, scratch);

	if (!reason)
		return 0;
	scratch->flow.asked = (__u8)reason;
	if (reason == TW_R_ASK_PENDING)
		scratch->outcome.queued = 1;
	else
		scratch->outcome.decision = scratch->flow.decision;
	return reason == TW_R_ASK_PENDING || reason == TW_R_ASK_UNHOLDABLE;
}
