/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "slowpath/clickhouse/encode.h"
#include "slowpath/clickhouse/keep.h"
#include "slowpath/clickhouse/schema.h"
#include "slowpath/clickhouse/server.h"

#define COUNT_BITS	   24u /* of a batch's number; the others are the owner's epoch */
#define COUNT_MAX	   ((1u << COUNT_BITS) - 2)
#define EPOCH_MS	   1577836800000u /* 2020-01-01 */
#define NS_PER_MS	   1000000u
#define NS_PER_S	   1000000000u
#define FIRST_ROWS	   1024u
#define MARK_MAX	   256u
#define BATCH_BEGIN(epoch) ((epoch) << COUNT_BITS)

struct mark {
	char *source;
	uint64_t value;
};

struct click_writer {
	struct tw_store_writer base;
	struct tw_clickhouse *server;
	struct tw_keep keep;
	struct tw_history_names names;
	struct tw_history_row *rows; /* not committed */
	size_t n_rows, max_rows;
	TW_VEC(struct mark) marks;
	bool marked; /* a mark has changed since the last batch */
	bool ready;
	bool superseded; /* another process is the owner */
	uint64_t epoch, who;
	uint64_t batch;	      /* number of the last batch */
	uint64_t doubtful;    /* batch whose answer was lost; 0: none */
	bool unconfirmed;     /* a batch is stored, and its commit is not confirmed */
	size_t n_stored;      /* number of `rows` in the stored batch; they are at the front */
	struct tw_buf commit; /* row of history_commits for the stored batch */
	struct tw_history_state state;
};

static struct click_writer *writer_of(struct tw_store_writer *base)
{
	return (struct click_writer *)base;
}

/* ---- single statements ---- */

/* Runs a query whose result is one row, and returns the row in `answer`. */
static int ask_row(struct click_writer *w, const char *statement, struct tw_buf *answer,
	struct tw_wire *ret, struct tw_err *err)
{
	int code;

	tw_buf_reset(answer);
	code = tw_clickhouse_run(w->server, statement, false, answer, err);
	*ret = tw_wire_of(answer);
	return code;
}

static int insert_owner(struct click_writer *w, bool released, struct tw_err *err)
{
	tw_auto_buf struct tw_buf statement = {0};

	tw_buf_addf(&statement,
		"INSERT INTO history_owners VALUES (%" PRIu64 ", %" PRIu64 ", %d, now())", w->epoch,
		w->who, released);
	return statement.failed ? tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory")
				: tw_clickhouse_run(w->server, statement.data, false, NULL, err);
}

/* Stores that a batch does not count. Repeating it changes nothing. */
static int insert_void(struct click_writer *w, uint64_t batch, struct tw_err *err)
{
	tw_auto_buf struct tw_buf statement = {0};

	tw_buf_addf(&statement, "INSERT INTO history_voids VALUES (%" PRIu64 ")", batch);
	return statement.failed ? tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory")
				: tw_clickhouse_run(w->server, statement.data, false, NULL, err);
}

/* Checks that no other process has become the owner. */
static int check_owner(struct click_writer *w, struct tw_err *err)
{
	tw_auto_buf struct tw_buf answer = {0};
	struct tw_wire wire;
	int code = ask_row(w,
		"SELECT epoch, who FROM history_owners ORDER BY epoch DESC, who DESC LIMIT 1"
		" FORMAT RowBinary",
		&answer, &wire, err);
	uint64_t epoch = tw_wire_number(&wire, 8), who = tw_wire_number(&wire, 8);

	if (code < 0)
		return code;
	if (!wire.bad && epoch == w->epoch && who == w->who)
		return 0;
	w->superseded = true;
	return tw_err_set(err, -EBUSY, "--history",
		"give each its own database, and start this one again",
		"another tapwall-slowd records in this database");
}

/* ---- marks ---- */

static struct mark *find_mark(const struct click_writer *w, const char *source)
{
	for (size_t i = 0; i < w->marks.n; i++)
		if (!strcmp(w->marks.at[i].source, source))
			return &w->marks.at[i];
	return NULL;
}

static int set_mark(struct click_writer *w, const char *source, uint64_t value)
{
	struct mark *found = find_mark(w, source), mark;

	if (found) {
		w->marked = w->marked || found->value != value;
		found->value = value;
		return 0;
	}
	mark = (struct mark){.source = tw_strdup(source), .value = value};
	if (!mark.source || tw_vec_push(&w->marks, mark)) {
		free(mark.source);
		return -ENOMEM;
	}
	w->marked = true;
	return 0;
}

/* Makes the row of history_commits for a batch. */
static int make_commit(struct click_writer *w, uint64_t batch, uint64_t recorded)
{
	struct tw_buf *row = &w->commit;

	tw_buf_reset(row);
	tw_wire_add_number(row, batch, 8);
	tw_wire_add_number(row, tw_clock_unix_ns(tw_clock_ns()) / NS_PER_S, 4);
	tw_wire_add_number(row, recorded, 8);
	tw_wire_add_length(row, w->marks.n);
	tw_vec_foreach (&w->marks, mark)
		tw_wire_add_text(row, mark->source);
	tw_wire_add_length(row, w->marks.n);
	tw_vec_foreach (&w->marks, mark)
		tw_wire_add_number(row, mark->value, 8);
	return row->failed ? -ENOMEM : 0;
}

static int insert_commit(struct click_writer *w, struct tw_err *err)
{
	return tw_clickhouse_insert(w->server,
		"INSERT INTO history_commits (batch, time, recorded, marks, positions)"
		" FORMAT RowBinary",
		&w->commit, err);
}

/* ---- becoming the owner ---- */

/* Takes over a commit's marks, except for sources that this process has already marked. */
static int take_marks(struct click_writer *w, struct tw_wire *wire)
{
	uint64_t n = tw_wire_length(wire);
	tw_auto_buf struct tw_buf texts = {0};
	struct tw_wire names = *wire;
	char source[MARK_MAX];
	int code = 0;

	for (uint64_t i = 0; i < n && !wire->bad; i++)
		tw_wire_text(wire, source, sizeof(source));
	if (tw_wire_length(wire) != n)
		wire->bad = true;
	for (uint64_t i = 0; i < n && !wire->bad && !code; i++) {
		uint64_t value = tw_wire_number(wire, 8);

		tw_wire_text(&names, source, sizeof(source));
		if (!find_mark(w, source))
			code = set_mark(w, source, value);
	}
	return wire->bad ? -EPROTO : code;
}

/* Voids the batch that the owner of an epoch may have sent after its last commit. */
static int void_next(struct click_writer *w, uint64_t committed, struct tw_err *err)
{
	uint64_t epoch = committed >> COUNT_BITS, last = committed, released;
	tw_auto_buf struct tw_buf statement = {0}, answer = {0};
	struct tw_wire wire;
	int code;

	tw_buf_addf(&statement,
		"SELECT toUInt64(max(batch)), (SELECT count() FROM history_owners WHERE"
		" epoch = %" PRIu64 " AND released = 1) FROM history_voids WHERE batch >= %" PRIu64
		" AND batch < %" PRIu64 " FORMAT RowBinary",
		epoch, BATCH_BEGIN(epoch), BATCH_BEGIN(epoch + 1));
	if (statement.failed)
		return tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	code = ask_row(w, statement.data, &answer, &wire, err);
	if (code < 0)
		return code;
	last = tw_wire_number(&wire, 8);
	released = tw_wire_number(&wire, 8);
	if (wire.bad)
		return tw_err_set(err, -EPROTO, "--history", NULL, "an answer is malformed");
	return released ? 0 : insert_void(w, 1 + (last > committed ? last : committed), err);
}

/* Continues from the newest commit. */
static int continue_commits(struct click_writer *w, struct tw_err *err)
{
	tw_auto_buf struct tw_buf answer = {0};
	struct tw_wire wire;
	uint64_t committed, recorded;
	int code = ask_row(w,
		"SELECT batch, recorded, marks, positions FROM history_commits"
		" WHERE batch NOT IN (SELECT batch FROM history_voids)"
		" ORDER BY batch DESC LIMIT 1 FORMAT RowBinary",
		&answer, &wire, err);

	if (code < 0 || tw_wire_is_at_end(&wire))
		return code;
	committed = tw_wire_number(&wire, 8);
	recorded = tw_wire_number(&wire, 8);
	code = take_marks(w, &wire);
	if (code < 0)
		return tw_err_set(err, code, "--history", NULL, "a commit cannot be read");
	if (recorded > w->state.seq)
		w->state.seq = recorded;
	return void_next(w, committed, err);
}

static int find_epoch(struct click_writer *w, struct tw_err *err)
{
	tw_auto_buf struct tw_buf answer = {0};
	struct tw_wire wire;
	int code = ask_row(w, "SELECT toUInt64(max(epoch)) FROM history_owners FORMAT RowBinary",
		&answer, &wire, err);
	uint64_t last = tw_wire_number(&wire, 8);

	if (code < 0)
		return code;
	w->epoch = tw_clock_unix_ns(tw_clock_ns()) / NS_PER_MS - EPOCH_MS;
	if (w->epoch <= last)
		w->epoch = last + 1;
	w->batch = BATCH_BEGIN(w->epoch);
	if (getrandom(&w->who, sizeof(w->who), 0) != (ssize_t)sizeof(w->who))
		return tw_err_set(err, -EIO, "--history", NULL, "no random number");
	return 0;
}

static int become_owner(struct click_writer *w, struct tw_err *err)
{
	int code = find_epoch(w, err);

	if (!code)
		code = insert_owner(w, false, err);
	if (!code)
		code = continue_commits(w, err);
	/* From now on, commits of earlier owners do not matter. */
	if (!code && make_commit(w, w->batch, w->state.seq) < 0)
		code = tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	if (!code)
		code = insert_commit(w, err);
	if (!code)
		code = check_owner(w, err);
	if (!code)
		code = tw_keep_begin(&w->keep, w->server, err);
	return code;
}

/* Notes how the last attempt to write ended. */
static int note_result(struct click_writer *w, int code, const struct tw_err *err)
{
	struct tw_history_state *state = &w->state;

	if (code && !state->failing)
		state->failing_since_ns = tw_clock_ns();
	state->failing = code;
	state->why[0] = '\0';
	if (code && err->hint[0])
		snprintf(state->why, sizeof(state->why), "%.250s; %.250s", err->text, err->hint);
	else if (code)
		snprintf(state->why, sizeof(state->why), "%s", err->text);
	return code;
}

static int prepare(struct click_writer *w, struct tw_err *err)
{
	int code;

	if (w->superseded)
		return tw_err_set(err, -EBUSY, "--history",
			"give each its own database, and start this one again",
			"another tapwall-slowd records in this database");
	if (w->ready)
		return 0;
	code = tw_schema_prepare(w->server, err);
	if (!code)
		code = become_owner(w, err);
	w->ready = !code;
	return code;
}

static int click_ready(struct tw_store_writer *base)
{
	struct click_writer *w = writer_of(base);
	struct tw_err err = {0};

	return w->ready ? 0 : note_result(w, prepare(w, &err), &err);
}

/* ---- rows ---- */

static int click_name(struct tw_store_writer *base, enum tw_history_noun noun, const char *text,
	uint32_t *ret_name)
{
	return tw_history_names_find(&writer_of(base)->names, noun, text, ret_name);
}

static int click_append(struct tw_store_writer *base, const struct tw_history_row *rows, size_t n)
{
	struct click_writer *w = writer_of(base);

	if (w->n_rows + n > TW_HISTORY_PENDING_MAX)
		return w->state.failing ? w->state.failing : -ENOBUFS;
	if (w->n_rows + n > w->max_rows) {
		size_t max = w->max_rows ? 2 * w->max_rows : FIRST_ROWS;
		struct tw_history_row *more;

		while (max < w->n_rows + n)
			max *= 2;
		more = tw_realloc(w->rows, max * sizeof(*more));
		if (!more)
			return -ENOMEM;
		w->rows = more;
		w->max_rows = max;
	}
	memcpy(w->rows + w->n_rows, rows, n * sizeof(*rows));
	w->n_rows += n;
	return 0;
}

static int click_mark_source(struct tw_store_writer *base, const char *source, uint64_t value)
{
	return set_mark(writer_of(base), source, value);
}

static uint64_t click_marked(const struct tw_store_writer *base, const char *source)
{
	const struct mark *mark = find_mark((const struct click_writer *)base, source);

	return mark ? mark->value : 0;
}

/* ---- commits ---- */

static int insert_rows(struct click_writer *w, struct tw_err *err)
{
	tw_auto_buf struct tw_buf rows = {0};

	for (size_t i = 0; i < w->n_rows; i++) {
		tw_wire_add_number(&rows, tw_keep_piece(&w->keep), 4);
		tw_wire_add_number(&rows, w->batch, 8);
		tw_wire_add_number(&rows, i, 4);
		tw_encode_row(&rows, &w->rows[i], &w->names);
	}
	if (rows.failed)
		return tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	w->doubtful = w->batch;
	return tw_clickhouse_insert(w->server,
		"INSERT INTO history (piece, batch, place, " TW_ENCODE_COLUMNS ") FORMAT RowBinary",
		&rows, err);
}

/* Stores all rows as a batch. */
static int send_batch(struct click_writer *w, struct tw_err *err)
{
	int code = 0;

	if (w->doubtful) {
		/* Checked first, because a new owner voids only one batch of this process. */
		code = check_owner(w, err);
		if (!code)
			code = insert_void(w, w->doubtful, err);
		if (code < 0)
			return code;
		w->doubtful = 0;
	}
	w->batch++;
	if (make_commit(w, w->batch, w->state.seq + w->n_rows) < 0)
		code = tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	if (!code && w->n_rows)
		code = insert_rows(w, err);
	if (code < 0) {
		/* Numbers have no gaps, because the next owner voids only the number after the last. */
		if (!w->doubtful)
			w->batch--;
		return code;
	}
	w->doubtful = 0;
	w->n_stored = w->n_rows;
	w->unconfirmed = true;
	w->marked = false;
	return 0;
}

/* Commits the batch that is stored. */
static int confirm(struct click_writer *w, struct tw_err *err)
{
	int code = insert_commit(w, err);

	if (!code)
		code = check_owner(w, err);
	if (code < 0)
		return code;
	w->unconfirmed = false;
	w->state.seq += w->n_stored;
	w->n_rows -= w->n_stored;
	memmove(w->rows, w->rows + w->n_stored, w->n_rows * sizeof(*w->rows));
	tw_keep_note(&w->keep, w->n_stored);
	return 0;
}

static int commit(struct click_writer *w, struct tw_err *err)
{
	int code;

	if (w->batch - BATCH_BEGIN(w->epoch) >= COUNT_MAX && !w->doubtful && !w->unconfirmed)
		w->ready = false;
	code = prepare(w, err);
	if (!code && w->unconfirmed)
		code = confirm(w, err);
	if (!code && (w->n_rows || w->marked)) {
		code = send_batch(w, err);
		if (!code)
			code = confirm(w, err);
	}
	return code;
}

static int click_commit(struct tw_store_writer *base)
{
	struct click_writer *w = writer_of(base);
	struct tw_err err = {0};
	int code;

	if (!w->n_rows && !w->marked && !w->unconfirmed)
		return 0;
	code = note_result(w, commit(w, &err), &err);
	if (code < 0)
		return code;
	/* A limit that cannot be applied is no reason to refuse rows. */
	if (tw_keep_apply(&w->keep, w->server, &w->state.rows_dropped, &err) < 0)
		tw_log(TW_LOG_WARNING, "the history's limits cannot be applied: %s", err.text);
	return 0;
}

static void click_get_progress(
	const struct tw_store_writer *base, struct tw_history_state *ret_state)
{
	const struct click_writer *w = (const struct click_writer *)base;

	*ret_state = w->state;
	ret_state->pending = w->n_rows;
}

/* ---- life ---- */

static void click_writer_free(struct tw_store_writer *base)
{
	struct click_writer *w = writer_of(base);
	struct tw_err err = {0};

	if (w->ready && !w->superseded && !w->doubtful && !w->unconfirmed)
		insert_owner(w, true, &err);
	tw_clickhouse_free(w->server);
	tw_history_names_done(&w->names);
	tw_vec_foreach (&w->marks, mark)
		free(mark->source);
	tw_vec_done(&w->marks);
	tw_buf_done(&w->commit);
	free(w->rows);
	free(w);
}

int tw_clickhouse_writer_open(const char *place, const struct tw_store_access *access,
	const struct tw_history_limits *limits, struct tw_store_writer **ret, struct tw_err *err)
{
	static const struct tw_store_writer_ops ops = {.ready = click_ready,
		.name = click_name,
		.append = click_append,
		.mark_source = click_mark_source,
		.marked = click_marked,
		.commit = click_commit,
		.get_progress = click_get_progress,
		.free = click_writer_free};
	struct click_writer *w = tw_alloc(sizeof(*w));
	int code;

	if (!w)
		return tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	w->base.ops = &ops;
	w->keep.limits = *limits;
	w->names.next = 1;
	code = tw_clickhouse_open(place, access, TW_CLICKHOUSE_WRITE_MS, &w->server, err);
	if (code < 0)
		click_writer_free(&w->base);
	else
		*ret = &w->base;
	return code;
}
