/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* kept.h: keeps leases in leases.json, longer than the kernel's maps exist.
 *
 * Why:        the fast path's map is lost when the host reboots, and with --release. A guest that
 *             was suspended, or kept running, renews its lease only after half of its time; until
 *             then it would be cut off.
 * What:       while the agent runs, the list is updated from the map. If the map has no entry for
 *             the MAC of a new port, the leases of this MAC, workload and network are restored to
 *             the map. The policy takes them up like new ones.
 * Invariants: 1. For a MAC in the map the file is ignored, so a released lease stays released.
 *             2. A restored lease gives way to a lease of the same address that the fast path saw a
 *                server assign (tw_leases_gather()), until its own guest renews it.
 *             3. A restored lease ends no later than it would have. The file has the time of
 *                writing. If the clock is behind that time, the file is not used.
 *             Tests: tests/agent/kept.c, tests/e2e/reboot.sh.
 */
#pragma once

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "fastpath/abi/types.h"

struct tw_agent_port;
struct tw_enforcement;
struct tw_inforce;
struct tw_vnic;

/* One lease and the place for which it is valid. All padding is set, because rows are compared
 * as bytes. */
struct tw_kept_lease {
	char network[IFNAMSIZ]; /* name of the bridge, or of a port without one */
	char workload[128];
	uint8_t mac[6];
	uint16_t vlan; /* the bridge's VLAN for untagged frames; 0: none */
	struct tw_addr addr;
	uint64_t until_ns; /* monotonic; all ones: for ever */
	__be32 server;	   /* see struct tw_lease */
	uint32_t formed;   /* 1: by SLAAC */
};

struct tw_kept {
	TW_VEC(struct tw_kept_lease) list; /* sorted by all fields but until_ns */
	bool exists;			   /* the file exists */
	bool unsaved;			   /* the list differs from the file */
	bool failed;			   /* the file could not be written */
	uint64_t next_ns;		   /* when to read the map again */
	uint64_t save_ns;		   /* when the file may be written again */
};

/* Converts the list to the file's format. `now_ns` and `unix_s` are the same time on both
 * clocks. */
json_t *tw_kept_pack(const struct tw_kept *kept, uint64_t now_ns, int64_t unix_s);
int tw_kept_unpack(struct tw_kept *kept, json_t *root, uint64_t now_ns, int64_t unix_s);

/* Reads the file. Called at the start, after the maps were opened. */
void tw_kept_load(struct tw_enforcement *enforcement);
void tw_kept_done(struct tw_kept *kept);
/* Restores leases to the map for the ports of a policy that is about to take effect. Returns 0 or
 * -ENOMEM. */
int tw_kept_restore(struct tw_enforcement *enforcement, const struct tw_inforce *inforce);
/* True if another guest of the port's network, which may be stopped, has this address. */
bool tw_kept_has_other(const struct tw_enforcement *enforcement, const struct tw_agent_port *port,
	const struct tw_vnic *vnic, const struct tw_addr *addr);
/* Updates the list from the map, and writes the file if that is due. Called at each tick. True if
 * the file was written. */
bool tw_kept_tick(struct tw_enforcement *enforcement);
/* Causes the file to be written again after another program changed or deleted it. */
void tw_kept_rewrite(struct tw_kept *kept);
/* Updates the list and writes the file now, before the agent ends. */
void tw_kept_save(struct tw_enforcement *enforcement);
