/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* kept.h: leases that outlive the kernel's maps, in leases.json.
 *
 * Why:        The fast path's map ends with the boot of the host, and with --release. A guest that was
 *             suspended, or that ran on, does not ask for its address again before half of its lease is
 *             over; until then it would be cut off.
 * What:       While the agent runs, the list follows the map. When a port is met about whose MAC the map
 *             has nothing, the leases of this MAC, of this workload, on this network are put back into
 *             the map. The policy takes them in like new ones.
 * Invariants: 1. What the map has of a MAC counts, not the file: a lease given back stays so.
 *             2. A lease that is put back loses to any that the fast path saw a server give for the same
 *                address (tw_leases_gather()), until its guest renews it.
 *             3. A lease lasts no longer than it had left when the file was written. The file says
 *                when that was; if the clock is behind it, the file is not believed.
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

struct tw_enforcement;
struct tw_inforce;

/* One lease, and the place it is good for. Without padding that is not set: rows are compared as bytes. */
struct tw_kept_lease {
	char network[IFNAMSIZ]; /* name of the bridge, or of a port that is on none */
	char workload[128];
	uint8_t mac[6];
	uint16_t vlan; /* that the bridge has for untagged frames; 0: none */
	struct tw_addr addr;
	uint64_t until_ns; /* monotonic; all ones: for ever */
	__be32 server;	   /* that of tw_lease */
	uint32_t pad;
};

struct tw_kept {
	TW_VEC(struct tw_kept_lease) list; /* sorted by all but the end */
	bool exists;			   /* the file is there */
	bool unsaved;			   /* the file says something else */
	bool failed;			   /* it could not be written */
	uint64_t next_ns;		   /* when to look at the map again */
	uint64_t save_ns;		   /* when the file may be written again */
};

/* The list as the file has it, and back. `now_ns` and `unix_s` are the same moment on both clocks.
 * tw_kept_unpack() returns 0, -ENOMEM, or -ERANGE if the file is from the future. */
json_t *tw_kept_pack(const struct tw_kept *kept, uint64_t now_ns, int64_t unix_s);
int tw_kept_unpack(struct tw_kept *kept, json_t *root, uint64_t now_ns, int64_t unix_s);

/* Reads the file. At start, after the maps were opened. */
void tw_kept_load(struct tw_enforcement *enforcement);
void tw_kept_done(struct tw_kept *kept);
/* Puts leases back into the map for ports of a policy that is about to take effect. 0 or -ENOMEM. */
int tw_kept_restore(struct tw_enforcement *enforcement, const struct tw_inforce *inforce);
/* Follows the map, and writes the file if it is time. Each tick. True if the file was written. */
bool tw_kept_tick(struct tw_enforcement *enforcement);
/* The file was changed or deleted by another program: it is written again. */
void tw_kept_rewrite(struct tw_kept *kept);
/* Follows the map and writes the file now, before the agent ends. */
void tw_kept_save(struct tw_enforcement *enforcement);
