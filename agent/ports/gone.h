/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gone.h: connections of ports that have gone end with them.
 *
 * Why:        a guest that is shut down closes nothing, and an established connection is kept for days.
 * How:        when its port has been gone for TW_GONE_NS, the walk of the connection table marks what
 *             names that port as expired; the programs' own sweep then ends it, with what it was charged.
 * Invariants: 1. A guest that is back by then, at whatever port, keeps its connections; so does one that
 *                its bridge knows behind another port: it has moved to another host, and its neighbours
 *                here go on talking to it.
 *             2. The id of a port is given to no other before its connections have ended.
 * Callers:    watch.c, publish.c and sweep.c, in the agent's one thread.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "fastpath/abi/types.h"

#define TW_GONE_NS 15000000000u

struct tw_host;
struct tw_agent_port;
struct tw_walk;

struct tw_gone_port {
	uint16_t id;
	uint16_t pvid;
	uint32_t bridge; /* ifindex, 0 = none, or not known */
	uint8_t mac[6];	 /* of its guest; zeros: not known */
	uint8_t n_addrs; /* the first ones of its guest */
	struct tw_addr addr[TW_PORT_ADDRS];
	char name[IFNAMSIZ];
	char workload[128]; /* empty: none */
	uint64_t since_ns;
	uint64_t n_ended;
	bool due; /* the walk at hand ends its connections */
};

struct tw_gone {
	TW_VEC(struct tw_gone_port) list;
	uint16_t n_due;
};

/* A port goes; it is still in the table of ports. */
void tw_gone_note(struct tw_host *host, const struct tw_agent_port *port);
/* The interface of an entry that an earlier agent left is not there any more. */
void tw_gone_note_entry(struct tw_host *host, const struct tw_port *entry);
void tw_gone_done(struct tw_gone *gone);

/* Around a walk of the connection table. */
void tw_gone_begin_walk(struct tw_host *host);
/* Looks at the last `n` records that were read, from rows from `row` on. */
void tw_gone_meet(struct tw_host *host, const struct tw_config *config, struct tw_walk *walk,
	uint32_t row, size_t n);
void tw_gone_end_walk(struct tw_host *host);
