/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gone.h: ends the connections of removed ports, and those on bridges that their ports have left.
 *
 * Why:        a guest that is shut down does not close its connections, and established ones are
 *             kept for days. A record on a bridge that its ports have left sees none of its
 *             connection's segments; if the ports came back, the segments would lie outside
 *             the record's window.
 * How:        once a port has been gone for TW_GONE_NS, the walk of the connection table marks its
 *             records as expired. The programs' sweep then ends them and corrects the charges.
 * Invariants: 1. A guest that is back by then, at any port, keeps its connections. So does a guest
 *                that its bridge knows behind another port: it has moved to another host, and its
 *                neighbours here still talk to it.
 *             2. A port's id is not reused before its connections have ended.
 *             3. As long as one port of a record is on the record's bridge, the record stays: it
 *                sees the segments that reach that port through other bridges of this host.
 * Callers:    watch.c, publish.c and sweep.c, in the agent's one thread.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "fastpath/abi/types.h"

#define TW_GONE_NS 15000000000u
#define TW_LEFT_NS 2000000000u /* a port that returns to its bridge within this time has not left */

struct tw_host;
struct tw_agent_port;
struct tw_walk;

struct tw_gone_port {
	uint16_t id;
	uint16_t pvid;
	uint32_t bridge; /* ifindex; 0: none or unknown */
	uint8_t mac[6];	 /* its guest's MAC; zeros: unknown */
	uint8_t n_addrs; /* number of stored addresses of its guest */
	struct tw_addr addr[TW_PORT_ADDRS];
	char name[IFNAMSIZ];
	char workload[128]; /* empty: none */
	uint64_t since_ns;
	uint64_t n_ended;
	bool due; /* the current walk ends its connections */
};

struct tw_gone {
	TW_VEC(struct tw_gone_port) list;
	uint16_t n_due;
	uint64_t left_ns;   /* when a port last left a bridge; 0: no walk is due */
	uint64_t walked_ns; /* `left_ns` at the beginning of the current walk; 0: nothing to end */
	uint16_t *networks; /* by id: network of each port during that walk; 0: no such port */
};

/* Records that a port is being removed; it is still in the table of ports. */
void tw_gone_note(struct tw_host *host, const struct tw_agent_port *port);
/* Records an entry of an earlier agent whose interface is gone. */
void tw_gone_note_entry(struct tw_host *host, const struct tw_port *entry);
/* Records that a port has left a bridge, and is in another network now. */
void tw_gone_note_left(struct tw_host *host, const struct tw_agent_port *port);
void tw_gone_done(struct tw_gone *gone);

/* Begins a walk of the connection table. */
void tw_gone_begin_walk(struct tw_host *host);
/* Handles the `n` records of the walk's last step, which started at bucket `row`. */
void tw_gone_meet(struct tw_host *host, const struct tw_config *config, struct tw_walk *walk,
	uint32_t row, size_t n);
void tw_gone_end_walk(struct tw_host *host);
