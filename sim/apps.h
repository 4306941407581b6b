/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apps.h: the applications of a capture's connections (fastpath/path/app/app.h).
 *
 * What:       puts the first bytes of each direction in order, and has them compared. A
 *             retransmitted or reordered segment does not change the answer: the first copy of a
 *             byte counts, and bytes behind a gap wait for it. Data in a SYN is the stream's first.
 * Invariants: a connection is named once; later frames have the same name.
 * Bounds:     TW_APPS_PIECES segments behind gaps per direction. More are left to their
 *             retransmission.
 * Callers:    replay, tests. One thread per object.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "fastpath/abi/types.h"
#include "fastpath/path/app/app.h"
#include "sim/glance.h"

#define TW_APPS_PIECES 8

struct tw_apps;

/* Creates an object for at most `max` connections. 0 or -ENOMEM. */
int tw_apps_new(struct tw_apps **ret, size_t max);
void tw_apps_free(struct tw_apps *apps); /* NULL is fine */
TW_DEFINE_AUTO(tw_apps)

/* Looks at a frame of a connection. `opens`: it is the first one, and what is known by this key is
 * forgotten. Returns TW_APP_NONE as long as the application is unknown; also if there is no room
 * for the connection. */
enum tw_app tw_apps_see(struct tw_apps *apps, const struct tw_key *key, bool opens,
	const struct tw_glance *glance, const uint8_t *data);

/* Forgets all connections. The counts stay. */
void tw_apps_forget(struct tw_apps *apps);

/* Returns the number of connections that were named so. */
uint64_t tw_apps_count(const struct tw_apps *apps, enum tw_app app);
