/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rights.h: the rights that frames of guests lacked, or will lack under another policy.
 *
 * Why:        a guest that sends VLAN tags, or from a virtual MAC, works until it is enforced. The frames show
 *             which keys its workload needs: `vlans`, `macs`, `may`.
 * In:         entries of the agent's journal, and live connections.
 * Invariants: 1. Only frames that a guest sent count. Frames to it show what others use.
 *             2. A port has one row, whatever its guest sends. The values that do not fit are counted.
 *             Test: tests/cli/unit_rights.c.
 * Bounds:     VLANs: 4095; MACs and EtherTypes: as many as a policy can list; addresses: TW_RIGHTS_ADDRESSES.
 * Callers:    gather.c, apply, diff; tests. One thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "link/link.h"
#include "policy/model.h"

#define TW_RIGHTS_ADDRESSES 8u
#define TW_RIGHTS_VLANS \
	64u /* more VLANs than a trunk usually carries: the guest may be trying them */

struct tw_rights_row {
	char *workload;
	char *port;				  /* "": unknown */
	struct tw_grants lacks;			  /* rights that frames lacked */
	struct tw_addr addr[TW_RIGHTS_ADDRESSES]; /* source addresses that the guest may not use */
	size_t n_addrs;
	uint64_t n_beyond; /* frames whose MAC, EtherType or address did not fit */
	uint64_t n_frames; /* frames in the journal */
	uint64_t n_live;   /* live connections */
	double last;	   /* Unix time of the last frame; 0: none */
};

struct tw_rights {
	TW_VEC(struct tw_rights_row) rows;
	struct tw_names names; /* of rows, by workload and port */
	TW_VEC(char *) texts;  /* memory of the names */
};

void tw_rights_done(struct tw_rights *rights);
/* Adds a frame that was denied, or that an observed port let pass. Returns 0 or -ENOMEM. */
int tw_rights_take(struct tw_rights *rights, const Tapwall__V1__LogEntry *entry);
/* Removes what a policy (NULL: none) grants, and the rows that are then empty. Sorts the rows by workload and
 * port. After that, nothing can be added. */
void tw_rights_settle(struct tw_rights *rights, const struct tw_policy *policy);

/* Returns the vNIC of a row in a policy, or TW_INDEX_NONE if it is not known. */
uint32_t tw_rights_nic(const struct tw_policy *policy, const struct tw_rights_row *row);
/* True if a row has more values than a guest needs: it may be trying VLANs, MACs, EtherTypes or addresses. */
bool tw_rights_is_doubtful(const struct tw_rights_row *row);
/* Memory of the rights that tw_rights_grant() adds. */
typedef TW_VEC(struct tw_grants) tw_rights_granted;
/* Adds the rights of all rows to the vNICs of a policy, except those of doubtful rows and addresses.
 * `granted` must be empty, and live as long as the policy. Returns 0 or -ENOMEM. */
int tw_rights_grant(
	const struct tw_rights *rights, struct tw_policy *policy, tw_rights_granted *granted);
/* Prints a row as `trunk (tap1): vlans: [10, 20-29]; 12 frames`. */
void tw_rights_print(
	const struct tw_rights *rights, const struct tw_rights_row *row, struct tw_buf *out);
/* Makes a list of all rows. NULL if memory runs out. */
json_t *tw_rights_json(const struct tw_rights *rights);

/* Finds the frames that pass now and that `now` will deny for lack of a right: in VLANs that only `old` lists, or
 * from workloads that only `old` observes. `ret` must be all-zero, and be passed to tw_rights_done() in either case.
 * Prints errors. Returns an exit code. */
int tw_rights_find_lost(const char *socket, const struct tw_policy *old,
	const struct tw_policy *now, struct tw_rights *ret);
/* Prints what tw_rights_find_lost() found. `dry_run`: `now` is not in force yet. Returns an exit code. */
int tw_rights_print_lost(const struct tw_rights *lost, bool dry_run);
