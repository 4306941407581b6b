/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/prove.h"

#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/log.h"

#define SWEEP_TICKS 20 /* at four a second */

static void lose(struct tw_agent *agent, struct tw_agent_port *port)
{
	tw_log(TW_LOG_ERR, "%s: another tool removed the programs; %s and attached again",
		port->name, tw_watch_covers(agent, port) ? "shut" : "open until now");
	if (agent->latch)
		tw_latch_shut(agent->latch, &port->ifindex, 1);
	port->n_lost++;
	agent->n_lost++;
	port->attached = port->let = false;
}

static void tell_before(struct tw_agent_port *port, uint32_t before)
{
	if (before && before != port->before)
		tw_log(TW_LOG_WARNING,
			"%s: BPF program %u runs ahead of tapwall's and may let frames pass unjudged",
			port->name, before);
	port->before = before;
}

/* Writes the entry again that packets of the port should meet, and compiles its image again if that is
 * what is missing. */
static void mend_entry(struct tw_agent *agent, struct tw_agent_port *port)
{
	const struct tw_port *wanted = &port->entry[agent->epoch & 1];
	struct tw_port met = {0};

	if (!port->has_entry[agent->epoch & 1])
		return;
	if (wanted->image && !tw_kernel_has_image(agent->kernel, wanted->image)) {
		tw_log(TW_LOG_ERR, "%s: its image is gone from the kernel; compiled again",
			port->name);
		port->n_mended++;
		tw_publish_lose_image(agent, wanted->image);
		return;
	}
	if (!tw_kernel_get_port(agent->kernel, port->ifindex, agent->epoch, &met) &&
		!memcmp(&met, wanted, sizeof(met)))
		return;
	tw_log(TW_LOG_ERR, "%s: the kernel %s; written again", port->name,
		met.id ? "has another entry for it" : "has no entry for it");
	port->n_mended++;
	if (tw_kernel_set_port(agent->kernel, port->ifindex, agent->epoch, wanted) < 0)
		tw_log(TW_LOG_ERR, "%s: its entry cannot be written; it stays shut", port->name);
}

bool tw_prove_port(struct tw_agent *agent, struct tw_agent_port *port)
{
	struct tw_kernel_proof proof;

	/* An error, as for an interface that is gone, proves nothing either way. */
	if (!port->attached || tw_kernel_prove(agent->kernel, port->ifindex, &proof) < 0)
		return true;
	if (!proof.attached[TW_DIR_OUT] || !proof.attached[TW_DIR_IN]) {
		lose(agent, port);
		return false;
	}
	port->proved_ns = tw_clock_ns();
	tell_before(port, proof.before);
	mend_entry(agent, port);
	return true;
}

void tw_prove_suspects(struct tw_agent *agent)
{
	bool due = false;

	if (!agent->suspects)
		return;
	agent->suspects = false;
	tw_vec_foreach (&agent->ports.list, port) {
		if (!(*port)->suspect)
			continue;
		(*port)->suspect = false;
		tw_prove_port(agent, *port);
		due |= !(*port)->attached;
	}
	if (due)
		tw_watch_attach(agent);
}

void tw_prove_tick(struct tw_agent *agent)
{
	size_t n = (agent->ports.list.n + SWEEP_TICKS - 1) / SWEEP_TICKS;
	bool due = false;

	for (size_t i = 0; i < n; i++) {
		struct tw_agent_port *port = tw_ports_next(&agent->ports, agent->swept_to);

		agent->swept_to = port ? port->ifindex : 0;
		if (port)
			due |= !tw_prove_port(agent, port);
	}
	if (due)
		tw_watch_attach(agent);
}

enum tw_port_state tw_prove_enforced(const struct tw_agent *agent, const struct tw_agent_port *port)
{
	struct tw_port met;

	if (tw_kernel_get_port(agent->kernel, port->ifindex, agent->epoch, &met) < 0)
		return TW_PORT_SHUT;
	if (met.flags & TW_PORT_F_UNCLAIMED)
		return TW_PORT_UNCLAIMED;
	return met.image && tw_kernel_has_image(agent->kernel, met.image) ? TW_PORT_PROTECTED
									  : TW_PORT_SHUT;
}

const char *tw_prove_state(const struct tw_agent *agent, const struct tw_agent_port *port)
{
	static const char *const states[] = {
		[TW_PORT_SHUT] = "shut",
		[TW_PORT_UNCLAIMED] = "unclaimed",
		[TW_PORT_PROTECTED] = "protected",
	};

	if (!port->attached)
		return tw_watch_is_unfiltered(agent, port) ? "unfiltered" : "shut";
	return states[tw_prove_enforced(agent, port)];
}

double tw_prove_age(const struct tw_agent_port *port)
{
	return port->proved_ns ? (double)(tw_clock_ns() - port->proved_ns) / 1e9 : -1;
}
