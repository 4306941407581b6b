/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* judge.h: the policy's verdict on a connection, at both ends.
 *
 * What:       sets a policy up on a native fast path of its own, so that the kernel's code judges
 *             the frames.
 * Invariants: the deciding end is the one that refused, the out end first. If both allow, it is the
 *             in end if that is protected, otherwise the out end.
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

/* Buffer for a refusal, which may be longer than the frame it answers: an ICMPv6 error is at
 * most the minimum MTU (RFC 4443 §2.4(c)). */
#define TW_JUDGE_ROOM 2048

/* State of a vNIC's port on this host. */
enum tw_real {
	TW_REAL_JUDGED, /* the policy judges at the port */
	TW_REAL_OPEN,	/* NOT FILTERED */
	TW_REAL_SHUT,	/* nothing passes, whatever the policy says */
	TW_REAL_ABSENT, /* the port is not on this host */
};

struct tw_judge {
	const struct tw_policy *policy;
	const enum tw_real *real; /* indexed by vNIC; NULL: the policy judges at every vNIC */
	struct tw_native *native;
	uint64_t tuple_ns; /* clock of tw_judge_tuple() */
};

/* One end's answer. */
struct tw_judged_end {
	bool protected; /* the frame is judged here; otherwise only `real` and `by_policy` may be set */
	bool asked;	/* the frame reached this end; otherwise the end was judged by itself */
	enum tw_real real;
	/* Verdict and rule of the policy alone, even if it does not judge here. */
	enum tw_verdict by_policy;
	size_t by_rule;
	enum tw_verdict verdict;
	enum tw_reason reason;
	size_t rule; /* number in the policy; TW_NO_RULE if no rule was looked up */
	struct tw_native_result run;
};

#define TW_NO_RULE SIZE_MAX

struct tw_judgement {
	struct tw_judged_end end[TW_DIR__MAX];
	int decider; /* enum tw_dir, or -1: nothing judges at either end */
};

/* Sets up the policy, which must outlive the judge. At most `max_conns` connections live at
 * once. Returns 0, -ENOMEM, or another negative errno with `diags` filled. */
int tw_judge_init(struct tw_judge *judge, const struct tw_policy *policy, size_t max_conns,
	struct tw_diags *diags);
void tw_judge_done(struct tw_judge *judge);

/* Judges the first frame of a new connection, at each end by itself and at both together. Then
 * forgets the connection. */
void tw_judge_tuple(struct tw_judge *judge, const struct tw_query *tuple, struct tw_judgement *ret);

/* Judges one frame of traffic at the ends that are here (NULL: unprotected), in the state that
 * earlier frames left. If the frame never reached the in end, that end is `protected` but not
 * `asked`. */
void tw_judge_frame(struct tw_judge *judge, const struct tw_vnic *from, const struct tw_vnic *to,
	uint64_t now_ns, struct tw_native_frame *frame, struct tw_judgement *ret);

/* Returns the name of a rule, or NULL for TW_NO_RULE. */
const char *tw_judge_rule(const struct tw_judge *judge, size_t rule);

/* Returns "allow", "deny", "reject" or "unprotected". */
const char *tw_judgement_verdict(const struct tw_judgement *judgement);

/* Returns the name of a vNIC's port: its interface, or the workload's name if the policy names
 * only a MAC. */
const char *tw_judge_port_name(const struct tw_vnic *vnic);
