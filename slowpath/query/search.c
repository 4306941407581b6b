/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/query/search.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/reply.h"
#include "slowpath/query/found.h"
#include "slowpath/query/wanted.h"
#include "slowpath/store/place.h"

#define TEXT(text) ((char *)(uintptr_t)(text))
#define SEND_BYTES 65536 /* largest part of an answer that is sent at once */

/* A query. Its stream owns it, except while a thread runs it. */
struct job {
	struct tw_responses base;
	struct job *next;
	struct tw_search *query;
	struct tw_wanted wanted;
	Tapwall__V1__HistoryState state;
	struct tw_buf out; /* the answer, when `ready` */
	size_t sent;
	bool taken; /* a thread runs it */
	bool ready;
	bool left; /* its client has gone */
};

struct worker {
	struct tw_search *query;
	struct tw_store_reader *reader; /* NULL: not opened yet */
	pthread_t thread;
	bool started;
};

struct tw_search {
	struct tw_search_setup setup;
	struct worker workers[TW_SEARCH_THREADS];
	struct tw_watch watch;
	int wake_fd;
	unsigned int n_jobs;
	/* Shared by all threads, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t queued;
	struct job *first, **end; /* jobs that no thread has taken */
	bool stopping;
	_Atomic uint64_t end_ns; /* as in store.h */
};

/* ---- jobs ---- */

static void job_free(struct job *job)
{
	tw_wanted_done(&job->wanted);
	tw_buf_done(&job->out);
	free(job->state.path);
	free(job->state.failing);
	free(job);
}

/* Removes a job from the queue. The caller holds the lock. */
static void unqueue_job(struct tw_search *query, struct job *job)
{
	struct job **at = &query->first;

	while (*at && *at != job)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = job->next;
	if (!job->next)
		query->end = at;
}

/* ---- the threads ---- */

static int run_job(struct worker *worker, struct job *job)
{
	const struct tw_search_setup *setup = &worker->query->setup;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tw_err err = {0};
	int code = 0;

	if (!worker->reader)
		code = tw_place_open_reader(setup->path, &setup->access, &worker->reader, &err);
	if (!code)
		code = tw_found_send(
			worker->reader, &job->wanted, &job->state, job->base.id, &job->out, &err);
	return code < 0 ? tw_reply_error(&job->out, job->base.id, &response, &err) : 0;
}

/* Waits for a job. Returns NULL if the thread is to end. */
static struct job *next_job(struct tw_search *query)
{
	struct job *job = NULL;

	pthread_mutex_lock(&query->lock);
	while (!query->first && !query->stopping)
		pthread_cond_wait(&query->queued, &query->lock);
	if (!query->stopping) {
		job = query->first;
		unqueue_job(query, job);
		job->taken = true;
	}
	pthread_mutex_unlock(&query->lock);
	return job;
}

static void end_job(struct tw_search *query, struct job *job)
{
	const uint64_t one = 1;
	bool left;

	pthread_mutex_lock(&query->lock);
	job->ready = true;
	left = job->left;
	pthread_mutex_unlock(&query->lock);
	if (left)
		job_free(job);
	else if (write(query->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		tw_log(TW_LOG_ERR, "cannot wake the loop: %s", strerror(errno));
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct job *job;

	while ((job = next_job(worker->query))) {
		/* Without memory for an error, the stream ends with -ENOMEM. */
		if (run_job(worker, job) < 0)
			job->out.failed = true;
		end_job(worker->query, job);
	}
	tw_store_reader_free(worker->reader);
	return NULL;
}

/* ---- streams ---- */

static int job_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct job *job = (struct job *)base;
	size_t len;
	bool ready;

	pthread_mutex_lock(&job->query->lock);
	ready = job->ready;
	pthread_mutex_unlock(&job->query->lock);
	if (!ready)
		return TW_RESPONSES_WAIT;
	if (job->out.failed)
		return -ENOMEM;
	len = job->out.len - job->sent;
	if (len > SEND_BYTES)
		len = SEND_BYTES;
	tw_buf_add(out, job->out.data + job->sent, len);
	job->sent += len;
	return job->sent < job->out.len ? TW_RESPONSES_MORE : TW_RESPONSES_END;
}

static void job_done(struct tw_responses *base)
{
	struct job *job = (struct job *)base;
	struct tw_search *query = job->query;
	bool running;

	query->n_jobs--;
	pthread_mutex_lock(&query->lock);
	if (!job->taken)
		unqueue_job(query, job);
	running = job->taken && !job->ready;
	job->left = running;
	pthread_mutex_unlock(&query->lock);
	if (!running)
		job_free(job);
}

/* A client that has closed its sending side still gets its answer. */
static void job_stop(struct tw_responses *base)
{
}

static void on_wake(void *arg, uint32_t events)
{
	struct tw_search *query = arg;
	uint64_t count;

	if (read(query->wake_fd, &count, sizeof(count)) == sizeof(count))
		query->setup.told(query->setup.arg);
}

/* ---- what only the loop knows ---- */

static int send_source(const struct tw_feed_row *row, uint64_t id, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__HistorySource source = TAPWALL__V1__HISTORY_SOURCE__INIT;

	source.agent = TEXT(row->agent);
	source.followed = row->followed;
	source.rows = row->facts.rows;
	source.lost = row->facts.lost;
	source.unusable = row->facts.unusable;
	source.last_us = row->facts.last_us;
	source.why = TEXT(row->why);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_SOURCE;
	response.history_source = &source;
	return tw_reply_send(out, id, &response, false);
}

/* Puts the agents at the start of the answer, and fills in the recorder's state. */
static int add_state(struct tw_search *query, struct job *job)
{
	Tapwall__V1__HistoryState *state = &job->state;
	struct tw_recorder_state recorder;
	struct tw_feed_row row;
	int code = 0;

	for (unsigned int i = 0; !code && tw_feed_row_at(query->setup.feed, i, &row); i++)
		code = send_source(&row, job->base.id, &job->out);
	tw_feed_get_state(query->setup.feed, &recorder);
	state->path = tw_strdup(query->setup.path);
	state->failing = tw_strdup(!recorder.history.failing ? ""
				   : recorder.history.why[0] ? recorder.history.why
							     : strerror(-recorder.history.failing));
	if (recorder.history.failing)
		state->failing_s = (double)(tw_clock_ns() - recorder.history.failing_since_ns) /
				   1e9;
	state->recorded = recorder.history.seq;
	state->pending = recorder.history.pending;
	state->dropped = recorder.history.rows_dropped;
	state->bytes_max = query->setup.limits.bytes_max;
	state->age_max_s = (double)query->setup.limits.age_max_us / 1e6;
	return !code && state->path && state->failing ? 0 : -ENOMEM;
}

/* ---- for the loop ---- */

static int refuse(struct tw_buf *out, uint64_t id, const struct tw_err *err)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	return tw_reply_error(out, id, &response, err);
}

static int make_job(struct tw_search *query, const Tapwall__V1__Request *request, struct job **ret,
	struct tw_err *err)
{
	struct job *job;
	int code;

	if (!query->setup.path && query->setup.why->code) {
		*err = *query->setup.why;
		return err->code;
	}
	if (!query->setup.path)
		return tw_err_set(err, -EOPNOTSUPP, "history",
			"start tapwall-slowd without --no-history", "no history is kept");
	if (query->n_jobs >= TW_SEARCH_MAX)
		return tw_err_set(err, -EBUSY, "history", "try again later",
			"%d queries are under way", TW_SEARCH_MAX);
	job = tw_alloc(sizeof(*job));
	if (!job)
		return tw_err_set(err, -ENOMEM, "history", NULL, "out of memory");
	job->base = (struct tw_responses){
		.next = job_next, .done = job_done, .stop = job_stop, .id = request->id};
	job->query = query;
	tapwall__v1__history_state__init(&job->state);
	job->state.path = job->state.failing = NULL;
	code = tw_wanted_read(request->history, &job->wanted, err);
	if (!code && job->wanted.about == TAPWALL__V1__HISTORY_REQUEST__ABOUT__STATE &&
		add_state(query, job) < 0)
		code = tw_err_set(err, -ENOMEM, "history", NULL, "out of memory");
	if (code < 0)
		job_free(job);
	else
		*ret = job;
	return code;
}

int tw_search_start(struct tw_search *query, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	struct tw_err err = {0};
	struct job *job = NULL;

	if (make_job(query, request, &job, &err) < 0)
		return refuse(out, request->id, &err);
	query->n_jobs++;
	pthread_mutex_lock(&query->lock);
	*query->end = job;
	query->end = &job->next;
	pthread_cond_signal(&query->queued);
	pthread_mutex_unlock(&query->lock);
	*ret = &job->base;
	return 0;
}

/* ---- life ---- */

static int start_threads(struct tw_search *query)
{
	int code = 0;

	for (int i = 0; i < TW_SEARCH_THREADS && !code; i++) {
		struct worker *worker = &query->workers[i];

		worker->query = query;
		code = -pthread_create(&worker->thread, NULL, work, worker);
		worker->started = !code;
	}
	return code;
}

int tw_search_new(const struct tw_search_setup *setup, struct tw_search **ret, struct tw_err *err)
{
	struct tw_search *query = tw_alloc(sizeof(*query));
	int code;

	if (!query)
		return tw_err_set(err, -ENOMEM, "start", NULL, "out of memory");
	query->setup = *setup;
	query->setup.access.end_ns = &query->end_ns;
	query->end = &query->first;
	query->watch.fd = -1;
	pthread_mutex_init(&query->lock, NULL);
	pthread_cond_init(&query->queued, NULL);
	query->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = query->wake_fd < 0 ? -errno : 0;
	if (!code)
		code = tw_loop_add(
			setup->loop, &query->watch, query->wake_fd, EPOLLIN, on_wake, query);
	if (!code && setup->path)
		code = start_threads(query);
	if (code < 0) {
		tw_search_free(query);
		return tw_err_set(err, code, "start", NULL, "%s", strerror(-code));
	}
	*ret = query;
	return 0;
}

void tw_search_free(struct tw_search *query)
{
	if (!query)
		return;
	atomic_store(&query->end_ns, tw_clock_ns());
	pthread_mutex_lock(&query->lock);
	query->stopping = true;
	pthread_cond_broadcast(&query->queued);
	pthread_mutex_unlock(&query->lock);
	for (int i = 0; i < TW_SEARCH_THREADS; i++)
		if (query->workers[i].started)
			pthread_join(query->workers[i].thread, NULL);
	tw_loop_remove(query->setup.loop, &query->watch);
	if (query->wake_fd >= 0)
		close(query->wake_fd);
	pthread_cond_destroy(&query->queued);
	pthread_mutex_destroy(&query->lock);
	free(query);
}
