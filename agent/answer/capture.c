/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.c: the answer to a capture: frames as they arrive, until the client ends it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/observe/captures.h"
#include "agent/observe/describe.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "fastpath/abi/names.h"

#define TEXT(text) ((char *)(uintptr_t)(text))
#define TAG_LEN	   4
#define TAG_AT	   12 /* offset of the tag, behind the MACs */

/* The stream of a capture. `queue` holds packed responses; its first `sent` bytes have been sent to
 * the client. */
struct capture_stream {
	struct tw_responses base;
	struct tw_answer_ctx *ctx;
	struct tw_capturer capturer;
	char *target;
	struct tw_buf queue;
	size_t sent;
	uint64_t lost;	   /* total number of lost frames */
	uint64_t lost_now; /* losses to report with the next frame */
	uint64_t lost_told;
	bool joined;
	bool changed; /* the ports have changed since the client was last sent them */
	bool ends;
};

static struct capture_stream *stream_of(struct tw_capturer *capturer)
{
	return (struct capture_stream *)((char *)capturer -
					 offsetof(struct capture_stream, capturer));
}

/* Returns the maximum of bytes queued for a slow client: the size of a port's ring. */
static size_t queue_max(const struct capture_stream *stream)
{
	return (size_t)stream->capturer.ring_mib << 20;
}

/* ---- frames ---- */

static void lose(struct tw_capturer *capturer, uint32_t ifindex, uint64_t n)
{
	struct capture_stream *stream = stream_of(capturer);

	stream->lost += n;
	stream->lost_now += n;
}

static void note_change(struct tw_capturer *capturer)
{
	stream_of(capturer)->changed = true;
}

/* Returns the frame as on the wire: a tag that the kernel stores separately is put back. The
 * bytes are valid until the next call, or as long as `data` is. */
static ProtobufCBinaryData wire_data(
	const struct tw_captured *head, const uint8_t *data, size_t len)
{
	static uint8_t tagged[TW_CAPTURE_SNAP_MAX + TAG_LEN];
	const uint16_t tci = htons(head->vlan_tci);

	if (len > TW_CAPTURE_SNAP_MAX)
		len = TW_CAPTURE_SNAP_MAX;
	if (!head->vlan_type || len < TAG_AT)
		return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
	memcpy(tagged, data, TAG_AT);
	memcpy(tagged + TAG_AT, &head->vlan_type, sizeof(head->vlan_type));
	memcpy(tagged + TAG_AT + 2, &tci, sizeof(tci));
	memcpy(tagged + TAG_AT + TAG_LEN, data + TAG_AT, len - TAG_AT);
	return (ProtobufCBinaryData){len + TAG_LEN, tagged};
}

static void fill_frame(const struct tw_answer_ctx *ctx, const struct tw_agent_port *port,
	const struct tw_captured *head, Tapwall__V1__CapturedFrame *frame)
{
	const struct tw_outcome *outcome = &head->outcome;

	tapwall__v1__captured_frame__init(frame);
	frame->time_ns = tw_clock_unix_ns(head->time_ns);
	frame->port = TEXT(port->name);
	frame->workload = TEXT(port->vnic ? port->vnic->workload : "");
	frame->direction = TEXT(tw_dir_name(outcome->dir));
	frame->verdict = TEXT(tw_verdict_name(tw_outcome_report(outcome)));
	frame->reason = TEXT(tw_reason_name(tw_outcome_reason(outcome)));
	frame->rule = TEXT(
		outcome->decision ? tw_describe_rule(ctx->telemetry, outcome->decision) : "");
	frame->stage = TEXT(tw_stage_name(outcome->stage));
	frame->len = head->len + (head->vlan_type ? TAG_LEN : 0);
}

static void take(struct tw_capturer *capturer, const struct tw_agent_port *port,
	const struct tw_captured *head, const uint8_t *data)
{
	struct capture_stream *stream = stream_of(capturer);
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__CapturedFrame frame;

	if (stream->queue.len - stream->sent > queue_max(stream) || stream->queue.failed) {
		lose(capturer, head->ifindex, 1);
		return;
	}
	fill_frame(stream->ctx, port, head, &frame);
	frame.data = wire_data(head, data, head->cap_len);
	if (frame.data.len > capturer->snap_len)
		frame.data.len = capturer->snap_len;
	frame.lost_before = stream->lost_now;
	stream->lost_now = 0;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_FRAME;
	response.frame = &frame;
	tw_answer_send(&stream->queue, stream->base.id, &response, false);
}

/* ---- the stream ---- */

static int send_state(struct capture_stream *stream, struct tw_buf *out, bool last)
{
	const struct tw_capturer *capturer = &stream->capturer;
	tw_autofree char **ports = tw_alloc_array(capturer->n_ports + 1, sizeof(*ports));
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__CaptureState state = TAPWALL__V1__CAPTURE_STATE__INIT;

	if (!ports)
		return -ENOMEM;
	tw_vec_foreach (&stream->ctx->host->ports->list, port)
		if (state.n_ports < capturer->n_ports && tw_capturer_wants(capturer, *port))
			ports[state.n_ports++] = (*port)->name;
	state.ports = ports;
	state.lost = stream->lost;
	stream->lost_told = stream->lost;
	stream->changed = false;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_CAPTURE;
	response.capture = &state;
	return tw_answer_send(out, stream->base.id, &response, last);
}

/* Moves as much as fits from the queue to `out`. Messages may be cut anywhere. */
static int drain(struct capture_stream *stream, struct tw_buf *out)
{
	size_t left = stream->queue.len - stream->sent;
	size_t n = left < TW_SERVER_OUT_SOFT ? left : TW_SERVER_OUT_SOFT;

	tw_buf_add(out, stream->queue.data + stream->sent, n);
	stream->sent += n;
	if (stream->sent == stream->queue.len) {
		tw_buf_reset(&stream->queue);
		stream->sent = 0;
	} else if (stream->sent > queue_max(stream)) {
		memmove(stream->queue.data, stream->queue.data + stream->sent, left - n);
		stream->queue.len = left - n;
		stream->sent = 0;
	}
	return TW_RESPONSES_MORE;
}

static int capture_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct capture_stream *stream = (struct capture_stream *)base;
	int ret = 0;

	if (stream->queue.failed)
		return -ENOMEM;
	if (stream->queue.len)
		return drain(stream, out);
	if (stream->ends) {
		ret = send_state(stream, out, true);
		return ret < 0 ? ret : TW_RESPONSES_END;
	}
	if (stream->changed || stream->lost != stream->lost_told)
		ret = send_state(stream, out, false);
	return ret < 0 ? ret : TW_RESPONSES_WAIT;
}

static void capture_stop(struct tw_responses *base)
{
	struct capture_stream *stream = (struct capture_stream *)base;

	if (stream->joined)
		tw_captures_leave(stream->ctx->telemetry->captures, &stream->capturer);
	stream->joined = false;
	stream->ends = true;
}

static void capture_done(struct tw_responses *base)
{
	struct capture_stream *stream = (struct capture_stream *)base;

	capture_stop(base);
	tw_buf_done(&stream->queue);
	free(stream->target);
	free(stream);
}

/* True if the policy has a workload, or the host a port, of this name. */
static bool is_known(const struct tw_answer_ctx *ctx, const char *target)
{
	const struct tw_policy *policy = ctx->enforcement->inforce
						 ? ctx->enforcement->inforce->policy
						 : NULL;

	if (tw_ports_by_name(ctx->host->ports, target))
		return true;
	for (size_t i = 0; policy && i < tw_policy_n_vnics(policy); i++)
		if (!strcmp(tw_policy_vnic(policy, i)->workload, target))
			return true;
	return false;
}

/* Returns the smallest power of two that is at least the size requested. */
static uint32_t ring_mib(uint32_t asked)
{
	uint32_t mib = 1;

	if (!asked)
		return TW_CAPTURES_RING_MIB;
	while (mib < asked && mib < TW_CAPTURES_RING_MIB_MAX)
		mib *= 2;
	return mib;
}

static int capture_new(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct capture_stream **ret)
{
	const Tapwall__V1__CaptureRequest *asked = request->capture;
	struct capture_stream *stream = tw_alloc(sizeof(*stream));
	uint32_t snap_len = asked->snap_len;
	int result;

	if (!stream)
		return -ENOMEM;
	if (!snap_len || snap_len > TW_CAPTURE_SNAP_MAX)
		snap_len = TW_CAPTURE_SNAP_MAX;
	stream->base = (struct tw_responses){.next = capture_next,
		.done = capture_done,
		.stop = capture_stop,
		.id = request->id};
	stream->ctx = ctx;
	stream->target = tw_strdup(asked->workload);
	stream->changed = true;
	stream->capturer = (struct tw_capturer){.target = stream->target,
		.snap_len = snap_len,
		.ring_mib = ring_mib(asked->buffer_mib),
		.refused = asked->dropped,
		.take = take,
		.lose = lose,
		.changed = note_change};
	result = stream->target ? tw_captures_join(ctx->telemetry->captures, &stream->capturer)
				: -ENOMEM;
	if (result < 0) {
		capture_done(&stream->base);
		return result;
	}
	stream->joined = true;
	*ret = stream;
	return 0;
}

int tw_answer_capture(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	const char *target = request->capture->workload;
	struct capture_stream *stream;
	struct tw_err err;
	int ret;

	if (!is_known(ctx, target)) {
		tw_err_set(&err, -ENOENT, target, "see tapwall ports",
			"no workload or port has this name");
		return tw_answer_error(out, request->id, &response, &err);
	}
	ret = capture_new(ctx, request, &stream);
	if (ret == -ENOMEM)
		return ret;
	if (ret < 0) {
		tw_err_set(&err, ret, target,
			ret == -E2BIG ? "end another capture" : "see what tapwalld logs",
			"cannot capture: %s",
			ret == -E2BIG ? "too many ports are being captured" : strerror(-ret));
		return tw_answer_error(out, request->id, &response, &err);
	}
	*ret_stream = &stream->base;
	return 0;
}
