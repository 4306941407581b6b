/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* slow.h: the state of tapwall-slowd, in one place.
 *
 * Invariants: 1. One thread and one loop; no module blocks.
 *             2. No host depends on it: agents filter without it.
 * Order:      daemon.c sets everything up, and ends it in reverse.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "link/identity.h"
#include "link/server.h"
#include "slowpath/agents.h"
#include "slowpath/enroll.h"
#include "slowpath/feed/feed.h"
#include "slowpath/options.h"
#include "slowpath/own.h"
#include "slowpath/policies/policies.h"
#include "slowpath/policies/targets.h"
#include "slowpath/quarantine/ledger.h"
#include "slowpath/quarantine/spread.h"
#include "slowpath/query/search.h"
#include "slowpath/revoked.h"

struct tw_slow {
	const struct tw_slow_options *options;
	const char *
		history; /* its place, as in place.h; NULL: none is kept, `history_err` may say why */
	struct tw_err history_err;
	struct tw_loop loop;
	struct tw_own own;
	struct tw_revoked revoked;
	struct tw_enroll enroll;
	struct tw_agents *agents;
	struct tw_policies *policies; /* NULL: `policies_err` says why */
	struct tw_targets *targets;   /* NULL if `policies` is */
	struct tw_ledger *ledger;     /* NULL if `policies` is */
	struct tw_spread *spread;     /* NULL if `policies` is */
	struct tw_err policies_err;
	struct tw_export *export; /* NULL: none */
	struct tw_feed *feed;
	struct tw_search *search;
	struct tw_server *server;
	struct tw_metrics *metrics; /* NULL: none */
	struct tw_watch signal_watch;
	struct tw_watch tick_watch;
	int signal_fd;
	int tick_fd;
	uint64_t started_ns;

	/* Flags for this turn of the loop. */
	bool ticked;
	bool told; /* an agent sent something for a waiting stream */
};
