/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall unblock: ends the quarantine of a workload at this host. */
#include "cli/cli.h"

int tw_unblock_run(const void *values)
{
	const struct tw_block_options *options = values;
	const struct tw_quarantine_options quarantine = {.socket = options->socket,
		.workload = options->workload,
		.lift = true,
		.json = options->json};

	return tw_quarantine_run(&quarantine);
}
