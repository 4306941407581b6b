/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/prove.h"

#include <errno.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/latch.h"
#include "agent/ports/ports.h"
#include "agent/ports/rtnl.h"
#include "agent/publish/enforcement.h"
#include "agent/state/images.h"
#include "agent/state/inforce.h"
#include "base/clock.h"
#include "base/log.h"
#include "fastpath/kernel/load.h"

#define SWEEP_TICKS 20 /* ticks of a sweep, at four ticks per second */

static void lose(struct tw_enforcement *enforcement, struct tw_agent_port *port)
{
	tw_log(TW_LOG_ERR, "%s: another tool removed the programs; %s; attaching them again",
		port->name,
		tw_latch_covers(enforcement->host->latch, port->above) ? "kept shut" : "was open");
	if (enforcement->host->latch)
		tw_latch_shut(enforcement->host->latch, &port->ifindex, 1);
	port->n_lost++;
	enforcement->n_lost++;
	port->attached = port->let = false;
}

/* Notes and logs which program of others runs before tapwall's at a port. `before` is the id of such a
 * program at the tc hooks; 0: none. An XDP program runs before all programs at the tc hooks. */
static void tell_before(
	const struct tw_enforcement *enforcement, struct tw_agent_port *port, uint32_t before)
{
	uint32_t xdp = 0;

	if (!tw_rtnl_get_xdp(enforcement->host->rtnl, port->ifindex, &xdp) && xdp)
		before = xdp;
	if (before && before != port->before)
		tw_log(TW_LOG_WARNING,
			"%s: BPF program %u runs before tapwall's and may let frames pass unfiltered",
			port->name, before);
	port->before = before;
}

/* Reports in `status` whether programs of others run before tapwall's. */
static void note_before(struct tw_enforcement *enforcement)
{
	const struct tw_agent_port *first = NULL;
	unsigned int n = 0;

	tw_vec_foreach (&enforcement->host->ports->list, port) {
		if (!(*port)->before)
			continue;
		first = first ? first : *port;
		n++;
	}
	if (!first)
		tw_degraded_end(&enforcement->degraded, TW_DEGRADED_BEFORE);
	else
		tw_degraded_begin(&enforcement->degraded, TW_DEGRADED_BEFORE,
			"BPF program %u at %s runs before tapwall's and may let frames pass unfiltered; %u port%s in all",
			first->before, first->name, n, n == 1 ? "" : "s");
}

/* Handles a slot whose image is missing in the kernel. The next plan compiles the image again. */
static void lose_image(struct tw_enforcement *enforcement, uint32_t slot)
{
	if (!slot || slot >= TW_IMAGES_MAX)
		return;
	/* The slot is not reused at once, because entries in force refer to it. */
	enforcement->images->slots[slot] = (struct tw_image_slot){.saved = true};
	if (enforcement->inforce)
		for (size_t i = 0; i < tw_policy_n_vnics(enforcement->inforce->policy); i++)
			if (enforcement->inforce->images[i] == slot)
				enforcement->inforce->images[i] = 0;
	enforcement->host->changed = true;
}

/* Writes the port's entry again, and has its image compiled again if that is missing. */
static void mend_entry(struct tw_enforcement *enforcement, struct tw_agent_port *port)
{
	const struct tw_port *wanted = &port->entry[enforcement->host->epoch & 1];
	struct tw_port met = {0};

	if (!port->has_entry[enforcement->host->epoch & 1])
		return;
	if (wanted->image && !tw_kernel_has_image(enforcement->host->kernel, wanted->image)) {
		tw_log(TW_LOG_ERR, "%s: its image is missing in the kernel; compiling it again",
			port->name);
		port->n_mended++;
		lose_image(enforcement, wanted->image);
		return;
	}
	if (!tw_kernel_get_port(
		    enforcement->host->kernel, port->ifindex, enforcement->host->epoch, &met) &&
		!memcmp(&met, wanted, sizeof(met)))
		return;
	tw_log(TW_LOG_ERR, "%s: the kernel %s; writing it again", port->name,
		met.id ? "has another entry for it" : "has no entry for it");
	port->n_mended++;
	if (tw_kernel_set_port(
		    enforcement->host->kernel, port->ifindex, enforcement->host->epoch, wanted) < 0)
		tw_log(TW_LOG_ERR, "%s: its entry cannot be written; it stays shut", port->name);
}

bool tw_prove_port(struct tw_enforcement *enforcement, struct tw_agent_port *port)
{
	struct tw_kernel_proof proof;

	/* A failed check, for instance of a removed interface, proves nothing. */
	if (!port->attached ||
		tw_kernel_prove(enforcement->host->kernel, port->ifindex, &proof) < 0)
		return true;
	if (!proof.attached[TW_DIR_OUT] || !proof.attached[TW_DIR_IN]) {
		lose(enforcement, port);
		return false;
	}
	port->proved_ns = tw_clock_ns();
	tell_before(enforcement, port, proof.before);
	mend_entry(enforcement, port);
	return true;
}

void tw_prove_suspects(struct tw_enforcement *enforcement)
{
	bool due = false;

	if (!enforcement->host->suspects)
		return;
	enforcement->host->suspects = false;
	tw_vec_foreach (&enforcement->host->ports->list, port) {
		if (!(*port)->suspect)
			continue;
		(*port)->suspect = false;
		tw_prove_port(enforcement, *port);
		due |= !(*port)->attached;
	}
	enforcement->attach_due |= due;
	note_before(enforcement);
}

void tw_prove_tick(struct tw_enforcement *enforcement)
{
	size_t n = (enforcement->host->ports->list.n + SWEEP_TICKS - 1) / SWEEP_TICKS;
	bool due = false;

	for (size_t i = 0; i < n; i++) {
		struct tw_agent_port *port = tw_ports_next(
			enforcement->host->ports, enforcement->swept_to);

		enforcement->swept_to = port ? port->ifindex : 0;
		if (port)
			due |= !tw_prove_port(enforcement, port);
	}
	enforcement->attach_due |= due;
	note_before(enforcement);
}

bool tw_prove_is_unfiltered(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port)
{
	return port->bypassed ||
	       (!port->attached &&
		       (port->left || !tw_latch_covers(enforcement->host->latch, port->above)));
}

enum tw_port_state tw_prove_enforced(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port)
{
	struct tw_port met;

	if (tw_kernel_get_port(
		    enforcement->host->kernel, port->ifindex, enforcement->host->epoch, &met) < 0)
		return TW_PORT_SHUT;
	if (met.flags & TW_PORT_F_UNCLAIMED)
		return TW_PORT_UNCLAIMED;
	return met.image && tw_kernel_has_image(enforcement->host->kernel, met.image)
		       ? TW_PORT_PROTECTED
		       : TW_PORT_SHUT;
}

bool tw_prove_observed(const struct tw_enforcement *enforcement, const struct tw_agent_port *port)
{
	return port->attached && tw_prove_enforced(enforcement, port) == TW_PORT_PROTECTED &&
	       port->entry[enforcement->host->epoch & 1].flags & TW_PORT_F_OBSERVED;
}

const char *tw_prove_state(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port)
{
	static const char *const states[] = {
		[TW_PORT_SHUT] = "shut",
		[TW_PORT_UNCLAIMED] = "unclaimed",
		[TW_PORT_PROTECTED] = "protected",
	};

	if (tw_prove_is_unfiltered(enforcement, port))
		return "unfiltered";
	if (!port->attached)
		return "shut";
	if (port->quarantined && tw_prove_enforced(enforcement, port) == TW_PORT_SHUT)
		return "quarantined";
	if (tw_prove_observed(enforcement, port))
		return "observed";
	return states[tw_prove_enforced(enforcement, port)];
}

double tw_prove_age(const struct tw_agent_port *port)
{
	return port->proved_ns ? (double)(tw_clock_ns() - port->proved_ns) / 1e9 : -1;
}
