/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* kept.h: leases that outlive the kernel's maps, in leases.json.
 *
 * Why:        The fast path's map ends with the boot of the host, and with --release. A guest that was
 *             suspended, or that ran on, does not ask for its address again before half of its lease is
 *             over; until then it would be cut off.
 * What:       While the agent runs, the list follows the map. If the map has nothing for the MAC of
 *             a new port, the leases of this MAC, of this workload, on this network are put back
 *             into the map. The policy takes them up like new ones.
 * Invariants: 1. For a MAC in the map the file does not count, so a released lease stays released.
 *             2. A lease that is put back loses to any that the fast path saw a server give for the same
 *                address (tw_leases_gather()), until its guest renews it.
 *             3. A lease lasts no longer than it had left when the file was written. The file has
 *                the time of writing. If the clock is behind it, the file is not used.
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
	uint32_t pad;
};

struct tw_kept {
	TW_VEC(struct tw_kept_lease) list; /* sorted by all but the end */
	bool exists;			   /* the file exists */
	bool unsaved;			   /* the list differs from the file */
	bool failed;			   /* the file could not be written */
	uint64_t next_ns;		   /* when to read the map again */
	uint64_t save_ns;		   /* when the file may be written again */
};

/* Convert the list to the file's format and back. `now_ns` and `unix_s` are the same time on
 * both clocks. tw_kept_unpack() returns 0, -ENOMEM, or -ERANGE if the file is from the future. */
json_t *tw_kept_pack(const struct tw_kept *kept, uint64_t now_ns, int64_t unix_s);
int tw_kept_unpack(struct tw_kept *kept, json_t *root, uint64_t now_ns, int64_t unix_s);

/* Reads the file. Called at the start, after the maps were opened. */
void tw_kept_load(struct tw_enforcement *enforcement);
void tw_kept_done(struct tw_kept *kept);
/* Puts leases back into the map for the ports of a policy that is about to take effect. Returns
 * 0 or -ENOMEM. */
int tw_kept_restore(struct tw_enforcement *enforcement, const struct tw_inforce *inforce);
/* Updates the list from the map each tick, and writes the file if that is due. True if the file
 * was written. */
bool tw_kept_tick(struct tw_enforcement *enforcement);
/* Has the file written again after another program changed or deleted it. */
void tw_kept_rewrite(struct tw_kept *kept);
/* Updates the list and writes the file now, before the agent ends. */
void tw_kept_save(struct tw_enforcement *enforcement);
