/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/ring.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/observe/queue.h"
#include "base/alloc.h"
#include "base/clock.h"

struct tw_ring {
	void (*each)(void *arg, const struct tw_event *event);
	void *arg;
	struct tw_queue queue;
	struct ring_buffer *buffer;
	pthread_mutex_t buffer_lock; /* held by the thread that reads the buffer */
	bool moving;	/* events go to the queue; under buffer_lock, like `n` and `max` */
	unsigned int n; /* events taken in this call */
	unsigned int max;
	pthread_t thread;
	bool started;
	atomic_bool stop;
	_Atomic uint64_t taken_ns; /* time of the loop's last tw_ring_take() */
	int stop_fd;		   /* wakes the thread to end */
	int poll_fd;		   /* wakes the loop */
};

/* An error ends reading for now; the event itself has been taken off the buffer. */
static int on_event(void *arg, void *data, size_t len)
{
	struct tw_ring *ring = arg;

	if (len < sizeof(struct tw_event))
		return 0;
	if (ring->moving) {
		tw_queue_add(&ring->queue, data);
		return tw_queue_room(&ring->queue) ? 0 : -EAGAIN;
	}
	ring->each(ring->arg, data);
	return ++ring->n < ring->max ? 0 : -EAGAIN;
}

static void signal_fd(int fd)
{
	const uint64_t one = 1;

	/* Fails only if the descriptor is readable anyway. */
	(void)!write(fd, &one, sizeof(one));
}

/* ---- the thread ---- */

static void move_events(struct tw_ring *ring)
{
	pthread_mutex_lock(&ring->buffer_lock);
	ring->moving = true;
	if (tw_queue_room(&ring->queue))
		ring_buffer__consume(ring->buffer);
	ring->moving = false;
	pthread_mutex_unlock(&ring->buffer_lock);
}

static void *run(void *arg)
{
	struct tw_ring *ring = arg;
	struct pollfd stop = {.fd = ring->stop_fd, .events = POLLIN};

	while (!ring->stop) {
		poll(&stop, 1, TW_EVENTS_POLL_MS);
		if (tw_clock_ns() - ring->taken_ns >= TW_RING_LATE_NS)
			move_events(ring);
		signal_fd(ring->poll_fd);
	}
	return NULL;
}

/* ---- the loop ---- */

static void take_queue(struct tw_ring *ring)
{
	const struct tw_event *event;

	for (; ring->n < ring->max && (event = tw_queue_first(&ring->queue)); ring->n++) {
		ring->each(ring->arg, event);
		tw_queue_drop(&ring->queue);
	}
}

bool tw_ring_take(struct tw_ring *ring, unsigned int max)
{
	uint64_t count;

	/* Fails only if the descriptor is not readable. */
	(void)!read(ring->poll_fd, &count, sizeof(count));
	ring->taken_ns = tw_clock_ns();
	pthread_mutex_lock(&ring->buffer_lock);
	ring->n = 0;
	ring->max = max;
	take_queue(ring);
	if (ring->n < max)
		ring_buffer__consume(ring->buffer);
	pthread_mutex_unlock(&ring->buffer_lock);
	if (ring->n < max)
		return true;
	signal_fd(ring->poll_fd);
	return false;
}

int tw_ring_buffer_fd(const struct tw_ring *ring)
{
	return ring_buffer__epoll_fd(ring->buffer);
}

int tw_ring_poll_fd(const struct tw_ring *ring)
{
	return ring->poll_fd;
}

/* ---- starting and ending ---- */

/* The thread takes no signals: the loop reads them from a descriptor. */
static int start_thread(struct tw_ring *ring)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(&ring->thread, NULL, run, ring);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ring->started = !ret;
	return ret;
}

static int open_fds(struct tw_ring *ring)
{
	ring->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ring->poll_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return ring->stop_fd < 0 || ring->poll_fd < 0 ? -errno : 0;
}

int tw_ring_new(int map_fd, void (*each)(void *arg, const struct tw_event *event), void *arg,
	struct tw_ring **ret)
{
	struct tw_ring *ring = tw_alloc(sizeof(*ring));
	int result;

	if (!ring)
		return -ENOMEM;
	ring->each = each;
	ring->arg = arg;
	ring->stop_fd = ring->poll_fd = -1;
	ring->taken_ns = tw_clock_ns();
	pthread_mutex_init(&ring->buffer_lock, NULL);
	result = tw_queue_init(&ring->queue, TW_RING_EVENTS);
	if (!result) {
		ring->buffer = ring_buffer__new(map_fd, on_event, ring, NULL);
		result = ring->buffer ? open_fds(ring) : -errno;
	}
	if (!result)
		result = start_thread(ring);
	if (result < 0) {
		tw_ring_free(ring);
		return result;
	}
	*ret = ring;
	return 0;
}

void tw_ring_free(struct tw_ring *ring)
{
	if (!ring)
		return;
	ring->stop = true;
	if (ring->started) {
		signal_fd(ring->stop_fd);
		pthread_join(ring->thread, NULL);
	}
	ring_buffer__free(ring->buffer);
	if (ring->stop_fd >= 0)
		close(ring->stop_fd);
	if (ring->poll_fd >= 0)
		close(ring->poll_fd);
	pthread_mutex_destroy(&ring->buffer_lock);
	tw_queue_done(&ring->queue);
	free(ring);
}
