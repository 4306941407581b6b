/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/loop.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"

int tw_loop_init(struct tw_loop *loop, void (*turn)(void *arg), void *arg)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -errno;
	*loop = (struct tw_loop){.epoll_fd = fd, .turn = turn, .arg = arg};
	return 0;
}

void tw_loop_done(struct tw_loop *loop)
{
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

int tw_loop_add(struct tw_loop *loop, struct tw_watch *watch, int fd, uint32_t events,
	void (*ready)(void *arg, uint32_t events), void *arg)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	*watch = (struct tw_watch){.fd = fd, .ready = ready, .arg = arg};
	return 0;
}

int tw_loop_change(struct tw_loop *loop, struct tw_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? -errno : 0;
}

void tw_loop_remove(struct tw_loop *loop, struct tw_watch *watch)
{
	if (watch->fd >= 0)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -1;
}

static void handle_event(struct tw_loop *loop, const struct epoll_event *event)
{
	const struct tw_watch *watch = event->data.ptr;
	uint64_t begun = tw_clock_ns(), end;

	watch->ready(watch->arg, event->events);
	if (loop->turn)
		loop->turn(loop->arg);
	end = tw_clock_ns();
	if (end - begun < loop->longest_ns)
		return;
	loop->longest_ns = end - begun;
	loop->longest_at_ns = end;
}

int tw_loop_run(struct tw_loop *loop)
{
	while (!loop->stopping) {
		struct epoll_event event;
		int n = epoll_wait(loop->epoll_fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 1)
			handle_event(loop, &event);
	}
	return 0;
}

void tw_loop_stop(struct tw_loop *loop)
{
	loop->stopping = true;
}
