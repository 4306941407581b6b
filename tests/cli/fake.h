/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fake.h: the answers of an agent that always says the same (fake_agent.c).
 *
 * Callers:    fake_agent.c; fake_lists.c and fake_traffic.c make the answers.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "link/link.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define HOUR	    3600.0

/* A client that waits for its answer. */
struct tw_fake {
	int fd;
	uint64_t id;				    /* of the request */
	bool empty;				    /* an agent that has just started */
	const Tapwall__V1__HistoryRequest *history; /* NULL: another request */
};

/* Sends a response, or exits. `last`: nothing follows. */
void tw_fake_send(struct tw_fake *teller, Tapwall__V1__Response *response, bool last);
void tw_fake_send_last(struct tw_fake *teller);

/* Each sends the whole answer to one kind of request. */
void tw_fake_version(struct tw_fake *teller);
void tw_fake_status(struct tw_fake *teller);
void tw_fake_applied(struct tw_fake *teller);
void tw_fake_policy(struct tw_fake *teller);
void tw_fake_ports(struct tw_fake *teller);
void tw_fake_workloads(struct tw_fake *teller);
void tw_fake_groups(struct tw_fake *teller);
void tw_fake_agents(struct tw_fake *teller);
void tw_fake_flows(struct tw_fake *teller);
void tw_fake_rules(struct tw_fake *teller);
void tw_fake_counters(struct tw_fake *teller);
void tw_fake_events(struct tw_fake *teller);
void tw_fake_capture(struct tw_fake *teller);
void tw_fake_top(struct tw_fake *teller);
void tw_fake_history(struct tw_fake *teller);
