/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* latch.h: keeps a new port shut from the moment it exists until the agent has dealt with it.
 *
 * Why:        between the making of a tap and the attaching of programs lies the time netlink
 *             takes to tell; with the agent stopped or dead that time has no end. Netfilter tables of
 *             our own close it: an interface whose name matches the patterns, and that is not live,
 *             neither sends nor receives through a bridge, nor IP and ARP packets to or through the
 *             host. docs/decisions/001-latch.md has the cost.
 * How:        a live port is put into an interface group of our own. The group is a property of the
 *             device and ends with it, so an interface that is made anew is shut, whatever its number
 *             and name. A port that its host put into another group stays there, and passes by a set
 *             of pairs (interface, group).
 * Invariants: 1. An interface enters the group only after its programs are attached and its entry
 *                is written (tests/e2e/latch).
 *             2. The tables outlive the agent, and are replaced in one transaction.
 *             3. Nothing else in netfilter is touched.
 * Callers:    the agent, in the network namespace of its ports.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/pattern.h"

struct tw_latch;

/* `bpffs` names the agent instance, and so the table. Installs nothing. 0 or a negative errno. */
int tw_latch_new(const char *bpffs, const struct tw_patterns *patterns, struct tw_latch **ret,
	struct tw_err *err);
void tw_latch_free(struct tw_latch *latch); /* leaves the table in place */
TW_DEFINE_AUTO(tw_latch)

const char *tw_latch_table(const struct tw_latch *latch);
bool tw_latch_exists(struct tw_latch *latch); /* all of its tables */
/* True if the latch sees the frames of interfaces that belong to a master of this kind (as rtnetlink
 * names it; empty: to none). False without a latch. */
bool tw_latch_covers(const struct tw_latch *latch, const char *above);
bool tw_latch_covers_all(const struct tw_latch *latch);
/* Puts the table in place, or in the place of an older one, with these interfaces let through. */
int tw_latch_install(
	struct tw_latch *latch, const uint32_t *live, size_t n_live, struct tw_err *err);
/* Lets interfaces through, all in one transaction. */
int tw_latch_let(struct tw_latch *latch, const uint32_t *ifindexes, size_t n, struct tw_err *err);
/* True if an interface is in the group of those let through, maybe by an earlier agent. False for those
 * in other groups. */
bool tw_latch_lets(const struct tw_latch *latch, uint32_t ifindex);
/* Shuts interfaces that were let through; they may be gone already. */
int tw_latch_shut(struct tw_latch *latch, const uint32_t *ifindexes, size_t n);
int tw_latch_remove(struct tw_latch *latch, struct tw_err *err); /* 0 also when there is none */

/* Readable when some table was deleted by anyone; -1 when that cannot be told. */
int tw_latch_fd(const struct tw_latch *latch);
/* Takes what has come; true when a table went away and a look at tw_latch_exists() is due. */
bool tw_latch_read(struct tw_latch *latch);
