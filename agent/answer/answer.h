/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* answer.h: answers the requests of link.proto; shared by the files of agent/answer.
 *
 * A function whose answer is a stream sets *ret_stream and writes nothing itself. Functions
 * return 0 or a negative errno. A response without a body ends a list.
 */
#pragma once

#include <stdint.h>

#include "link/digest.h"
#include "link/server.h"

struct tw_dial;
struct tw_enforcement;
struct tw_host;
struct tw_quarantine;
struct tw_telemetry;

/* The state that answers may read. */
struct tw_answer_ctx {
	struct tw_host *host;
	struct tw_enforcement *enforcement;
	struct tw_telemetry *telemetry;
	const struct tw_dial *dial;
	uint64_t started_ns;
	struct tw_server *const *server; /* receives the requests; set up after this struct */
	/* SHA-256 of the text in force, and the mark of that text. */
	uint8_t sha256[TW_DIGEST_BYTES];
	uint64_t sha256_mark;
};

/* Starts the answer to a request. This is `start` of struct tw_server_options, with a struct
 * tw_answer_ctx as context. */
int tw_answer_start(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream);

int tw_answer_status(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream);
/* Answers a request for one of the lists of list.c. Returns -EOPNOTSUPP for other requests. */
int tw_answer_list(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream);
int tw_answer_flows(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream);

/* Answers LogRequest and EventsRequest. */
int tw_answer_log(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream);
/* Answers an EventsRequest with `acks`. */
int tw_answer_spooled(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream);
int tw_answer_events_ack(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out);

/* True if the log has an entry about a workload, even one that the policy in force no longer
 * has. */
bool tw_answer_has_logged(const struct tw_answer_ctx *ctx, const char *workload);

int tw_answer_capture(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream);

int tw_answer_decide(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream);
int tw_answer_answer(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out);

/* Answer InstallRequest and RemoveRequest. */
int tw_answer_install(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out);
int tw_answer_remove(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream);

/* Answer ApplyRequest and ReloadRequest, once the policy is in force or refused. */
int tw_answer_apply(struct tw_answer_ctx *ctx, enum tw_role role,
	const Tapwall__V1__Request *request, struct tw_buf *out, struct tw_responses **ret_stream);
int tw_answer_reload(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream);

/* Answers PolicyVersionsRequest. */
int tw_answer_versions(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out);

int tw_answer_adopt(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out);

/* Answers QuarantineRequest and QuarantinesRequest. */
int tw_answer_quarantine(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out);
int tw_answer_quarantine_changes(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out);
int tw_answer_quarantines(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out);
/* Fills in a message. Its strings point into the quarantine. */
void tw_answer_fill_quarantine(const struct tw_quarantine *q, Tapwall__V1__Quarantine *ret);

int tw_answer_top(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream);

/* Counts the ports by their state, and fills in the names of the unfiltered ports. `status->unfiltered` must
 * have room for the names of all ports. */
void tw_answer_count_ports(const struct tw_answer_ctx *ctx, Tapwall__V1__Status *status);

/* Adds the agent's figures for Prometheus; `context` is a struct tw_answer_ctx. Used as `write`
 * of struct tw_metrics_options. */
int tw_answer_metrics(void *context, struct tw_buf *out);

/* Fills in a reason's name, text and frames in both directions. The strings are constant. Returns 0
 * or a negative errno. */
int tw_answer_counter(const struct tw_answer_ctx *ctx, uint32_t reason, Tapwall__V1__Counter *ret);

int tw_answer_send(struct tw_buf *out, uint64_t id, Tapwall__V1__Response *response, bool last);
/* Sends `response`, which may have diagnostics, as the error of its request. */
int tw_answer_error(
	struct tw_buf *out, uint64_t id, Tapwall__V1__Response *response, const struct tw_err *err);
