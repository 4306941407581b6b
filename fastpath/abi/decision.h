/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* decision.h: the decision of a rule, or of the default, about a connection, as in images and gates.
 *
 * Callers:    types.h includes it.
 */
#pragma once

#include <linux/types.h>

/* TW_V_WOULD_DENY is in reports only: the frame passed because its port is observed. */
enum tw_verdict {
	TW_V_NONE,
	TW_V_ALLOW,
	TW_V_DENY,
	TW_V_REJECT,
	TW_V_ASK,
	TW_V_WOULD_DENY,
	TW_V__MAX
};

#define TW_SPARED_POLICY 1 /* TW_R_POLICY */

/* Decision word of a rule about a connection: verdict, log, answered, observed, named and look bits,
 * application, and rule slot; 0 = undecided. */
#define TW_DECISION_VERDICT_SHIFT 29
#define TW_DECISION_LOG		  (1u << 28)
/* Set if the decision comes from an answer that outlives the policy epoch (path/ask.h). */
#define TW_DECISION_ANSWERED (1u << 27)
/* Set if the verdict is allow only because the port is observed. At an enforced port, the rule would
 * not let the connection pass. */
#define TW_DECISION_OBSERVED (1u << 26)
/* Set if the rule's `to` names its multicast addresses: none is there as a part of a larger range,
 * such as `any`. Only in decisions of the out end. */
#define TW_DECISION_NAMED (1u << 25)
/* Set while payloads are looked at for the connection's application (path/app/look.h). */
#define TW_DECISION_LOOK      (1u << 24)
#define TW_DECISION_APP_SHIFT 18
#define TW_DECISION_APP_BEGUN 63u /* in the application's place: payloads were looked at */
#define TW_DECISION_APP	      (63u << TW_DECISION_APP_SHIFT)
#define TW_DECISION_RULE_MASK ((1u << TW_DECISION_APP_SHIFT) - 1)

static inline __u32 tw_decision(enum tw_verdict verdict, int log, __u32 rule)
{
	return (__u32)verdict << TW_DECISION_VERDICT_SHIFT | (log ? TW_DECISION_LOG : 0) |
	       (rule & TW_DECISION_RULE_MASK);
}

static inline enum tw_verdict tw_decision_verdict(__u32 decision)
{
	return (enum tw_verdict)(decision >> TW_DECISION_VERDICT_SHIFT);
}

/* Returns the decision of a port in observe mode: a rule that does not allow is noted, not
 * enforced. */
static inline __u32 tw_decision_observed(__u32 decision)
{
	enum tw_verdict verdict = tw_decision_verdict(decision);

	if (verdict == TW_V_NONE || verdict == TW_V_ALLOW)
		return decision;
	return (decision & ((1u << TW_DECISION_VERDICT_SHIFT) - 1)) |
	       (__u32)TW_V_ALLOW << TW_DECISION_VERDICT_SHIFT | TW_DECISION_OBSERVED;
}

/* Returns the verdict to report: TW_V_WOULD_DENY if only observe mode lets the connection pass. */
static inline enum tw_verdict tw_decision_report(__u32 decision)
{
	return decision & TW_DECISION_OBSERVED ? TW_V_WOULD_DENY : tw_decision_verdict(decision);
}

/* Returns TW_SPARED_POLICY if a gate's decision has TW_DECISION_OBSERVED, but its previous decision,
 * `was`, had not; else 0. Has no branch. */
static inline __u8 tw_decision_spares(__u32 decision, __u32 was)
{
	return (__u8)((decision & ~was) / TW_DECISION_OBSERVED % 2 * TW_SPARED_POLICY);
}

static inline __u32 tw_decision_rule(__u32 decision)
{
	return decision & TW_DECISION_RULE_MASK;
}

/* Returns the application (enum tw_app of path/app/app.h), or 0 as long as there is none. */
static inline __u32 tw_decision_app(__u32 decision)
{
	__u32 app = (decision & TW_DECISION_APP) >> TW_DECISION_APP_SHIFT;

	return app == TW_DECISION_APP_BEGUN ? 0 : app;
}

/* True if a decision allows the connection, and no payload is looked at. */
static inline int tw_decision_is_settled(__u32 decision)
{
	const __u32 verdict = ~0u << TW_DECISION_VERDICT_SHIFT;

	return (decision & (verdict | TW_DECISION_LOOK)) == (__u32)TW_V_ALLOW
								    << TW_DECISION_VERDICT_SHIFT;
}

/* Returns a new decision about a connection, with what `known`, its decisions so far, says of its
 * application. Looking goes on only if both ask for it. Has no branch. */
static inline __u32 tw_decision_carry(__u32 decision, __u32 known)
{
	return (decision & (known | ~TW_DECISION_LOOK)) | (known & TW_DECISION_APP);
}

/* A gate: a decision and the policy epoch in which it was made. It is read and written as one word,
 * so that no CPU sees half of it. If that is not the present epoch, the next packet decides the
 * gate again. */
static inline __u64 tw_gate(__u32 epoch, __u32 decision)
{
	return (__u64)epoch << 32 | decision;
}

static inline __u32 tw_gate_epoch(__u64 gate)
{
	return (__u32)(gate >> 32);
}

static inline __u32 tw_gate_decision(__u64 gate)
{
	return (__u32)gate;
}
