/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* watch.h: updates the tables of ports and uplinks from netlink.
 *
 * Invariants: when a callback returns, cut-through has ended at a port that differs from its entry.
 *             Everything else is left to the turn.
 */
#pragma once

#include <stdint.h>

struct tw_host;

/* Opens netlink with the callbacks of this module. Returns 0 or a negative errno. */
int tw_watch_open(struct tw_host *host);
/* Handles the removal of an interface. */
void tw_watch_gone(struct tw_host *host, uint32_t ifindex);
