/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/observe/chunk.h"
#include "agent/observe/spool_disk.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "link/event_writer.h"

#define RETRY_NS    5000000000u /* pause after the disk failed */
#define END_MS	    2000
#define TROUBLE_MAX 128

struct tw_spool {
	struct tw_spool_options options;
	struct tw_spool_disk *disk; /* NULL: memory only */
	struct tw_chunk *first;	    /* oldest */
	struct tw_chunk *last;
	struct tw_event_writer writer;
	uint32_t dictionary; /* generation of the dictionary */
	uint64_t journal;
	uint64_t next;	     /* number of the next row */
	uint64_t next_seq;   /* sequence number of the next chunk */
	uint64_t lost_ahead; /* `lost_ahead` of the next chunk */
	uint64_t memory;
	uint64_t disk_bytes;
	uint64_t dropped;
	uint64_t told_dropped; /* value of `dropped` last reported in the log */
	bool dropping;	       /* chunks were dropped since the last acknowledgement */
	unsigned int writes;   /* chunks that the disk is writing */
	uint64_t writing;      /* bytes of those chunks, part of `memory` */
	uint64_t retry_ns;     /* no chunk is written before this time */
	char trouble[TROUBLE_MAX];

	uint64_t reader; /* number of the current reader */
	bool open;
	uint64_t read_seq; /* position of the reader: chunk, bytes in it, next row */
	size_t read_at;
	uint64_t read_journal;
	uint64_t read_next;
	uint64_t sent_seq; /* furthest position that was sent to a reader */
	uint64_t sent_next;
};

/* ---- chunks ---- */

static void set_trouble(struct tw_spool *spool, const char *what, int code)
{
	char text[TROUBLE_MAX];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(-code));
	if (strcmp(text, spool->trouble) != 0)
		tw_log(TW_LOG_WARNING, "events for the slow path: %s", text);
	memcpy(spool->trouble, text, sizeof(text));
	spool->retry_ns = tw_clock_ns() + RETRY_NS;
}

static void free_data(struct tw_spool *spool, struct tw_chunk *chunk)
{
	spool->memory -= chunk->data.max;
	tw_buf_done(&chunk->data);
}

static void submit(struct tw_spool *spool, struct tw_chunk *chunk, enum tw_spool_work work)
{
	chunk->busy = true;
	chunk->job = (struct tw_spool_job){.what = work,
		.part = chunk->part,
		.data = chunk->data.data,
		.len = chunk->data.len};
	tw_spool_disk_submit(spool->disk, &chunk->job);
}

/* Frees a chunk that is not in the list, and its file. */
static void end_chunk(struct tw_spool *spool, struct tw_chunk *chunk)
{
	chunk->dead = true;
	if (chunk->busy)
		return;
	tw_buf_done(&chunk->data);
	if (chunk->on_disk) {
		chunk->on_disk = false;
		submit(spool, chunk, TW_SPOOL_REMOVE);
		return;
	}
	free(chunk);
}

/* Takes a chunk out of the list. `before` is its predecessor. */
static void remove_chunk(struct tw_spool *spool, struct tw_chunk *before, struct tw_chunk *chunk)
{
	*(before ? &before->next : &spool->first) = chunk->next;
	if (spool->last == chunk)
		spool->last = before;
	spool->memory -= chunk->data.max;
	if (chunk->busy && chunk->job.what == TW_SPOOL_WRITE)
		spool->writing -= chunk->data.max;
	if (chunk->on_disk)
		spool->disk_bytes -= chunk->part.file_bytes;
	end_chunk(spool, chunk);
}

static struct tw_chunk *add_chunk(struct tw_spool *spool)
{
	struct tw_chunk *chunk = tw_alloc(sizeof(*chunk));

	if (!chunk)
		return NULL;
	chunk->part.seq = spool->next_seq++;
	chunk->part.journal = spool->journal;
	chunk->part.first = spool->next;
	*(spool->last ? &spool->last->next : &spool->first) = chunk;
	spool->last = chunk;
	return chunk;
}

/* ---- bounds ---- */

/* Drops a chunk with unacknowledged rows, and counts them. A reader that has passed the chunk has its rows, and knows
 * of the losses before them. */
static void drop_chunk(struct tw_spool *spool, struct tw_chunk *before, struct tw_chunk *chunk)
{
	struct tw_chunk *next = chunk->next;
	uint64_t *ahead = next ? &next->lost_ahead : &spool->lost_ahead;
	uint64_t journal = next ? next->part.journal : spool->journal;
	bool passed = spool->open && spool->read_seq > chunk->part.seq;

	spool->dropped += tw_chunk_kept(chunk);
	if (!passed)
		*ahead += chunk->lost_ahead + chunk->part.lost;
	/* Gaps in the numbers show losses only within one journal. */
	if (!passed && journal != chunk->part.journal)
		*ahead += tw_chunk_kept(chunk);
	remove_chunk(spool, before, chunk);
}

static void tell_dropping(struct tw_spool *spool)
{
	if (!spool->dropping)
		tw_log(TW_LOG_WARNING,
			"events for the slow path: %llu MiB are not acknowledged; the oldest are dropped",
			(unsigned long long)spool->options.bytes_max >> 20);
	spool->dropping = true;
}

static void tell_dropped(struct tw_spool *spool)
{
	if (spool->dropping)
		tw_log(TW_LOG_WARNING, "events for the slow path: %llu were dropped",
			(unsigned long long)(spool->dropped - spool->told_dropped));
	spool->told_dropped = spool->dropped;
	spool->dropping = false;
}

/* Hands the newest closed chunk to the disk. False if there is none to write now. */
static bool write_chunk(struct tw_spool *spool)
{
	struct tw_chunk *found = NULL;

	if (!spool->disk || spool->writes >= TW_SPOOL_WRITES || tw_clock_ns() < spool->retry_ns)
		return false;
	for (struct tw_chunk *chunk = spool->first; chunk; chunk = chunk->next)
		if (chunk->closed && !chunk->on_disk && !chunk->busy &&
			!(spool->open && spool->read_seq == chunk->part.seq))
			found = chunk;
	if (!found)
		return false;
	submit(spool, found, TW_SPOOL_WRITE);
	spool->writes++;
	spool->writing += found->data.max;
	return true;
}

static void keep_bounds(struct tw_spool *spool)
{
	while (spool->memory - spool->writing > spool->options.bytes_max / 2 && write_chunk(spool))
		continue;
	while (spool->first != spool->last &&
		spool->memory + spool->disk_bytes > spool->options.bytes_max) {
		tell_dropping(spool);
		drop_chunk(spool, NULL, spool->first);
	}
}

/* ---- adding ---- */

/* Returns the chunk that a batch of `len` bytes goes to, or NULL. */
static struct tw_chunk *chunk_for(struct tw_spool *spool, size_t len)
{
	struct tw_chunk *chunk = spool->last;

	if (chunk && !chunk->closed && chunk->data.len && chunk->data.len + len > TW_SPOOL_CHUNK)
		chunk->closed = true;
	if (!chunk || chunk->closed)
		chunk = add_chunk(spool);
	if (chunk) {
		chunk->lost_ahead += spool->lost_ahead;
		spool->lost_ahead = 0;
	}
	return chunk;
}

/* Adds a batch, which the writer has just filled, to the last chunk. The first batch of a chunk defines all names that
 * it uses. Returns 0 or -ENOMEM. */
static int add_batch(struct tw_spool *spool, Tapwall__V1__EventBatch *batch)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tw_chunk *chunk;
	size_t max;
	int code;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS;
	response.events = batch;
	chunk = chunk_for(spool, tw_chunk_size(&response));
	if (!chunk)
		return -ENOMEM;
	max = chunk->data.max;
	code = chunk->data.len ? 0
			       : tw_event_writer_redefine(&spool->writer, spool->options.names,
					 ++spool->dictionary, batch);
	if (!code)
		code = tw_chunk_add(chunk, &response);
	spool->memory += chunk->data.max - max;
	return code;
}

/* Frees the writer's memory, and begins another generation of the dictionary. */
static void reset_writer(struct tw_spool *spool)
{
	uint64_t lost_behind = spool->writer.lost_behind;

	tw_event_writer_done(&spool->writer);
	memset(&spool->writer, 0, sizeof(spool->writer));
	spool->writer.lost_behind = lost_behind;
	tw_event_writer_begin(&spool->writer, ++spool->dictionary);
}

/* Packs the rows that are not in a batch yet. */
static void seal(struct tw_spool *spool)
{
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
	size_t rows = spool->writer.n[TW_EVENT_ROWS_ALL];
	uint64_t lost = spool->writer.lost;
	int code;

	if (!rows)
		return;
	code = tw_event_writer_take(&spool->writer, spool->options.names, spool->next, &batch);
	if (!code) {
		batch.journal = spool->journal;
		code = add_batch(spool, &batch);
	}
	if (code < 0) {
		/* The chunk is closed below, because it lacks the names that this batch should have defined. */
		reset_writer(spool);
		/* The next row's number shows that these are missing. */
		spool->lost_ahead += lost;
		spool->dropped += rows;
		if (spool->last)
			spool->last->closed = spool->last->part.rows > 0;
	}
	keep_bounds(spool);
}

void tw_spool_seal(struct tw_spool *spool)
{
	seal(spool);
	tw_event_writer_begin(&spool->writer, ++spool->dictionary);
}

void tw_spool_add(struct tw_spool *spool, struct tw_event_row *row)
{
	row->number = spool->next;
	if (!tw_event_writer_add(&spool->writer, row)) {
		seal(spool);
		tw_event_writer_add(&spool->writer, row);
	}
	spool->next++;
}

void tw_spool_lose(struct tw_spool *spool, uint64_t n)
{
	tw_event_writer_lose(&spool->writer, n);
}

/* ---- reading ---- */

static struct tw_chunk *find_chunk(const struct tw_spool *spool, uint64_t seq)
{
	struct tw_chunk *chunk = spool->first;

	while (chunk && chunk->part.seq < seq)
		chunk = chunk->next;
	return chunk;
}

/* Notes that the reader has the rows before its position. */
static void note_sent(struct tw_spool *spool)
{
	if (spool->read_seq == spool->sent_seq && spool->read_next <= spool->sent_next)
		return;
	if (spool->read_seq < spool->sent_seq)
		return;
	spool->sent_seq = spool->read_seq;
	spool->sent_next = spool->read_next;
}

/* Frees what was read from disk for a reader. */
static void unload(struct tw_spool *spool)
{
	for (struct tw_chunk *chunk = spool->first; chunk; chunk = chunk->next)
		if (chunk->on_disk && !chunk->busy)
			free_data(spool, chunk);
}

uint64_t tw_spool_open(struct tw_spool *spool, uint64_t journal, uint64_t from)
{
	const struct tw_chunk *chunk = spool->first;
	bool known;

	unload(spool);
	while (chunk && chunk->part.journal != journal)
		chunk = chunk->next;
	known = chunk || journal == spool->journal;
	/* Find the first chunk with a row that the reader lacks. */
	while (chunk && chunk->part.journal == journal && tw_chunk_end(chunk) <= from)
		chunk = chunk->next;
	if (!known)
		chunk = spool->first;
	spool->read_seq = chunk ? chunk->part.seq : spool->next_seq;
	/* The next batch is added to the open chunk. */
	if (!chunk && spool->last && !spool->last->closed)
		spool->read_seq = spool->last->part.seq;
	spool->read_at = 0;
	spool->read_journal = known ? journal : 0;
	spool->read_next = journal == spool->journal && from > spool->next ? spool->next : from;
	/* An earlier agent may have sent these rows. */
	if (known)
		note_sent(spool);
	spool->open = true;
	return ++spool->reader;
}

void tw_spool_close(struct tw_spool *spool, uint64_t reader)
{
	if (reader != spool->reader)
		return;
	spool->open = false;
	unload(spool);
}

bool tw_spool_is_read(const struct tw_spool *spool)
{
	return spool->open;
}

/* Asks the disk for a chunk that is not in memory. */
static void load_chunk(struct tw_spool *spool, struct tw_chunk *chunk)
{
	if (!chunk->busy)
		submit(spool, chunk, TW_SPOOL_READ);
}

/* Passes a batch on. A reader that continues gets a whole chunk, because later batches use names that earlier ones
 * define. If the reader already has a batch, the losses before that batch were reported with it. */
static void take_batch(struct tw_spool *spool, const struct tw_chunk *chunk, uint64_t lost_ahead,
	struct tw_spool_batch *ret)
{
	bool same = spool->read_journal == chunk->part.journal;
	struct tw_chunk_batch batch;
	bool known;

	spool->read_at = tw_chunk_batch_at(chunk, spool->read_at, &batch);
	known = same && batch.first + batch.rows <= spool->read_next;
	*ret = (struct tw_spool_batch){.data = batch.data,
		.len = batch.len,
		.journal = chunk->part.journal,
		.first = batch.first,
		.lost = known ? 0 : lost_ahead};
	if (same && batch.first > spool->read_next)
		ret->lost += batch.first - spool->read_next;
	spool->read_journal = chunk->part.journal;
	if (!known)
		spool->read_next = batch.first + batch.rows;
	note_sent(spool);
}

/* Goes on to the chunk after this one. */
static void leave_chunk(struct tw_spool *spool, struct tw_chunk *chunk)
{
	spool->read_seq = chunk->part.seq + 1;
	spool->read_at = 0;
	if (chunk->on_disk && !chunk->busy)
		free_data(spool, chunk);
	/* Reading the next chunk ahead saves the reader a wait. */
	if (chunk->next && !chunk->next->data.len && chunk->next->on_disk)
		load_chunk(spool, chunk->next);
}

int tw_spool_read(struct tw_spool *spool, uint64_t reader, struct tw_spool_batch *ret)
{
	struct tw_chunk *chunk;

	if (reader != spool->reader || !spool->open)
		return -ECANCELED;
	for (;;) {
		uint64_t lost = 0;

		chunk = find_chunk(spool, spool->read_seq);
		if (chunk && chunk->part.seq != spool->read_seq)
			spool->read_at = 0;
		if (chunk)
			spool->read_seq = chunk->part.seq;
		if (chunk && chunk->on_disk && !chunk->data.len) {
			load_chunk(spool, chunk);
			return 0;
		}
		if (chunk && spool->read_at < chunk->data.len) {
			lost = spool->read_at ? 0 : chunk->lost_ahead;
			take_batch(spool, chunk, lost, ret);
			return 1;
		} else if (chunk && chunk->closed) {
			leave_chunk(spool, chunk);
		} else if (spool->writer.n[TW_EVENT_ROWS_ALL]) {
			seal(spool);
		} else {
			return 0;
		}
	}
}

/* ---- acknowledging ---- */

/* Returns the last chunk with a row that is acknowledged. */
static struct tw_chunk *find_acked(const struct tw_spool *spool, uint64_t journal, uint64_t next)
{
	struct tw_chunk *found = NULL;

	for (struct tw_chunk *chunk = spool->first; chunk; chunk = chunk->next)
		if (chunk->part.journal == journal && chunk->part.first < next)
			found = chunk;
	return found;
}

/* Empties the chunk that batches are added to, so that its memory is used again. */
static void empty_chunk(struct tw_spool *spool, struct tw_chunk *chunk)
{
	if (spool->open && spool->read_seq == chunk->part.seq)
		spool->read_at = 0;
	tw_buf_reset(&chunk->data);
	chunk->part.first = tw_chunk_end(chunk);
	chunk->part.rows = 0;
	chunk->part.lost = chunk->lost_ahead = 0;
}

int tw_spool_ack(struct tw_spool *spool, uint64_t journal, uint64_t next)
{
	struct tw_chunk *chunk = find_acked(spool, journal, next);

	if (!chunk)
		return journal == spool->journal &&
				       next <= spool->next - spool->writer.n[TW_EVENT_ROWS_ALL]
			       ? 0
			       : -EINVAL;
	if (chunk->part.seq > spool->sent_seq ||
		(chunk->part.seq == spool->sent_seq && next > spool->sent_next))
		return -EINVAL;
	while (spool->first != chunk)
		remove_chunk(spool, NULL, spool->first);
	chunk->acked = next;
	tell_dropped(spool);
	if (next < tw_chunk_end(chunk))
		return 0;
	if (chunk->closed)
		remove_chunk(spool, NULL, chunk);
	else
		empty_chunk(spool, chunk);
	return 0;
}

/* ---- the disk ---- */

static void end_write(struct tw_spool *spool, struct tw_chunk *chunk)
{
	spool->writes--;
	if (!chunk->dead)
		spool->writing -= chunk->data.max;
	if (chunk->job.result < 0) {
		set_trouble(spool, "cannot write", chunk->job.result);
		return;
	}
	spool->trouble[0] = '\0';
	chunk->on_disk = true;
	chunk->part.file_bytes = chunk->job.part.file_bytes;
	if (chunk->dead)
		return;
	spool->disk_bytes += chunk->part.file_bytes;
	if (!spool->open || spool->read_seq != chunk->part.seq)
		free_data(spool, chunk);
}

static void end_read(struct tw_spool *spool, struct tw_chunk *chunk)
{
	int code = chunk->job.result;
	struct tw_chunk *before = NULL;

	if (!code && !tw_chunk_is_whole(&chunk->job.read, &chunk->part))
		code = -EBADMSG;
	if (chunk->dead || code || !spool->open) {
		tw_buf_done(&chunk->job.read);
	} else {
		chunk->data = chunk->job.read;
		spool->memory += chunk->data.max;
	}
	if (chunk->dead || !code)
		return;
	tw_log(TW_LOG_WARNING, "events for the slow path: %u cannot be read from disk: %s",
		chunk->part.rows, code == -EBADMSG ? "the file is damaged" : strerror(-code));
	for (struct tw_chunk *at = spool->first; at != chunk; at = at->next)
		before = at;
	drop_chunk(spool, before, chunk);
}

bool tw_spool_turn(struct tw_spool *spool)
{
	struct tw_spool_job *job;
	bool any = false;

	while (spool->disk && (job = tw_spool_disk_take(spool->disk))) {
		struct tw_chunk *chunk = tw_chunk_of(job);
		bool was_dead = chunk->dead;

		chunk->busy = false;
		if (job->what == TW_SPOOL_WRITE)
			end_write(spool, chunk);
		else if (job->what == TW_SPOOL_READ)
			end_read(spool, chunk);
		if (was_dead)
			end_chunk(spool, chunk);
		any = true;
	}
	if (any)
		keep_bounds(spool);
	return any;
}

int tw_spool_fd(const struct tw_spool *spool)
{
	return spool->disk ? tw_spool_disk_fd(spool->disk) : -1;
}

/* ---- life ---- */

static int open_dir(const char *path)
{
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Adds a chunk for each file of an earlier agent. */
static int adopt_files(struct tw_spool *spool, int dir_fd)
{
	struct tw_spool_parts parts = {0};
	int code = tw_spool_file_list(dir_fd, &parts);

	for (size_t i = 0; !code && i < parts.n; i++) {
		struct tw_chunk *chunk = add_chunk(spool);

		if (!chunk) {
			code = -ENOMEM;
			break;
		}
		chunk->part = parts.at[i];
		chunk->closed = chunk->on_disk = true;
		spool->disk_bytes += chunk->part.file_bytes;
		spool->next_seq = chunk->part.seq + 1;
	}
	tw_vec_done(&parts);
	return code;
}

static void open_disk(struct tw_spool *spool)
{
	int fd = open_dir(spool->options.dir), code = fd < 0 ? fd : adopt_files(spool, fd);

	if (!code || code == -ENOMEM)
		code = tw_spool_disk_new(fd, &spool->disk);
	else if (fd >= 0)
		close(fd);
	if (code < 0)
		set_trouble(spool, spool->options.dir, code);
}

int tw_spool_new(const struct tw_spool_options *options, struct tw_spool **ret)
{
	struct tw_spool *spool = tw_alloc(sizeof(*spool));

	if (!spool)
		return -ENOMEM;
	spool->options = *options;
	spool->journal = tw_clock_unix_ns(tw_clock_ns()) | 1;
	spool->next = spool->next_seq = 1;
	/* A reader first gets the chunks of the earlier agent. Their generations should differ. */
	spool->dictionary = (uint32_t)spool->journal;
	if (options->dir)
		open_disk(spool);
	tw_event_writer_begin(&spool->writer, ++spool->dictionary);
	keep_bounds(spool);
	*ret = spool;
	return 0;
}

/* Hands all chunks in memory to the disk, without the limit of TW_SPOOL_WRITES. */
static void write_rest(struct tw_spool *spool)
{
	tw_spool_turn(spool);
	seal(spool);
	for (struct tw_chunk *chunk = spool->first; chunk; chunk = chunk->next)
		if (!chunk->on_disk && !chunk->busy && chunk->data.len)
			submit(spool, chunk, TW_SPOOL_WRITE);
}

static void free_chunks(struct tw_spool *spool)
{
	while (spool->first) {
		struct tw_chunk *chunk = spool->first;

		spool->first = chunk->next;
		tw_buf_done(&chunk->data);
		free(chunk);
	}
}

void tw_spool_free(struct tw_spool *spool)
{
	struct tw_spool_job *job;

	if (!spool)
		return;
	if (spool->disk)
		write_rest(spool);
	/* If the disk hangs, its thread may use the chunks until the process ends. */
	if (!tw_spool_disk_stop(spool->disk, END_MS))
		return;
	while (spool->disk && (job = tw_spool_disk_take(spool->disk))) {
		struct tw_chunk *chunk = tw_chunk_of(job);

		tw_buf_done(&job->read);
		if (chunk->dead) {
			tw_buf_done(&chunk->data);
			free(chunk);
		}
	}
	tw_spool_disk_free(spool->disk);
	free_chunks(spool);
	tw_event_writer_done(&spool->writer);
	free(spool);
}

void tw_spool_remove(const char *dir)
{
	struct tw_spool_parts parts = {0};
	tw_autofd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	tw_spool_file_list(fd, &parts);
	tw_vec_foreach (&parts, part)
		tw_spool_file_remove(fd, part);
	tw_vec_done(&parts);
	rmdir(dir);
}

void tw_spool_describe(const struct tw_spool *spool, struct tw_spool_state *ret)
{
	*ret = (struct tw_spool_state){.rows = spool->writer.n[TW_EVENT_ROWS_ALL],
		.memory = spool->memory,
		.disk = spool->disk_bytes,
		.dropped = spool->dropped,
		.trouble = spool->trouble};
	for (const struct tw_chunk *chunk = spool->first; chunk; chunk = chunk->next)
		ret->rows += tw_chunk_kept(chunk);
}
