/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* residents.h: the source addresses that frames from outside the ports must not have
 * (path/beyond.h).
 *
 * What:       keeps the map `residents` equal to the addresses and MACs of the guests at protected
 *             ports, and `foreign` equal to the other ports of their bridges. If ports without a
 *             workload may send from this host, `workloads` is kept equal to all workloads'
 *             addresses. While no agent runs, the maps stay unchanged, but a guest whose device is
 *             gone does not count (the map `present`). A guest counts as present while its device
 *             has a carrier, unless its bridge knows its MAC behind another port: an arriving guest
 *             sends from its old host until it has moved. A guest is listed in the VLAN of its
 *             untagged frames and in each VLAN whose tag it may send. Once the map is half full, tagged VLANs
 *             are left out, so that trunk guests do not displace others.
 * Invariants: the maps never have the addresses of a port that sees other hosts' packets, or of an
 *             isolated port, whose frames are routed beyond the uplink. With --hairpin they have no
 *             addresses. They always have the MACs, because no router sends from a guest's MAC.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "fastpath/abi/types.h"

struct tw_host;
struct tw_policy;

struct tw_resident {
	struct tw_resident_key key;
	__u32 ifindex;
};

struct tw_foreign {
	__u32 ifindex;
	__u32 place; /* TW_FOREIGN_… */
};

/* An element of `workloads`. */
struct tw_claimed {
	struct tw_addr addr;
	__u32 one;
};

/* Contents of the maps, each sorted by key. */
struct tw_residents {
	TW_VEC(struct tw_resident) rows;
	TW_VEC(struct tw_foreign) foreign;
	TW_VEC(struct tw_claimed) workloads;
	uint64_t generation; /* generation of the policy of `workloads`; 0: none */
	bool adopted;	     /* the state of an earlier agent has been read */
	bool crowded;	     /* `rows` lacks some VLANs whose tags guests may send */
};

/* Updates the maps to the current ports and to a policy, which may be NULL. Errors are logged. */
void tw_residents_sync(struct tw_host *host, const struct tw_policy *policy, uint64_t generation);
void tw_residents_done(struct tw_residents *residents);
