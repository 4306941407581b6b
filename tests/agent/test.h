/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test.h: definitions shared by the agent's unit tests. */
#pragma once

#include <string.h>

#include "tests/unit/test.h"

#include "agent/ports/ports.h"
#include "agent/state/inforce.h"

/* One rule, in YAML flow style. */
#define RULE(name) "{name: " name ", from: any, to: any, action: allow}"

static inline struct tw_inforce *inforce_of(const char *text)
{
	struct tw_inforce *inforce = NULL;
	struct tw_diags diags = {0};

	assert_int_equal(tw_inforce_new(text, strlen(text), "test", NULL, 0, &diags, &inforce), 0);
	tw_diags_done(&diags);
	return inforce;
}

static inline struct tw_agent_port *add_port(
	struct tw_ports *ports, uint32_t ifindex, const char *name)
{
	struct tw_agent_port *port = NULL;

	assert_int_equal(tw_ports_add(ports, ifindex, name, 0, &port), 0);
	return port;
}

static inline void learn(struct tw_agent_port *port, uint8_t last)
{
	const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, last};

	memcpy(port->learned_mac, mac, sizeof(mac));
	port->learned = true;
}
