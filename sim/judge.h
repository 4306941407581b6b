/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* judge.h: what the policy says of a connection, at both its ends.
 *
 * What:       a policy set up on a native fast path of its own; frames are judged by the code that
 *             judges them in the kernel.
 * Invariants: the deciding end is the one that refused, the out end before the in end; of what is
 *             allowed the in end if it is protected, else the out end.
 * Callers:    explain, explain --batch, replay; tests. One thread per judge.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "policy/policy.h"
#include "sim/scene.h"
#include "sim/tuple.h"

/* Room for a refusal, which may be longer than the frame it answers: an ICMPv6 error is at most
 * the minimum MTU, RFC 4443 §2.4(c). */
#define TW_JUDGE_ROOM 2048

/* How things stand at the port that a vNIC of the policy is to have. */
enum tw_real {
	TW_REAL_JUDGED, /* the policy judges there */
	TW_REAL_OPEN,	/* NOT FILTERED */
	TW_REAL_SHUT,	/* nothing passes, whatever the policy says */
	TW_REAL_ABSENT, /* it is not on this host */
};

struct tw_judge {
	const struct tw_policy *policy;
	const enum tw_real *real; /* by vNIC; NULL: each is judged, as on paper */
	struct tw_native *native;
	uint64_t tuple_ns; /* the clock of tw_judge_tuple() */
};

/* One end's answer. */
struct tw_judged_end {
	bool protected; /* the frame is judged here; else only `real` and `by_policy` hold, if any */
	bool asked;	/* the frame came here; else the end was judged by itself */
	enum tw_real real;
	/* What the policy says, whether or not it judges here. */
	enum tw_verdict by_policy;
	size_t by_rule;
	enum tw_verdict verdict;
	enum tw_reason reason;
	size_t rule; /* number in the policy, TW_NO_RULE when no rule was asked */
	struct tw_native_result run;
};

#define TW_NO_RULE SIZE_MAX

struct tw_judgement {
	struct tw_judged_end end[TW_DIR__MAX];
	int decider; /* enum tw_dir, or -1: nothing judges at either end */
};

/* Sets the policy up, which must outlive the judge. `max_conns` is how many connections can live
 * at once. 0; -ENOMEM; or another negative errno, with the reason in `diags`. */
int tw_judge_init(struct tw_judge *judge, const struct tw_policy *policy, size_t max_conns,
	struct tw_diags *diags);
void tw_judge_done(struct tw_judge *judge);

/* Judges the first frame of a connection that nobody has seen before, at each end by itself and at
 * both together; forgets it afterwards. */
void tw_judge_tuple(struct tw_judge *judge, const struct tw_tuple *tuple, struct tw_judgement *ret);

/* Judges one frame of traffic at the ends that are here (NULL: unprotected), in the state that
 * earlier frames left. An in end that the frame never reached is `protected`, not `asked`. */
void tw_judge_frame(struct tw_judge *judge, const struct tw_vnic *from, const struct tw_vnic *to,
	uint64_t now_ns, struct tw_native_frame *frame, struct tw_judgement *ret);

/* Name of a rule number, NULL for TW_NO_RULE. */
const char *tw_judge_rule(const struct tw_judge *judge, size_t rule);

/* "allow", "deny", "reject", or "unprotected". */
const char *tw_judgement_verdict(const struct tw_judgement *judgement);

/* What a vNIC's port is called: its interface, or the workload's name when the port is found by
 * MAC. */
const char *tw_vnic_port_name(const struct tw_vnic *vnic);
