/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* explain.h: one explained connection, and the two ways to tell of it. */
#pragma once

#include "link/link.h"
#include "sim/judge.h"

/* How many live connections are told of; the rest is only counted. */
#define TW_EXPLAIN_FLOWS_MAX 16

/* What the agent says of the port at an end. */
struct tw_explained_port {
	char name[64]; /* empty: it is not on this host */
	char state[32];
	char why[256];	    /* why it is shut or open, as far as the agent knows; else empty */
	double proof_age_s; /* since its programs were last seen at it; negative: never */
	bool bound;	    /* its workload is the vNIC's; else it only has the name */
};

struct tw_explained {
	const struct tw_judge *judge;
	const char *file; /* of the policy, for places of rules */
	struct tw_tuple tuple;
	struct tw_judgement judgement;
	bool live; /* the policy in force was asked, and the rest is known */
	const struct tw_explained_port *ports; /* by vNIC; NULL: not live */
	size_t n_flows;
	Tapwall__V1__Response *flows[TW_EXPLAIN_FLOWS_MAX]; /* the first of them */
};

void tw_explain_text(const struct tw_explained *explained);
int tw_explain_json(const struct tw_explained *explained); /* an exit code */
