/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* latch.h: keeps a new port shut from its creation until the agent has attached to it.
 *
 * Why:        programs are attached only after netlink has reported a new tap. While no agent runs,
 *             none are. Netfilter tables close this gap: an interface that matches the patterns and
 *             is not live can neither send nor receive, through a bridge or as IP and ARP
 *             packets to or through the host. docs/decisions/001-latch.md has the cost.
 * How:        live ports are put into a separate interface group. The group is a property of the
 *             device, so a new interface is shut, whatever its number and name. A port that the
 *             host put into another group stays there; a set of pairs (interface, group) lets it
 *             through.
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

/* Opens netfilter without installing anything. `bpffs` identifies the agent's instance, and so its
 * table. Returns 0 or a negative errno. */
int tw_latch_new(const char *bpffs, const struct tw_patterns *patterns, struct tw_latch **ret,
	struct tw_err *err);
void tw_latch_free(struct tw_latch *latch); /* leaves the table in place */
TW_DEFINE_AUTO(tw_latch)

const char *tw_latch_table(const struct tw_latch *latch);
bool tw_latch_exists(struct tw_latch *latch); /* true if all of its tables exist */
/* True if the latch sees the frames of interfaces with a master of this kind (as in rtnetlink;
 * empty: no master). False without a latch. */
bool tw_latch_covers(const struct tw_latch *latch, const char *above);
bool tw_latch_covers_all(const struct tw_latch *latch);
/* Installs the table, or replaces an older one. It lets the interfaces of `live` through. */
int tw_latch_install(
	struct tw_latch *latch, const uint32_t *live, size_t n_live, struct tw_err *err);
/* Lets more interfaces through, all in one transaction. */
int tw_latch_let(struct tw_latch *latch, const uint32_t *ifindexes, size_t n, struct tw_err *err);
/* True if an interface is in the group of live ports, perhaps by an earlier agent. False if it
 * is in another group. */
bool tw_latch_lets(const struct tw_latch *latch, uint32_t ifindex);
/* Shuts interfaces that were let through; they may be gone already. */
int tw_latch_shut(struct tw_latch *latch, const uint32_t *ifindexes, size_t n);
int tw_latch_remove(
	struct tw_latch *latch, struct tw_err *err); /* returns 0 also if there is none */

/* Returns a descriptor that is readable after any table was deleted, or -1 if that cannot be
 * monitored. */
int tw_latch_fd(const struct tw_latch *latch);
/* Reads the messages. True if a table was deleted and tw_latch_exists() must be checked. */
bool tw_latch_read(struct tw_latch *latch);
