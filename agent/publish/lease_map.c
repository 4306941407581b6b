/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/lease_map.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "fastpath/kernel/load.h"
#include "policy/policy.h"

#define MAP_BYTES (TW_PORTS_MAX * sizeof(struct tw_leases))

_Static_assert(sizeof(struct tw_leases) % 8 == 0, "elements of an array map are 8 bytes apart");

int tw_lease_map_init(struct tw_enforcement *enforcement)
{
	int fd = tw_kernel_map_fd(enforcement->host->kernel, TW_MAP_leases);
	void *map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	enforcement->leases->map = map;
	return 0;
}

void tw_lease_map_done(struct tw_enforcement *enforcement)
{
	if (enforcement->leases->map)
		munmap(enforcement->leases->map, MAP_BYTES);
	enforcement->leases->map = NULL;
}

bool tw_lease_map_is_of(const struct tw_leases *leases, const struct tw_vnic *vnic)
{
	return tw_vnic_learns(vnic) && !memcmp(leases->mac, vnic->mac, sizeof(leases->mac));
}

struct tw_leases *tw_lease_map_at(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port)
{
	struct tw_leases *leases = &enforcement->leases->map[port->id];

	return port->vnic && tw_lease_map_is_of(leases, port->vnic) ? leases : NULL;
}
