/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* spread.h: brings the changes of the list of quarantines to all agents.
 *
 * How:        an agent that connects is sent the whole list, in requests of at most TW_SPREAD_CHUNK
 *             changes, and then each new change. The numbers of changes make a repeated one harmless.
 * Invariants: 1. An agent's answers change nothing but what is shown about that agent.
 *             2. No agent waits for another one.
 * Bounds:     one request to an agent is under way. TW_SPREAD_NAMES workloads that differ at an agent
 *             are kept by name.
 * Callers:    slowpath/; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "slowpath/agents.h"
#include "slowpath/quarantine/ledger.h"

#define TW_SPREAD_CHUNK	   256
#define TW_SPREAD_NAMES	   16
#define TW_SPREAD_HITS	   8
#define TW_SPREAD_RETRY_NS 5000000000u

struct tw_spread;

enum tw_spread_state {
	TW_SPREAD_ACCEPTED,
	TW_SPREAD_REFUSED,
	TW_SPREAD_WAITING, /* connected, and has not answered yet */
	TW_SPREAD_AWAY,
	TW_SPREAD__MAX,
};

/* Names of workloads that differ at an agent. */
struct tw_spread_names {
	size_t n; /* all of them; the first TW_SPREAD_NAMES are in `at` */
	char at[TW_SPREAD_NAMES][TW_LEDGER_NAME_MAX];
};

/* State of the list at one agent. */
struct tw_spread_row {
	struct tw_spread_row *next;
	struct tw_spread *spread;
	const struct tw_agents_row *agent;
	uint64_t connects; /* number of the connection that the next four fields belong to */
	uint64_t acked;	   /* the agent has answered for all changes up to this one */
	bool listed;	   /* it has sent its list */
	uint64_t ended;	   /* agent->quarantines_ended when its list was asked for */
	uint64_t retry_ns; /* time to try again after a refusal; 0: it refused nothing */
	uint64_t known;	   /* newest change that it has accepted on any connection */
	/* The request under way. */
	bool sent;
	bool sent_list;
	uint64_t sent_to; /* newest change in it */
	uint64_t sent_ended;
	char error[TW_ERR_TEXT_MAX];   /* why it refused; empty: it did not */
	struct tw_spread_names lifted; /* workloads whose quarantine was ended at its host only */
	struct tw_spread_names strays; /* workloads in quarantine there that the list lacks */
	struct tw_spread_hit {
		uint64_t change;
		uint32_t ports; /* ports that are shut because of it */
	} hits[TW_SPREAD_HITS]; /* the last ones, newest first */
};

struct tw_spread_setup {
	struct tw_ledger *ledger;
	struct tw_agents *agents;
	void (*told)(void *arg); /* called when the state of an agent has changed */
	void *arg;
};

/* Returns 0 or -ENOMEM. */
int tw_spread_new(const struct tw_spread_setup *setup, struct tw_spread **ret);
/* Must be called after tw_agents_free(), which still reports about requests. NULL is fine. */
void tw_spread_free(struct tw_spread *spread);

/* Sends changes. Must be called a few times a second, and after a change. NULL is fine. */
void tw_spread_tick(struct tw_spread *spread);

/* Returns the first row of the list of all agents that have connected. */
const struct tw_spread_row *tw_spread_first(const struct tw_spread *spread);
enum tw_spread_state tw_spread_state(const struct tw_spread_row *row, uint64_t change);
const char *tw_spread_state_name(enum tw_spread_state state);
/* Returns the number of ports that an agent shut because of a recent change. */
uint32_t tw_spread_ports(const struct tw_spread_row *row, uint64_t change);
bool tw_spread_has(const struct tw_spread_names *names, const char *workload);
/* True if an agent has a quarantine of this workload that the list lacks. */
bool tw_spread_strays(const struct tw_spread *spread, const char *workload);
