/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/adoption.h"

#include <errno.h>
#include <string.h>

#include "agent/ports/entries.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "agent/ticks.h"
#include "fastpath/kernel/counts.h"
#include "fastpath/kernel/load.h"
#include "policy/policy.h"

#define LOOK_NS 1000000000u /* interval at which a waiting window is looked at */

/* Returns the tick that is `ticks` from now, with 1 in place of 0. If `ticks` is 0, returns 0. */
static uint32_t after(uint32_t ticks)
{
	uint32_t until = tw_ticks_now() + ticks;

	return ticks && !until ? 1 : ticks ? until : 0;
}

/* True if a window that ends at tick `a` ends after one that ends at `b`. 0: no window. */
static bool is_later(uint32_t a, uint32_t b)
{
	return a && (!b || (int32_t)(a - b) > 0);
}

/* Returns the ticks that are left of an operator's window for all ports. */
static uint32_t asked_ticks(const struct tw_enforcement *enforcement)
{
	uint64_t now = tw_clock_ns();

	return enforcement->adopt_until_ns > now
		       ? (uint32_t)((enforcement->adopt_until_ns - now) >> TW_TICK_SHIFT)
		       : 0;
}

/* Returns the later of two window ends. */
static uint32_t later(uint32_t a, uint32_t b)
{
	return is_later(a, b) ? a : b;
}

static uint32_t adopt_ticks(const struct tw_policy *policy)
{
	return tw_policy_adopt_seconds(policy) * TW_TICKS_PER_SECOND;
}

/* Returns the end of a window that a policy opened, under another policy. The window began at the
 * same time, but is no longer than the new `adopt`. */
static uint32_t shortened(
	const struct tw_enforcement *enforcement, const struct tw_policy *policy, uint32_t until)
{
	const struct tw_inforce *inforce = enforcement->inforce;
	uint32_t ticks = adopt_ticks(policy), old = inforce ? adopt_ticks(inforce->policy) : 0;
	uint32_t now = tw_ticks_now();

	if (old > ticks)
		until -= old - ticks;
	/* If an earlier agent opened the window, its length is unknown. */
	if ((int32_t)(until - (now + ticks)) > 0)
		until = now + ticks;
	return (int32_t)(until - now) <= 0 ? 0 : until ? until : 1;
}

bool tw_adoption_fill(const struct tw_enforcement *enforcement, const struct tw_policy *policy,
	const struct tw_port *live, struct tw_port *entry)
{
	uint32_t now = tw_ticks_now(), was;

	if (live && live->image) {
		was = live->adopt_until;
		entry->adopt_asked = live->adopt_asked;
		entry->adopt_until = was;
		/* A window that ends later than the operator's was opened by the policy. */
		if (was && is_later(was, live->adopt_asked))
			entry->adopt_until = later(
				shortened(enforcement, policy, was), live->adopt_asked);
		if (live->network == entry->network)
			return was && (int32_t)(was - now) > 0 && is_later(was, entry->adopt_until);
	}
	entry->adopt_asked = later(entry->adopt_asked, after(asked_ticks(enforcement)));
	entry->adopt_until = later(
		later(entry->adopt_until, after(adopt_ticks(policy))), entry->adopt_asked);
	return false;
}

static uint64_t frames_sent(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port)
{
	struct tw_port_count count = {0};

	tw_counts_port(enforcement->host->kernel, port->id, &count);
	return count.packets[TW_DIR_OUT];
}

void tw_adoption_await(struct tw_enforcement *enforcement, struct tw_agent_port *port)
{
	port->awaited = true;
	port->awaited_ns = tw_clock_ns();
	port->sent_before = frames_sent(enforcement, port);
}

static struct tw_port *entry_of(
	const struct tw_enforcement *enforcement, struct tw_agent_port *port)
{
	uint32_t parity = enforcement->host->epoch & 1;

	return port->has_entry[parity] && port->entry[parity].image ? &port->entry[parity] : NULL;
}

/* Extends a port's window to a tick, unless it already ends later. `asked`: an operator wants it.
 * Returns 0 or a negative errno. */
static int extend(
	struct tw_enforcement *enforcement, struct tw_agent_port *port, uint32_t until, bool asked)
{
	struct tw_host *host = enforcement->host;
	struct tw_port *entry = entry_of(enforcement, port);
	bool changes = is_later(until, entry->adopt_until);

	if (asked && is_later(until, entry->adopt_asked)) {
		entry->adopt_asked = until;
		changes = true;
	}
	if (!changes)
		return 0;
	entry->adopt_until = later(until, entry->adopt_until);
	return tw_kernel_set_port(host->kernel, port->ifindex, host->epoch, entry);
}

/* True if a port has an entry under the policy, and belongs to the workload, if one is given. */
static bool is_meant(
	const struct tw_enforcement *enforcement, struct tw_agent_port *port, const char *workload)
{
	return port->state == TW_PORT_PROTECTED && entry_of(enforcement, port) &&
	       (!workload || !strcmp(port->vnic->workload, workload));
}

static int no_write(const struct tw_agent_port *port, struct tw_err *err)
{
	return tw_err_set(
		err, -EIO, port->name, NULL, "cannot change the port's entry in the kernel");
}

int tw_adoption_open(struct tw_enforcement *enforcement, const char *workload, uint32_t seconds,
	size_t *ret_ports, struct tw_err *err)
{
	uint64_t until_ns = tw_clock_ns() + seconds * UINT64_C(1000000000);
	uint32_t until = after(seconds * TW_TICKS_PER_SECOND);

	*ret_ports = 0;
	if (!workload && until_ns > enforcement->adopt_until_ns)
		enforcement->adopt_until_ns = until_ns;
	tw_vec_foreach (&enforcement->host->ports->list, at) {
		struct tw_agent_port *port = *at;

		if (!is_meant(enforcement, port, workload))
			continue;
		if (extend(enforcement, port, until, true) < 0)
			return no_write(port, err);
		++*ret_ports;
	}
	return 0;
}

int tw_adoption_stop(struct tw_enforcement *enforcement, const char *workload, size_t *ret_ports,
	struct tw_err *err)
{
	struct tw_host *host = enforcement->host;

	*ret_ports = 0;
	if (!workload)
		enforcement->adopt_until_ns = 0;
	tw_vec_foreach (&host->ports->list, at) {
		struct tw_agent_port *port = *at;
		struct tw_port *entry = entry_of(enforcement, port);

		if (!is_meant(enforcement, port, workload))
			continue;
		port->awaited = false;
		if (!entry->adopt_until)
			continue;
		entry->adopt_until = entry->adopt_asked = 0;
		if (tw_kernel_set_port(host->kernel, port->ifindex, host->epoch, entry) < 0)
			return no_write(port, err);
		++*ret_ports;
	}
	return 0;
}

/* Extends the window of a guest that has not sent yet. */
static void look_at(struct tw_enforcement *enforcement, struct tw_agent_port *port)
{
	const struct tw_inforce *inforce = enforcement->inforce;
	uint32_t ticks = inforce ? adopt_ticks(inforce->policy) : 0;

	if (!port->awaited || tw_clock_ns() - port->awaited_ns < LOOK_NS)
		return;
	port->awaited_ns = tw_clock_ns();
	port->awaited = entry_of(enforcement, port) && ticks;
	if (!port->awaited)
		return;
	extend(enforcement, port, after(ticks), false);
	port->awaited = frames_sent(enforcement, port) == port->sent_before;
}

void tw_adoption_tick(struct tw_enforcement *enforcement)
{
	tw_vec_foreach (&enforcement->host->ports->list, port) {
		look_at(enforcement, *port);
		tw_entries_end_adoption(enforcement->host, *port);
	}
}
