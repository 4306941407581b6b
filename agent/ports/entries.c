/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/entries.h"

#include "agent/ports/gone.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/ticks.h"
#include "fastpath/kernel/load.h"

void tw_entries_remove(struct tw_host *host, struct tw_agent_port *port, uint32_t epoch)
{
	const struct tw_port *entry = &port->entry[epoch & 1];

	if (!port->has_entry[epoch & 1])
		return;
	tw_kernel_set_port(host->kernel, port->ifindex, epoch, NULL);
	if (entry->flags & TW_PORT_F_MORE)
		tw_kernel_clear_addrs(host->kernel, tw_addr_zone(entry->id, epoch));
	port->has_entry[epoch & 1] = false;
}

void tw_entries_drop(struct tw_host *host, struct tw_agent_port *port)
{
	tw_entries_remove(host, port, host->epoch);
	tw_entries_remove(host, port, host->epoch + 1);
}

void tw_entries_uncut(struct tw_host *host, struct tw_agent_port *port)
{
	struct tw_port *entry = &port->entry[host->epoch & 1];

	if (!port->has_entry[host->epoch & 1] || !(entry->flags & TW_PORT_F_CUT))
		return;
	entry->flags &= (uint16_t)~TW_PORT_F_CUT;
	tw_kernel_set_port(host->kernel, port->ifindex, host->epoch, entry);
}

void tw_entries_end_adoption(struct tw_host *host, struct tw_agent_port *port)
{
	struct tw_port *entry = &port->entry[host->epoch & 1];

	if (!port->has_entry[host->epoch & 1] || !entry->adopt_until ||
		(int32_t)(tw_ticks_now() - entry->adopt_until) < 0)
		return;
	entry->adopt_until = entry->adopt_asked = 0;
	tw_kernel_set_port(host->kernel, port->ifindex, host->epoch, entry);
}

/* ---- what an earlier agent left ---- */

/* Drops the adopted entry of an interface that is gone or is no longer a port. */
static void drop_adopted(struct tw_host *host, const struct tw_adopted *adopted)
{
	tw_kernel_set_port(host->kernel, adopted->ifindex, host->epoch, NULL);
	if (adopted->entry.flags & TW_PORT_F_MORE)
		tw_kernel_clear_addrs(host->kernel, tw_addr_zone(adopted->entry.id, host->epoch));
	tw_ports_unreserve(host->ports, adopted->entry.id);
}

bool tw_entries_take_adopted(struct tw_host *host, uint32_t ifindex, struct tw_adopted *ret)
{
	tw_vec_foreach (&host->adopted, adopted) {
		if (adopted->ifindex != ifindex)
			continue;
		*ret = *adopted;
		*adopted = host->adopted.at[--host->adopted.n];
		if (tw_kernel_is_attached(host->kernel, ifindex)) {
			tw_ports_unreserve(host->ports, ret->entry.id);
			return true;
		}
		drop_adopted(host, ret);
		return false;
	}
	return false;
}

void tw_entries_forget_adopted(struct tw_host *host)
{
	tw_vec_foreach (&host->adopted, adopted) {
		tw_kernel_detach(host->kernel, adopted->ifindex, NULL);
		drop_adopted(host, adopted);
		tw_gone_note_entry(host, &adopted->entry);
	}
	tw_vec_done(&host->adopted);
}
