/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/spool_disk.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

struct list {
	struct tw_spool_job *first, **last;
};

struct tw_spool_disk {
	int dir_fd;
	int done_fd;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct list waiting, done;
	bool stop;  /* the thread ends when nothing waits */
	bool ended; /* the thread touches nothing any more */
};

static void add_job(struct list *list, struct tw_spool_job *job)
{
	job->next = NULL;
	*list->last = job;
	list->last = &job->next;
}

static struct tw_spool_job *take_job(struct list *list)
{
	struct tw_spool_job *job = list->first;

	if (!job)
		return NULL;
	list->first = job->next;
	if (!list->first)
		list->last = &list->first;
	return job;
}

/* ---- the thread ---- */

static void do_job(const struct tw_spool_disk *disk, struct tw_spool_job *job)
{
	switch (job->work) {
	case TW_SPOOL_WRITE:
		job->result = tw_spool_file_write(disk->dir_fd, &job->part, job->data, job->len);
		break;
	case TW_SPOOL_READ:
		job->result = tw_spool_file_read(disk->dir_fd, &job->part, &job->read);
		break;
	case TW_SPOOL_REMOVE:
		tw_spool_file_remove(disk->dir_fd, &job->part);
		job->result = 0;
		break;
	}
}

static void *run(void *arg)
{
	struct tw_spool_disk *disk = arg;
	const uint64_t one = 1;
	struct tw_spool_job *job;

	pthread_mutex_lock(&disk->lock);
	while (disk->waiting.first || !disk->stop) {
		job = take_job(&disk->waiting);
		if (!job) {
			pthread_cond_wait(&disk->changed, &disk->lock);
			continue;
		}
		pthread_mutex_unlock(&disk->lock);
		do_job(disk, job);
		pthread_mutex_lock(&disk->lock);
		add_job(&disk->done, job);
		/* Fails only if the descriptor is readable anyway. */
		(void)!write(disk->done_fd, &one, sizeof(one));
	}
	disk->ended = true;
	pthread_cond_broadcast(&disk->changed);
	pthread_mutex_unlock(&disk->lock);
	return NULL;
}

/* ---- the loop ---- */

void tw_spool_disk_submit(struct tw_spool_disk *disk, struct tw_spool_job *job)
{
	pthread_mutex_lock(&disk->lock);
	add_job(&disk->waiting, job);
	pthread_cond_broadcast(&disk->changed);
	pthread_mutex_unlock(&disk->lock);
}

struct tw_spool_job *tw_spool_disk_take(struct tw_spool_disk *disk)
{
	struct tw_spool_job *job;
	uint64_t count;

	pthread_mutex_lock(&disk->lock);
	job = take_job(&disk->done);
	if (!job)
		(void)!read(disk->done_fd, &count, sizeof(count));
	pthread_mutex_unlock(&disk->lock);
	return job;
}

int tw_spool_disk_fd(const struct tw_spool_disk *disk)
{
	return disk->done_fd;
}

/* The thread takes no signals: the loop reads them from a descriptor. */
static int start_thread(struct tw_spool_disk *disk)
{
	sigset_t all, before;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = -pthread_create(&disk->thread, NULL, run, disk);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	disk->started = !code;
	return code;
}

int tw_spool_disk_new(int dir_fd, struct tw_spool_disk **ret)
{
	struct tw_spool_disk *disk = tw_alloc(sizeof(*disk));
	pthread_condattr_t attributes;
	int code;

	if (!disk) {
		close(dir_fd);
		return -ENOMEM;
	}
	disk->dir_fd = dir_fd;
	disk->waiting.last = &disk->waiting.first;
	disk->done.last = &disk->done.first;
	pthread_mutex_init(&disk->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&disk->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	disk->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = disk->done_fd < 0 ? -errno : start_thread(disk);
	if (code < 0) {
		tw_spool_disk_free(disk);
		return code;
	}
	*ret = disk;
	return 0;
}

/* Waits for the thread to end. */
static bool wait_end(struct tw_spool_disk *disk, unsigned int wait_ms)
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
	pthread_mutex_lock(&disk->lock);
	disk->stop = true;
	pthread_cond_broadcast(&disk->changed);
	while (!disk->ended && !code)
		code = pthread_cond_timedwait(&disk->changed, &disk->lock, &until);
	ended = disk->ended;
	pthread_mutex_unlock(&disk->lock);
	return ended;
}

bool tw_spool_disk_stop(struct tw_spool_disk *disk, unsigned int wait_ms)
{
	if (!disk || !disk->started)
		return true;
	disk->started = false;
	if (wait_end(disk, wait_ms)) {
		pthread_join(disk->thread, NULL);
		return true;
	}
	pthread_detach(disk->thread);
	return false;
}

void tw_spool_disk_free(struct tw_spool_disk *disk)
{
	if (!disk)
		return;
	if (disk->done_fd >= 0)
		close(disk->done_fd);
	close(disk->dir_fd);
	pthread_mutex_destroy(&disk->lock);
	pthread_cond_destroy(&disk->changed);
	free(disk);
}
