/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

struct list {
	struct tw_work *first, **last;
};

struct tw_worker {
	int done_fd;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct list waiting, done;
	bool stop;  /* the thread ends when nothing waits */
	bool ended; /* the thread touches nothing any more */
};

static void add_work(struct list *list, struct tw_work *work)
{
	work->next = NULL;
	*list->last = work;
	list->last = &work->next;
}

static struct tw_work *take_work(struct list *list)
{
	struct tw_work *work = list->first;

	if (!work)
		return NULL;
	list->first = work->next;
	if (!list->first)
		list->last = &list->first;
	return work;
}

/* ---- the thread ---- */

static void *run(void *arg)
{
	struct tw_worker *worker = arg;
	const uint64_t one = 1;
	struct tw_work *work;

	pthread_mutex_lock(&worker->lock);
	while (worker->waiting.first || !worker->stop) {
		work = take_work(&worker->waiting);
		if (!work) {
			pthread_cond_wait(&worker->changed, &worker->lock);
			continue;
		}
		pthread_mutex_unlock(&worker->lock);
		work->run(work);
		pthread_mutex_lock(&worker->lock);
		add_work(&worker->done, work);
		/* Fails only if the descriptor is readable anyway. */
		(void)!write(worker->done_fd, &one, sizeof(one));
	}
	worker->ended = true;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

/* ---- the loop ---- */

void tw_worker_submit(struct tw_worker *worker, struct tw_work *work)
{
	pthread_mutex_lock(&worker->lock);
	add_work(&worker->waiting, work);
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

struct tw_work *tw_worker_take(struct tw_worker *worker)
{
	struct tw_work *work;
	uint64_t count;

	pthread_mutex_lock(&worker->lock);
	work = take_work(&worker->done);
	if (!work)
		(void)!read(worker->done_fd, &count, sizeof(count));
	pthread_mutex_unlock(&worker->lock);
	return work;
}

int tw_worker_fd(const struct tw_worker *worker)
{
	return worker->done_fd;
}

/* The thread takes no signals: the loop reads them from a descriptor. */
static int start_thread(struct tw_worker *worker)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = -pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	worker->started = !code;
	return code;
}

int tw_worker_new(struct tw_worker **ret)
{
	struct tw_worker *worker = tw_alloc(sizeof(*worker));
	pthread_condattr_t attributes;
	int code;

	if (!worker)
		return -ENOMEM;
	worker->waiting.last = &worker->waiting.first;
	worker->done.last = &worker->done.first;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	worker->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = worker->done_fd < 0 ? -errno : start_thread(worker);
	if (code < 0) {
		tw_worker_free(worker);
		return code;
	}
	*ret = worker;
	return 0;
}

/* Waits for the thread to end. */
static bool wait_end(struct tw_worker *worker, unsigned int wait_ms)
{
	struct timespec until;
	int code = 0;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	pthread_cond_broadcast(&worker->changed);
	while (!worker->ended && !code)
		code = pthread_cond_timedwait(&worker->changed, &worker->lock, &until);
	ended = worker->ended;
	pthread_mutex_unlock(&worker->lock);
	return ended;
}

bool tw_worker_stop(struct tw_worker *worker, unsigned int wait_ms)
{
	if (!worker || !worker->started)
		return true;
	worker->started = false;
	if (wait_end(worker, wait_ms)) {
		pthread_join(worker->thread, NULL);
		return true;
	}
	pthread_detach(worker->thread);
	return false;
}

void tw_worker_free(struct tw_worker *worker)
{
	if (!worker)
		return;
	if (worker->done_fd >= 0)
		close(worker->done_fd);
	pthread_mutex_destroy(&worker->lock);
	pthread_cond_destroy(&worker->changed);
	free(worker);
}
