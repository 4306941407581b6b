/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/splits.h"

#include <bpf/bpf.h>

#include "agent/ports/ports.h"
#include "agent/ticks.h"
#include "fastpath/kernel/load.h"

/* False if no two ports contested the address in the last TW_SPLIT_SECONDS, or one of them is gone. */
static bool fill_split(const struct tw_host *host, const struct tw_holder *holder, uint32_t now,
	struct tw_split *ret)
{
	uint32_t age = tw_ticks_since(now, holder->contested);

	if (!holder->contested || age >= TW_SPLIT_SECONDS * TW_TICKS_PER_SECOND)
		return false;
	ret->age_s = tw_ticks_seconds(age);
	ret->holder = tw_ports_by_id(host->ports, holder->port_id);
	ret->rival = tw_ports_by_id(host->ports, holder->before);
	return ret->holder && ret->rival;
}

size_t tw_splits_list(const struct tw_host *host, struct tw_split splits[TW_SPLITS_MAX])
{
	int fd = tw_kernel_map_fd(host->kernel, TW_MAP_holders);
	struct tw_resident_key key, *previous = NULL;
	uint32_t now = tw_ticks_now();
	struct tw_holder holder;
	size_t n = 0;

	/* If the previous entry is evicted meanwhile, the kernel begins anew. */
	for (int i = 0; i < TW_HOLDERS_MAX && n < TW_SPLITS_MAX; i++) {
		if (bpf_map_get_next_key(fd, previous, &key))
			break;
		previous = &key;
		if (bpf_map_lookup_elem(fd, &key, &holder) ||
			!fill_split(host, &holder, now, &splits[n]))
			continue;
		splits[n++].addr = key.addr;
	}
	return n;
}

const char *tw_split_member(const struct tw_agent_port *port)
{
	return port->vnic ? port->vnic->workload : port->name;
}
