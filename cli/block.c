/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall block: puts a workload in quarantine at this host. */
#include "cli/cli.h"

int tw_block_run(const void *values)
{
	const struct tw_block_options *options = values;
	const struct tw_quarantine_options quarantine = {.socket = options->socket,
		.workload = options->workload,
		.reason = options->workload ? options->why : NULL,
		.time = options->time,
		.json = options->json};

	return tw_quarantine_run(&quarantine);
}
