/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* applied.h: what a policy changes against the one before, by name. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "policy/policy.h"

struct tw_enforcement;
struct tw_inforce;
struct tw_plan;

struct tw_name_list {
	char **at; /* owned, as is each name */
	size_t n;
	size_t max;
};

/* A port that was filtered and is not by the new policy. */
struct tw_unprotected {
	char *port;	/* owned */
	char *workload; /* owned: whose it was; empty: not known */
};

struct tw_applied {
	TW_VEC(struct tw_unprotected) unprotected;
	struct tw_name_list open;    /* ports that no workload has, and that are not filtered */
	struct tw_name_list dangers; /* sentences: what of the change weakens protection */
	struct tw_name_list rules[TW_CHANGE_CHANGED + 1];     /* by enum tw_change */
	struct tw_name_list workloads[TW_CHANGE_CHANGED + 1]; /* by enum tw_change */
	struct tw_name_list ports;			      /* whose image or identity changes */
	bool unchanged;					      /* the policies mean the same */
	bool failed;					      /* out of memory while filling */
	uint64_t generation;
	uint64_t compile_ns;
	uint64_t publish_ns;
};

/* What `now` changes against the policy in force, of which there may be none. 0 or -ENOMEM. */
int tw_applied_fill(struct tw_applied *applied, const struct tw_enforcement *enforcement,
	const struct tw_inforce *now, const struct tw_plan *plan);
/* Fills `err` with the ports that would no longer be filtered; returns -ECANCELED. */
int tw_applied_refuse(const struct tw_applied *applied, const char *source, struct tw_err *err);
void tw_applied_done(struct tw_applied *applied);
