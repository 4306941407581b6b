/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* export.h: the exporters of tapwall-slowd, as its command line asks for them.
 *
 * How:        an exporter is a sink of the recorder (feed/recorder.h), an encoder and a sender (sender.h).
 * Invariants: a collector that is away, slow or hostile stalls neither the loop nor the recorder.
 * Callers:    daemon.c, metrics.c; one thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "slowpath/feed/recorder.h"
#include "slowpath/options.h"

struct tw_export;

/* Starts the exporters. *ret is NULL if there are none. Returns 0, or a negative errno with `err` filled in. */
int tw_export_new(
	const struct tw_slow_options *options, struct tw_export **ret, struct tw_err *err);
/* Sends what is queued, for a short time. Must be called after tw_feed_free(). NULL is fine. */
void tw_export_free(struct tw_export *export);
/* Adds the sinks of the exporters to an array with room for TW_RECORDER_SINKS. NULL is fine. */
void tw_export_add_sinks(
	struct tw_export *export, struct tw_recorder_sink *sinks, unsigned int *n_sinks);
/* Adds the exporters' figures. NULL is fine. */
void tw_export_add_metrics(struct tw_export *export, struct tw_buf *out);
