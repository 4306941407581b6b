/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* metrics.h: serves a program's figures to Prometheus, as GET /metrics over HTTP.
 *
 * Why:        the text has a fixed format and takes a few kilobytes, and the requests have no body,
 *             so an HTTP library would be larger than what it replaces.
 * How:        one response per connection, which is then closed. A request's headers are read and
 *             ignored.
 * Invariants: 1. A request can only read.
 *             2. Labels have few values: ports, agents, reasons. No connection has a time series.
 * Bounds:     TW_METRICS_CLIENTS connections (further ones are closed at once);
 *             TW_METRICS_REQUEST_MAX bytes of a request; TW_METRICS_NS from accepting to closing.
 * Callers:    the daemons of the agent and of the slow path; one thread.
 * Source:     RFC 9112; Prometheus text format 0.0.4.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"

#define TW_METRICS_CLIENTS     8
#define TW_METRICS_REQUEST_MAX 8192
#define TW_METRICS_NS	       10000000000u

struct tw_metrics;

struct tw_metrics_options {
	struct tw_loop *loop;
	const char *address; /* ADDRESS:PORT, or the path of a Unix socket */
	/* Adds all figures to `out`. Returns 0 or a negative errno, and then the response is an error. */
	int (*write)(void *context, struct tw_buf *out);
	void *context;
	uint64_t limit_ns; /* time from accepting to closing; 0: TW_METRICS_NS */
};

/* Listens. The options are copied; the objects that they point to must outlive the server. A Unix socket
 * is open to root and the group tapwall-view. Returns 0, or a negative errno with `err` filled in. */
int tw_metrics_new(
	const struct tw_metrics_options *options, struct tw_metrics **ret, struct tw_err *err);
void tw_metrics_free(struct tw_metrics *metrics); /* NULL is fine */
/* Closes the connections that take too long. NULL is fine. */
void tw_metrics_tick(struct tw_metrics *metrics);

/* ---- text of the figures ---- */

/* Begins a family of figures. `type` is gauge or counter; the name of a counter ends with _total. */
void tw_metrics_family(struct tw_buf *out, const char *name, const char *type, const char *help);
/* Adds one figure. `labels` are names and values in turn, NULL at the end; NULL: none. Values are
 * escaped. */
void tw_metrics_add(
	struct tw_buf *out, const char *name, const char *const *labels, uint64_t value);
/* Adds a family with a single figure without labels. */
void tw_metrics_single(
	struct tw_buf *out, const char *name, const char *type, const char *help, uint64_t value);
