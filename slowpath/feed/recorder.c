/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/feed/recorder.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "slowpath/store/place.h"

#define NS_PER_S       1000000000u
#define LAST_COMMIT_NS 3000000000u /* for the last commit, when the recorder stops */
#define MARK_MAX       (TW_STREAM_PEER_MAX + 16)
#define MARK_NEXT      "agent %s: next"
#define MARK_JOURNAL   "agent %s: journal"

struct list {
	struct tw_parcel *first, **end;
};

struct tw_recorder {
	struct tw_recorder_setup setup;
	struct tw_store_writer *history; /* NULL: none is kept */
	struct tw_history_row rows[TW_EVENT_READER_ROWS];
	uint64_t commit_ns; /* time when a commit is due; 0: nothing waits for one */
	struct tw_source *dirty;
	bool told; /* the failure to commit was logged */
	size_t waiting; /* bytes of parcels that were given and not taken back; only for the loop's thread */
	pthread_t thread;
	bool started;
	/* Shared by both threads, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct list in, out;
	bool stopping;
	struct tw_recorder_state state;
	_Atomic uint64_t end_ns; /* as in store.h */
};

static void list_init(struct list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_add(struct list *list, struct tw_parcel *parcel)
{
	parcel->next = NULL;
	*list->end = parcel;
	list->end = &parcel->next;
}

static void wake_loop(struct tw_recorder *recorder)
{
	const uint64_t one = 1;

	/* The eventfd is readable until the loop reads it, so a full counter loses no wake-up. */
	if (write(recorder->setup.wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		tw_log(TW_LOG_ERR, "cannot wake the loop: %s", strerror(errno));
}

/* ---- commits ---- */

/* Stores the positions of the sources that have new rows. */
static int mark_sources(struct tw_recorder *recorder)
{
	struct tw_store_writer *store = recorder->history;
	int err = 0;

	for (struct tw_source *source = recorder->dirty; source && !err;
		source = source->next_dirty) {
		char mark[MARK_MAX];

		snprintf(mark, sizeof(mark), MARK_NEXT, source->name);
		err = store->ops->mark_source(store, mark, source->next);
		snprintf(mark, sizeof(mark), MARK_JOURNAL, source->name);
		if (!err)
			err = store->ops->mark_source(store, mark, source->journal);
	}
	return err;
}

static void note_durable(struct tw_recorder *recorder)
{
	pthread_mutex_lock(&recorder->lock);
	for (struct tw_source *source = recorder->dirty, *next; source; source = next) {
		next = source->next_dirty;
		source->dirty = false;
		source->facts.durable = source->next;
		source->facts.journal = source->journal;
	}
	recorder->state.commits++;
	pthread_mutex_unlock(&recorder->lock);
	recorder->dirty = NULL;
}

/* Takes over the state of the history, for status. Logs the first of several failures, and the
 * success after them. */
static void tell_state(struct tw_recorder *recorder, int err)
{
	struct tw_history_state state = {0};

	if (recorder->history) {
		recorder->history->ops->get_progress(recorder->history, &state);
		pthread_mutex_lock(&recorder->lock);
		recorder->state.history = state;
		pthread_mutex_unlock(&recorder->lock);
	}
	if (err && !recorder->told)
		tw_log(TW_LOG_ERR,
			"the history cannot be written: %s; agents keep their events until it can",
			state.why[0] ? state.why : strerror(-err));
	else if (!err && recorder->told)
		tw_log(TW_LOG_INFO, "the history is written again");
	recorder->told = err != 0;
}

static int commit(struct tw_recorder *recorder)
{
	int err = recorder->history ? mark_sources(recorder) : 0;

	if (recorder->history && !err)
		err = recorder->history->ops->commit(recorder->history);
	tell_state(recorder, err);
	recorder->commit_ns = err ? tw_clock_ns() + TW_RECORDER_RETRY_NS : 0;
	if (err)
		return err;
	for (unsigned int i = 0; i < recorder->setup.n_sinks; i++)
		if (recorder->setup.sinks[i].pause)
			recorder->setup.sinks[i].pause(recorder->setup.sinks[i].arg);
	note_durable(recorder);
	wake_loop(recorder);
	return 0;
}

/* Waits until `deadline_ns`, or until the recorder is to stop. True if it is to stop. */
static bool wait_for_stop(struct tw_recorder *recorder, uint64_t deadline_ns)
{
	const struct timespec deadline = {
		(time_t)(deadline_ns / NS_PER_S), (long)(deadline_ns % NS_PER_S)};
	bool stopping;

	pthread_mutex_lock(&recorder->lock);
	while (!recorder->stopping &&
		pthread_cond_timedwait(&recorder->given, &recorder->lock, &deadline) != ETIMEDOUT)
		;
	stopping = recorder->stopping;
	pthread_mutex_unlock(&recorder->lock);
	return stopping;
}

/* Appends rows. While they do not fit, commits; while that fails, waits. Returns 0, or the
 * negative errno of the commit if the recorder is to stop. */
static int append(struct tw_recorder *recorder, size_t n)
{
	int err = 0;

	while (n && recorder->history->ops->append(recorder->history, recorder->rows, n)) {
		err = commit(recorder);
		if (err && wait_for_stop(recorder, recorder->commit_ns))
			return err;
	}
	return 0;
}

/* ---- parcels ---- */

static int find_number(void *arg, enum tw_history_noun noun, const char *text, uint32_t *ret_number)
{
	struct tw_recorder *recorder = arg;
	int err = recorder->history->ops->name(recorder->history, noun, text, ret_number);

	/* A row without a name is better than none. */
	return err == -ENOSPC ? 0 : err;
}

/* Waits until the history is ready, so that positions are known. Returns 0, or a negative errno if the
 * recorder is to stop. */
static int wait_for_history(struct tw_recorder *recorder)
{
	struct tw_store_writer *store = recorder->history;
	bool waited = false;
	int err;

	while ((err = store->ops->ready(store))) {
		waited = true;
		tell_state(recorder, err);
		if (wait_for_stop(recorder, tw_clock_ns() + TW_RECORDER_RETRY_NS))
			return err;
	}
	if (waited)
		tell_state(recorder, 0);
	return 0;
}

/* Looks up the position of a source that is new to this process. */
static int find_source(struct tw_recorder *recorder, struct tw_source *source)
{
	struct tw_store_writer *store = recorder->history;
	char mark[MARK_MAX];
	int err = 0;

	if (source->found)
		return 0;
	source->translation.name = find_number;
	source->translation.arg = recorder;
	if (store)
		err = wait_for_history(recorder);
	if (store && !err) {
		snprintf(mark, sizeof(mark), MARK_NEXT, source->name);
		source->next = store->ops->marked(store, mark);
		snprintf(mark, sizeof(mark), MARK_JOURNAL, source->name);
		source->journal = store->ops->marked(store, mark);
		err = find_number(
			recorder, TW_HISTORY_HOSTNAME, source->name, &source->translation.host);
	}
	source->found = !err;
	return err;
}

static int begin_stream(struct tw_recorder *recorder, struct tw_parcel *parcel)
{
	struct tw_source *source = parcel->source;
	int err = find_source(recorder, source);

	tw_event_reader_done(&source->reader);
	tw_translate_reset(&source->translation);
	source->failed = false;
	parcel->journal = source->journal;
	parcel->from = source->next;
	return err;
}

/* Makes rows of the history. Returns 0 with their number in `ret_n`, or a negative errno. */
static int make_rows(struct tw_recorder *recorder, struct tw_source *source, size_t *ret_n,
	uint64_t *ret_unusable)
{
	const struct tw_event_reader *reader = &source->reader;
	uint64_t now_us = tw_clock_unix_ns(tw_clock_ns()) / 1000;
	size_t n = 0;

	for (size_t i = 0; i < reader->n; i++) {
		int made = tw_translate_row(
			&source->translation, reader, &reader->rows[i], now_us, &recorder->rows[n]);

		if (made < 0)
			return made;
		n += made > 0;
	}
	*ret_n = n;
	*ret_unusable = reader->n - n;
	return 0;
}

/* Leaves out rows that were read already: a stream may begin with some of them. */
static void skip_known(struct tw_source *source)
{
	struct tw_event_reader *reader = &source->reader;
	size_t known = 0;

	if (reader->journal != source->journal)
		return;
	while (known < reader->n && reader->rows[known].number < source->next)
		known++;
	reader->n -= known;
	memmove(reader->rows, reader->rows + known, reader->n * sizeof(*reader->rows));
}

static void note_batch(
	struct tw_recorder *recorder, struct tw_source *source, const struct tw_source_facts *more)
{
	struct tw_source_facts *facts = &source->facts;

	pthread_mutex_lock(&recorder->lock);
	facts->rows += more->rows;
	facts->lost += more->lost;
	facts->unusable += more->unusable;
	if (more->last_us)
		facts->last_us = more->last_us;
	facts->next = source->next;
	pthread_mutex_unlock(&recorder->lock);
	if (more->lost)
		tw_log(TW_LOG_WARNING, "agent %s: %" PRIu64 " events are missing in the history",
			source->name, more->lost);
	if (!source->dirty) {
		source->dirty = true;
		source->next_dirty = recorder->dirty;
		recorder->dirty = source;
	}
	if (!recorder->commit_ns)
		recorder->commit_ns = tw_clock_ns() + TW_RECORDER_COMMIT_NS;
}

static uint64_t lost_of(struct tw_event_reader *reader)
{
	uint64_t lost = reader->lost;

	for (size_t i = 0; i < reader->n; i++)
		lost += reader->rows[i].lost_before;
	reader->lost = 0;
	return lost;
}

static int take_batch(struct tw_recorder *recorder, const struct tw_parcel *parcel)
{
	struct tw_source *source = parcel->source;
	struct tw_source_facts more = {0};
	size_t n = 0;
	int err = source->failed ? -ECANCELED
				 : tw_event_reader_take(&source->reader, parcel->batch);

	if (!err)
		skip_known(source);
	if (!err && recorder->history)
		err = make_rows(recorder, source, &n, &more.unusable);
	if (!err)
		err = append(recorder, n);
	if (err) {
		source->failed = true;
		return err;
	}
	if (source->reader.journal != source->journal || source->reader.next > source->next)
		source->next = source->reader.next;
	source->journal = source->reader.journal;
	more.rows = n;
	more.lost = lost_of(&source->reader);
	more.last_us = n ? recorder->rows[n - 1].time_us : 0;
	for (unsigned int i = 0; i < recorder->setup.n_sinks; i++)
		recorder->setup.sinks[i].take(
			recorder->setup.sinks[i].arg, source->name, &source->reader);
	note_batch(recorder, source, &more);
	return 0;
}

static void handle_parcel(struct tw_recorder *recorder, struct tw_parcel *parcel)
{
	parcel->code = parcel->batch ? take_batch(recorder, parcel)
				     : begin_stream(recorder, parcel);
	if (parcel->batch)
		tapwall__v1__event_batch__free_unpacked(parcel->batch, NULL);
	pthread_mutex_lock(&recorder->lock);
	list_add(&recorder->out, parcel);
	pthread_mutex_unlock(&recorder->lock);
	wake_loop(recorder);
}

/* ---- the thread ---- */

static bool is_due(const struct tw_recorder *recorder)
{
	struct tw_history_state state = {0};

	if (!recorder->commit_ns)
		return false;
	if (tw_clock_ns() >= recorder->commit_ns)
		return true;
	if (!recorder->history || recorder->told)
		return false;
	recorder->history->ops->get_progress(recorder->history, &state);
	return state.pending >= TW_RECORDER_COMMIT_ROWS;
}

/* Waits for a parcel or until a commit is due. Sets *ret to the parcel; NULL: there is none. False
 * if the recorder is to stop and no parcel is left. */
static bool next_parcel(struct tw_recorder *recorder, struct tw_parcel **ret)
{
	const struct timespec deadline = {
		(time_t)(recorder->commit_ns / NS_PER_S), (long)(recorder->commit_ns % NS_PER_S)};
	struct list *in = &recorder->in;
	int late = 0;
	bool stopping;

	pthread_mutex_lock(&recorder->lock);
	while (!in->first && !recorder->stopping && !late)
		late = recorder->commit_ns ? pthread_cond_timedwait(
						     &recorder->given, &recorder->lock, &deadline)
					   : pthread_cond_wait(&recorder->given, &recorder->lock);
	*ret = in->first;
	if (in->first) {
		in->first = in->first->next;
		if (!in->first)
			list_init(in);
	}
	stopping = recorder->stopping;
	pthread_mutex_unlock(&recorder->lock);
	return *ret || !stopping;
}

static void *record(void *arg)
{
	struct tw_recorder *recorder = arg;
	struct tw_parcel *parcel;

	while (next_parcel(recorder, &parcel)) {
		if (parcel)
			handle_parcel(recorder, parcel);
		if (is_due(recorder))
			commit(recorder);
	}
	commit(recorder);
	return NULL;
}

/* ---- for the loop ---- */

/* Logs at once that a file cannot be opened, instead of when the first agent connects. */
static void tell_opened(struct tw_recorder *recorder)
{
	struct tw_history_state state = {0};

	if (recorder->history)
		recorder->history->ops->get_progress(recorder->history, &state);
	if (state.failing)
		tell_state(recorder, state.failing);
}

static int start_thread(struct tw_recorder *recorder)
{
	pthread_condattr_t attributes;
	int code;

	pthread_mutex_init(&recorder->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&recorder->given, &attributes);
	pthread_condattr_destroy(&attributes);
	tell_opened(recorder);
	code = pthread_create(&recorder->thread, NULL, record, recorder);
	recorder->started = !code;
	return -code;
}

int tw_recorder_new(
	const struct tw_recorder_setup *setup, struct tw_recorder **ret, struct tw_err *err)
{
	struct tw_recorder *recorder = tw_alloc(sizeof(*recorder));
	int code = 0;

	if (!recorder)
		return tw_err_set(err, -ENOMEM, "start", NULL, "out of memory");
	recorder->setup = *setup;
	recorder->setup.access.end_ns = &recorder->end_ns;
	list_init(&recorder->in);
	list_init(&recorder->out);
	if (setup->path)
		code = tw_place_open_writer(setup->path, &recorder->setup.access, &setup->limits,
			&recorder->history, err);
	if (!code) {
		code = start_thread(recorder);
		if (code < 0)
			tw_err_set(err, code, "start", NULL, "cannot start a thread: %s",
				strerror(-code));
	}
	if (code < 0)
		tw_recorder_free(recorder);
	else
		*ret = recorder;
	return code;
}

void tw_recorder_free(struct tw_recorder *recorder)
{
	if (!recorder)
		return;
	atomic_store(&recorder->end_ns, tw_clock_ns() + LAST_COMMIT_NS);
	if (recorder->started) {
		pthread_mutex_lock(&recorder->lock);
		recorder->stopping = true;
		pthread_cond_signal(&recorder->given);
		pthread_mutex_unlock(&recorder->lock);
		pthread_join(recorder->thread, NULL);
		pthread_cond_destroy(&recorder->given);
		pthread_mutex_destroy(&recorder->lock);
	}
	while (recorder->out.first) {
		struct tw_parcel *parcel = recorder->out.first;

		recorder->out.first = parcel->next;
		free(parcel);
	}
	tw_store_writer_free(recorder->history);
	free(recorder);
}

static size_t waiting_max(const struct tw_recorder *recorder)
{
	return recorder->setup.waiting_max ? recorder->setup.waiting_max : TW_RECORDER_WAITING_MAX;
}

bool tw_recorder_has_room(const struct tw_recorder *recorder)
{
	return recorder->waiting < waiting_max(recorder) / 2;
}

int tw_recorder_give(struct tw_recorder *recorder, struct tw_parcel *parcel)
{
	if (parcel->batch && recorder->waiting + parcel->bytes > waiting_max(recorder))
		return -ENOBUFS;
	recorder->waiting += parcel->bytes;
	pthread_mutex_lock(&recorder->lock);
	list_add(&recorder->in, parcel);
	pthread_cond_signal(&recorder->given);
	pthread_mutex_unlock(&recorder->lock);
	return 0;
}

struct tw_parcel *tw_recorder_take_back(struct tw_recorder *recorder)
{
	struct tw_parcel *first;

	pthread_mutex_lock(&recorder->lock);
	first = recorder->out.first;
	list_init(&recorder->out);
	pthread_mutex_unlock(&recorder->lock);
	for (const struct tw_parcel *parcel = first; parcel; parcel = parcel->next)
		recorder->waiting -= parcel->bytes;
	return first;
}

void tw_recorder_get_state(struct tw_recorder *recorder, struct tw_recorder_state *ret)
{
	pthread_mutex_lock(&recorder->lock);
	*ret = recorder->state;
	pthread_mutex_unlock(&recorder->lock);
}

void tw_recorder_get_facts(
	struct tw_recorder *recorder, const struct tw_source *source, struct tw_source_facts *ret)
{
	pthread_mutex_lock(&recorder->lock);
	*ret = source->facts;
	pthread_mutex_unlock(&recorder->lock);
}
