/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* residents.h: what frames from beyond the ports may not be from (path/beyond.h).
 *
 * What:       keeps the map `residents` equal to the addresses and MACs of the guests at protected ports,
 *             and `foreign` to the other ports of their bridges; `workloads` to all workloads' addresses, if
 *             ports of no workload may send from this host. All stay as they are while no agent runs,
 *             but a guest whose device is gone then does not count (the map `present`).
 *             A guest is here while its device has a carrier, and not while its bridge knows its MAC behind
 *             another port: a guest that is about to arrive speaks from its old host until it has moved.
 * Invariants: no address of a port that sees other hosts' packets, or that its bridge keeps apart from
 *             other such ports, whose frames are routed beyond the uplink; none at all with --hairpin.
 *             MACs always: no router sends from a guest's.
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

/* What stands in the maps, each in order of its keys. */
struct tw_residents {
	TW_VEC(struct tw_resident) rows;
	TW_VEC(struct tw_foreign) foreign;
	TW_VEC(struct tw_claimed) workloads;
	uint64_t generation; /* of the policy that `workloads` is of; 0: of none */
	bool adopted;	     /* what an earlier agent left has been read */
};

/* Brings the maps up to the ports and to a policy, NULL: there is none. Troubles are logged. */
void tw_residents_sync(struct tw_host *host, const struct tw_policy *policy, uint64_t generation);
void tw_residents_done(struct tw_residents *residents);
