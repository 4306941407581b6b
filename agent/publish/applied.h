/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* applied.h: lists the changes between a policy and the previous one, by name. */
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
	char **at; /* owned, like each name */
	size_t n;
	size_t max;
};

/* A port that is filtered now and would not be under the new policy. */
struct tw_unprotected {
	char *port;	/* owned */
	char *workload; /* owned: its previous workload; empty: unknown */
};

struct tw_applied {
	TW_VEC(struct tw_unprotected) unprotected;
	struct tw_name_list open;    /* ports without a workload that are not filtered */
	struct tw_name_list dangers; /* sentences on changes that weaken protection */
	struct tw_name_list rules[TW_CHANGE_CHANGED + 1];     /* indexed by enum tw_change */
	struct tw_name_list workloads[TW_CHANGE_CHANGED + 1]; /* indexed by enum tw_change */
	struct tw_name_list ports; /* ports whose image or identity changes */
	bool unchanged;		   /* the policies mean the same */
	bool failed;		   /* out of memory while filling */
	uint64_t generation;
	uint64_t compile_ns;
	uint64_t publish_ns;
};

/* Lists the changes from a policy, which may be NULL, to `now`, but not the changes of ports. Any thread may call it.
 * Returns 0 or -ENOMEM. */
int tw_applied_compare(
	struct tw_applied *applied, const struct tw_inforce *old, const struct tw_inforce *now);
/* Lists the ports that a plan changes. Returns 0 or -ENOMEM. */
int tw_applied_list_ports(struct tw_applied *applied, const struct tw_enforcement *enforcement,
	const struct tw_plan *plan);
/* Fills `err` with the ports that would no longer be filtered. Returns -ECANCELED. */
int tw_applied_refuse(const struct tw_applied *applied, const char *source, struct tw_err *err);
void tw_applied_done(struct tw_applied *applied);
