/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/captures.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/loop.h"
#include "fastpath/kernel/load.h"

/* A captured port. */
struct row {
	struct tw_captures *captures;
	struct row *next;
	uint32_t ifindex;
	struct tw_capture_want want; /* settings in the kernel; `lost` as last read */
	struct ring_buffer *ring;
	int ring_fd;
	struct tw_watch watch;
	bool wanted; /* scratch of sync_rows(): the row is still needed */
};

struct tw_captures {
	struct tw_telemetry *telemetry;
	struct tw_capturer *capturers;
	struct row *rows;
	unsigned int n_rows;
	unsigned int turn; /* frames taken in this turn */
	int trouble;	   /* error that was logged last; 0: none */
	struct tw_watch poll_watch;
	int poll_fd; /* fires every TW_CAPTURES_POLL_MS while there are rows */
};

bool tw_capturer_wants(const struct tw_capturer *capturer, const struct tw_agent_port *port)
{
	return !strcmp(port->name, capturer->target) ||
	       (port->vnic && !strcmp(port->vnic->workload, capturer->target));
}

/* ---- reading ---- */

static int on_frame(void *arg, void *record, size_t len)
{
	struct row *row = arg;
	struct tw_captures *captures = row->captures;
	const struct tw_agent_port *port = tw_ports_find(
		captures->telemetry->host->ports, row->ifindex);
	const struct tw_captured *head = record;
	struct tw_capturer *capturer, *next;

	if (!port || len < sizeof(*head) || head->cap_len > len - sizeof(*head))
		return 0;
	for (capturer = captures->capturers; capturer; capturer = next) {
		next = capturer->next;
		if (tw_capturer_wants(capturer, port) &&
			!(capturer->refused && head->outcome.verdict == TW_V_ALLOW))
			capturer->take(capturer, port, head, (const uint8_t *)(head + 1));
	}
	/* An error stops reading for this turn; the record itself is consumed. */
	return ++captures->turn < TW_CAPTURES_TURN ? 0 : -EAGAIN;
}

/* Reports the frames that were lost since the last check. */
static void look_for_losses(struct row *row)
{
	struct tw_captures *captures = row->captures;
	const struct tw_agent_port *port = tw_ports_find(
		captures->telemetry->host->ports, row->ifindex);
	struct tw_capture_want now;
	uint64_t lost;

	if (!port ||
		tw_kernel_capture_get(captures->telemetry->host->kernel, row->ifindex, &now) < 0)
		return;
	lost = now.lost - row->want.lost;
	row->want.lost = now.lost;
	for (struct tw_capturer *capturer = captures->capturers; lost && capturer;
		capturer = capturer->next)
		if (tw_capturer_wants(capturer, port))
			capturer->lose(capturer, row->ifindex, lost);
}

static void read_row(struct row *row)
{
	ring_buffer__consume(row->ring);
	look_for_losses(row);
}

static void arm(struct tw_captures *captures, bool at_once)
{
	const struct timespec period = {0, TW_CAPTURES_POLL_MS * 1000000L}, none = {0, 0};
	struct itimerspec when = {none, none};

	if (captures->rows)
		when = (struct itimerspec){period, at_once ? (struct timespec){0, 1} : period};
	timerfd_settime(captures->poll_fd, 0, &when, NULL);
}

static void on_ring(void *arg, uint32_t events)
{
	struct row *row = arg;
	struct tw_captures *captures = row->captures;

	captures->turn = 0;
	read_row(row);
	if (captures->turn >= TW_CAPTURES_TURN)
		arm(captures, true);
	captures->telemetry->told = true;
}

static void on_poll(void *arg, uint32_t events)
{
	struct tw_captures *captures = arg;
	uint64_t count;
	bool more = false;

	if (read(captures->poll_fd, &count, sizeof(count)) != sizeof(count))
		return;
	for (struct row *row = captures->rows; row; row = row->next) {
		captures->turn = 0;
		read_row(row);
		more |= captures->turn >= TW_CAPTURES_TURN;
	}
	if (more)
		arm(captures, true);
	captures->telemetry->told = true;
}

/* ---- ports ---- */

static void row_free(struct row *row)
{
	struct tw_captures *captures = row->captures;
	struct row **at = &captures->rows;

	while (*at != row)
		at = &(*at)->next;
	*at = row->next;
	captures->n_rows--;
	tw_kernel_capture_stop(captures->telemetry->host->kernel, row->ifindex);
	tw_loop_remove(captures->telemetry->loop, &row->watch);
	ring_buffer__free(row->ring);
	if (row->ring_fd >= 0)
		close(row->ring_fd);
	free(row);
}

static int row_new(struct tw_captures *captures, uint32_t ifindex,
	const struct tw_capture_want *want, uint32_t ring_mib)
{
	struct tw_telemetry *telemetry = captures->telemetry;
	struct row *row = tw_alloc(sizeof(*row));
	int ret;

	if (!row)
		return -ENOMEM;
	*row = (struct row){.captures = captures,
		.next = captures->rows,
		.ifindex = ifindex,
		.want = *want,
		.ring_fd = -1,
		.watch = {.fd = -1},
		.wanted = true};
	captures->rows = row;
	captures->n_rows++;
	ret = tw_kernel_capture_start(
		telemetry->host->kernel, ifindex, want, ring_mib << 20, &row->ring_fd);
	if (!ret) {
		row->ring = ring_buffer__new(row->ring_fd, on_frame, row, NULL);
		ret = row->ring ? tw_loop_add(telemetry->loop, &row->watch,
					  ring_buffer__epoll_fd(row->ring), EPOLLIN, on_ring, row)
				: -errno;
	}
	if (ret < 0)
		row_free(row);
	return ret < 0 ? ret : 0;
}

static struct row *row_of(const struct tw_captures *captures, uint32_t ifindex)
{
	struct row *row = captures->rows;

	while (row && row->ifindex != ifindex)
		row = row->next;
	return row;
}

/* Combines the settings of all captures at a port. False if there is none. */
static bool sum_up(const struct tw_captures *captures, const struct tw_agent_port *port,
	struct tw_capture_want *ret, uint32_t *ret_ring_mib)
{
	bool any = false;

	*ret_ring_mib = 0;

	*ret = (struct tw_capture_want){.flags = TW_CAPTURE_F_REFUSED};
	for (const struct tw_capturer *capturer = captures->capturers; capturer;
		capturer = capturer->next) {
		if (!tw_capturer_wants(capturer, port))
			continue;
		any = true;
		if (!capturer->refused)
			ret->flags = 0;
		if (capturer->snap_len > ret->snap_len)
			ret->snap_len = capturer->snap_len;
		if (capturer->ring_mib > *ret_ring_mib)
			*ret_ring_mib = capturer->ring_mib;
	}
	return any;
}

static int want(struct tw_captures *captures, uint32_t ifindex, struct tw_capture_want *want,
	uint32_t ring_mib)
{
	struct row *row = row_of(captures, ifindex);

	if (!row)
		return row_new(captures, ifindex, want, ring_mib);
	row->wanted = true;
	if (row->want.snap_len == want->snap_len && row->want.flags == want->flags)
		return 0;
	/* Losses since the last check are not reported here. */
	want->lost = row->want.lost;
	row->want = *want;
	return tw_kernel_capture_set(captures->telemetry->host->kernel, ifindex, want);
}

static void count_ports(struct tw_captures *captures, bool changed)
{
	for (struct tw_capturer *capturer = captures->capturers; capturer;
		capturer = capturer->next) {
		capturer->n_ports = 0;
		for (const struct row *row = captures->rows; row; row = row->next) {
			const struct tw_agent_port *port = tw_ports_find(
				captures->telemetry->host->ports, row->ifindex);

			capturer->n_ports += port && tw_capturer_wants(capturer, port);
		}
		if (changed)
			capturer->changed(capturer);
	}
}

/* Updates the rows to the current captures. Continues after a failure and returns the first one. */
static int sync_rows(struct tw_captures *captures)
{
	struct tw_telemetry *telemetry = captures->telemetry;
	unsigned int before = captures->n_rows;
	bool changed = false;
	struct row *row, *next;
	int ret = 0;

	for (row = captures->rows; row; row = row->next)
		row->wanted = false;
	tw_vec_foreach (&telemetry->host->ports->list, port) {
		struct tw_capture_want all;
		uint32_t ring_mib;
		int failed = 0;

		if (sum_up(captures, *port, &all, &ring_mib))
			failed = want(captures, (*port)->ifindex, &all, ring_mib);
		ret = ret ? ret : failed;
	}
	changed = captures->n_rows != before;
	for (row = captures->rows; row; row = next) {
		next = row->next;
		if (row->wanted)
			continue;
		changed = true;
		row_free(row);
	}
	count_ports(captures, changed);
	if (changed)
		arm(captures, false);
	return ret;
}

void tw_captures_sync(struct tw_captures *captures)
{
	int ret;

	if (!captures || (!captures->capturers && !captures->rows))
		return;
	ret = sync_rows(captures);
	if (ret < 0 && ret != captures->trouble)
		tw_log(TW_LOG_WARNING, "capture: some ports cannot be captured: %s",
			strerror(-ret));
	captures->trouble = ret;
}

int tw_captures_join(struct tw_captures *captures, struct tw_capturer *capturer)
{
	int ret;

	capturer->next = captures->capturers;
	captures->capturers = capturer;
	ret = sync_rows(captures);
	if (ret < 0)
		tw_captures_leave(captures, capturer);
	return ret;
}

void tw_captures_leave(struct tw_captures *captures, struct tw_capturer *capturer)
{
	struct tw_capturer **at = &captures->capturers;

	for (struct row *row = captures->rows; row; row = row->next)
		for (int i = 0; i < TW_CAPTURES_LAST_TURNS; i++) {
			captures->turn = 0;
			read_row(row);
			if (captures->turn < TW_CAPTURES_TURN)
				break;
		}
	while (*at != capturer)
		at = &(*at)->next;
	*at = capturer->next;
	sync_rows(captures);
}

/* ---- create, join, free ---- */

int tw_captures_new(struct tw_telemetry *telemetry, struct tw_captures **ret, struct tw_err *err)
{
	struct tw_captures *captures = tw_alloc(sizeof(*captures));
	int result;

	if (!captures)
		return tw_err_set(err, -ENOMEM, "capture", NULL, "out of memory");
	tw_kernel_capture_clear(telemetry->host->kernel);
	captures->telemetry = telemetry;
	captures->poll_watch.fd = -1;
	captures->poll_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	result = captures->poll_fd < 0 ? -errno
				       : tw_loop_add(telemetry->loop, &captures->poll_watch,
						 captures->poll_fd, EPOLLIN, on_poll, captures);
	if (result < 0) {
		tw_captures_free(captures);
		return tw_err_set(err, result, "capture", NULL, "%s", strerror(-result));
	}
	*ret = captures;
	return 0;
}

void tw_captures_free(struct tw_captures *captures)
{
	if (!captures)
		return;
	while (captures->rows)
		row_free(captures->rows);
	tw_loop_remove(captures->telemetry->loop, &captures->poll_watch);
	if (captures->poll_fd >= 0)
		close(captures->poll_fd);
	free(captures);
}
