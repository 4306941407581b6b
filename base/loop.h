/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loop.h: one epoll loop in one thread. A module that waits for a file descriptor registers a
 * watch.
 *
 * Invariants: 1. Each turn handles one event, so a callback may remove any watch, including its
 *             own.
 *             2. A callback never blocks for longer than it takes to change kernel state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct tw_loop {
	int epoll_fd;
	bool stopping;
	void (*turn)(void *arg);
	void *arg;
	uint64_t longest_ns; /* duration of the longest turn, in which nothing else was handled */
	uint64_t longest_at_ns; /* end of that turn, monotonic; 0: none yet */
};

/* Owned by the caller that registers it. Must not move until it is removed. */
struct tw_watch {
	int fd; /* -1: not registered */
	void (*ready)(void *arg, uint32_t events);
	void *arg;
};

/* Calls `turn`, which may be NULL, after each callback. Returns 0 or a negative errno. */
int tw_loop_init(struct tw_loop *loop, void (*turn)(void *arg), void *arg);
void tw_loop_done(struct tw_loop *loop);

/* Calls ready(arg, EPOLL…) whenever `fd` has one of `events`. Returns 0 or a negative errno. */
int tw_loop_add(struct tw_loop *loop, struct tw_watch *watch, int fd, uint32_t events,
	void (*ready)(void *arg, uint32_t events), void *arg);
int tw_loop_change(struct tw_loop *loop, struct tw_watch *watch, uint32_t events);
void tw_loop_remove(struct tw_loop *loop, struct tw_watch *watch); /* does not close the fd */

/* Runs until tw_loop_stop(). Returns 0 or a negative errno. */
int tw_loop_run(struct tw_loop *loop);
void tw_loop_stop(struct tw_loop *loop);
