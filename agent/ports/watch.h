/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* watch.h: follows the host's interfaces: what netlink tells, into the tables of ports and uplinks.
 *
 * Invariants: a port in doubt is cut through no longer when the callback returns; everything else that is to
 *             follow is left to the turn.
 */
#pragma once

#include <stdint.h>

struct tw_host;

/* Opens netlink, so that whatever is read from it comes here. 0 or a negative errno. */
int tw_watch_open(struct tw_host *host);
/* An interface is there no more. */
void tw_watch_gone(struct tw_host *host, uint32_t ifindex);
