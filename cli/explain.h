/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* explain.h: one explained connection, and how it is printed as text and JSON. */
#pragma once

#include "link/link.h"
#include "sim/judge.h"

/* Number of live connections shown; the rest are only counted. */
#define TW_EXPLAIN_FLOWS_MAX 16

/* The port of an end, as the agent reports it. */
struct tw_explained_port {
	char name[64]; /* empty: not on this host */
	char state[32];
	char why[256];	    /* why it is shut or open; empty if the agent does not know */
	double proof_age_s; /* time since its programs were last found in place; negative: never */
	bool bound; /* true if bound to the vNIC's workload; otherwise only the name matches */
};

struct tw_explained {
	const struct tw_judge *judge;
	const char *file; /* name of the policy file, to print where rules are */
	struct tw_query tuple;
	struct tw_judgement judgement;
	bool live;			       /* true with --live: the fields below are set */
	const struct tw_explained_port *ports; /* indexed by vNIC; NULL without --live */
	size_t n_flows;
	Tapwall__V1__Response *flows[TW_EXPLAIN_FLOWS_MAX]; /* the first of n_flows */
};

void tw_explain_text(const struct tw_explained *explained);
int tw_explain_json(const struct tw_explained *explained); /* returns an exit code */
