/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A file and a ClickHouse server give the same answers to the same rows.
 *
 *	clickhouse_same PLACE [LOGIN]    the database must be empty
 *
 * tests/e2e/clickhouse.sh starts the server. */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "link/link.h"
#include "slowpath/clickhouse/encode.h"
#include "slowpath/clickhouse/server.h"
#include "slowpath/query/found.h"
#include "slowpath/store/place.h"
#include "tests/history/file.h"
#include "tests/history/rows.h"
#include "tests/scale.h"

#define START_US (1767225600ull * 1000000)
#define ROWS	 4000u
#define ROUNDS	 2u
#define QUERIES	 15u
#define HOSTILE	 12u /* rows with each hostile name */

static const char *place;
static struct tw_store_access login;

/* Names with bytes that would break a query if they were not escaped. */
static const char *const hostile[] = {
	"a'); DROP TABLE history; --",
	"back\\slash\\",
	"\\' OR 1 = 1 --",
	"{x:String} \"quoted\" `ticks` 100%",
	"tab\tline\nreturn\rbell\a",
	"w\xc3\xb6rter \xe2\x82\xac \xf0\x9f\x94\xa5",
	"not UTF-8: \xff\xfe\x80",
	"\\x27 \\0 \\N",
};
#define N_HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

struct store {
	struct tw_store_writer *writer;
	struct tw_store_reader *reader;
	struct row_names names;
	uint32_t hostile[N_HOSTILE];
};

struct world {
	struct history_file file;
	struct store stores[2]; /* the file, the server */
	struct random random;
	uint64_t now_us, number;
};

static void make_names(struct store *s)
{
	static const char letters[TW_HISTORY_NOUN__MAX] = {
		[TW_HISTORY_WORKLOAD] = 'w',
		[TW_HISTORY_RULE] = 'r',
		[TW_HISTORY_TAP] = 't',
		[TW_HISTORY_HOSTNAME] = 'h',
	};

	for (int noun = 0; noun < TW_HISTORY_NOUN__MAX; noun++)
		for (unsigned int i = 1; i <= NAMES; i++) {
			const char text[] = {letters[noun], (char)('0' + i), '\0'};

			assert_int_equal(
				s->writer->ops->name(s->writer, noun, text, &s->names.of[noun][i]),
				0);
		}
	for (size_t i = 0; i < N_HOSTILE; i++)
		assert_int_equal(s->writer->ops->name(s->writer, TW_HISTORY_WORKLOAD, hostile[i],
					 &s->hostile[i]),
			0);
}

static void open_store(struct store *s, const char *where)
{
	const struct tw_history_limits limits = {0};
	struct tw_err err = {0};

	assert_int_equal(tw_place_open_writer(where, &login, &limits, &s->writer, &err), 0);
	if (s->writer->ops->ready(s->writer)) {
		struct tw_history_state state;

		s->writer->ops->get_progress(s->writer, &state);
		fail_msg("%s: %s", where, state.why);
	}
	make_names(s);
}

static void commit(struct store *s)
{
	int code = s->writer->ops->commit(s->writer);
	struct tw_history_state state;

	s->writer->ops->get_progress(s->writer, &state);
	if (code)
		fail_msg("commit: %s", state.why);
	assert_int_equal(state.pending, 0);
}

/* Appends the same rows to both stores. Times differ, so that they order the rows. */
static void grow(struct world *w, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct random random = w->random;

		w->now_us += 1 + random_below(&w->random, 50000);
		for (int k = 0; k < 2; k++) {
			struct store *s = &w->stores[k];
			struct tw_history_row row;

			w->random = random;
			row_make(&w->random, &s->names, w->now_us, i % 2, &row);
			if (i < HOSTILE * N_HOSTILE)
				row.workload[i % 2] = s->hostile[i % N_HOSTILE];
			assert_int_equal(s->writer->ops->append(s->writer, &row, 1), 0);
		}
	}
	w->number += n;
	for (int k = 0; k < 2; k++) {
		struct tw_store_writer *writer = w->stores[k].writer;

		assert_int_equal(writer->ops->mark_source(writer, "it's", w->number), 0);
		commit(&w->stores[k]);
	}
}

/* ---- answers ---- */

/* The messages of an answer. */
struct answer {
	struct tw_buf bytes;
	TW_VEC(struct frame {
		const uint8_t *at;
		size_t len;
	})
	frames;
};

static int by_bytes(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;
	int order = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void ask(struct store *s, const struct tw_wanted *wanted, bool ordered, struct answer *ret)
{
	Tapwall__V1__HistoryState state = TAPWALL__V1__HISTORY_STATE__INIT;
	struct tw_err err = {0};
	const uint8_t *body;
	size_t body_len, at = 0;
	long len;

	*ret = (struct answer){0};
	if (tw_found_send(s->reader, wanted, &state, 1, &ret->bytes, &err))
		fail_msg("%s: %s", err.place, err.text);
	for (; (len = tw_link_frame((const uint8_t *)ret->bytes.data + at, ret->bytes.len - at,
			&body, &body_len)) > 0;
		at += (size_t)len) {
		struct frame frame = {body, body_len};

		assert_int_equal(tw_vec_push(&ret->frames, frame), 0);
	}
	assert_int_equal(at, ret->bytes.len);
	if (!ordered)
		qsort(ret->frames.at, ret->frames.n, sizeof(*ret->frames.at), by_bytes);
}

static void print_frame(const char *whose, const struct frame *frame)
{
	Tapwall__V1__Response *r = tw_link_unpack_response(frame->at, frame->len);

	print_message("%s: ", whose);
	if (r && r->body_case == TAPWALL__V1__RESPONSE__BODY_HISTORY_ROW)
		print_message("row %llu %s %s %s -> %s\n",
			(unsigned long long)r->history_row->time_us, r->history_row->event,
			r->history_row->rule, r->history_row->from->workload,
			r->history_row->to->workload);
	else if (r && r->body_case == TAPWALL__V1__RESPONSE__BODY_HISTORY_TOTAL)
		print_message("total '%s' %s %llu %llu\n", r->history_total->name,
			r->history_total->address,
			(unsigned long long)r->history_total->connections,
			(unsigned long long)r->history_total->denials);
	else if (r && r->body_case == TAPWALL__V1__RESPONSE__BODY_HISTORY_END)
		print_message("end %llu+%u of %llu\n", (unsigned long long)r->history_end->at_us,
			r->history_end->skip, (unsigned long long)r->history_end->matched);
	else
		print_message("message of %zu bytes\n", frame->len);
	tapwall__v1__response__free_unpacked(r, NULL);
}

/* Asks both stores; returns the number of messages. */
static size_t compare(struct world *w, const struct tw_wanted *wanted, bool ordered)
{
	struct answer answers[2];
	size_t n;

	for (int k = 0; k < 2; k++)
		ask(&w->stores[k], wanted, ordered, &answers[k]);
	n = answers[0].frames.n;
	for (size_t i = 0; i < n && i < answers[1].frames.n; i++) {
		const struct frame *a = &answers[0].frames.at[i], *b = &answers[1].frames.at[i];

		if (a->len == b->len && !memcmp(a->at, b->at, a->len))
			continue;
		print_frame("file", a);
		print_frame("server", b);
		fail_msg("question %d, order %d: message %zu differs", wanted->about, wanted->order,
			i);
	}
	assert_int_equal(n, answers[1].frames.n);
	for (int k = 0; k < 2; k++) {
		tw_buf_done(&answers[k].bytes);
		tw_vec_done(&answers[k].frames);
	}
	return n;
}

static void compare_rows(struct world *w)
{
	struct tw_wanted wanted = {.about = TAPWALL__V1__HISTORY_REQUEST__ABOUT__ROWS};

	filter_make(&w->random, START_US, w->now_us, &wanted.query.filter);
	wanted.query.limit = 1 + random_below(&w->random, 300);
	wanted.query.oldest_first = random_below(&w->random, 2);
	wanted.query.count = true;
	compare(w, &wanted, true);
}

static void compare_totals(struct world *w, bool plain)
{
	struct tw_wanted wanted = {.query.limit = TW_WANTED_MAX};
	struct tw_history_filter *filter = &wanted.query.filter;

	filter_make(&w->random, START_US, w->now_us, filter);
	if (plain)
		*filter = (struct tw_history_filter){
			.since_us = filter->since_us, .until_us = filter->until_us};
	filter->no_live = false;
	wanted.about = TAPWALL__V1__HISTORY_REQUEST__ABOUT__SOURCES + random_below(&w->random, 4);
	wanted.order = random_below(&w->random, TW_HISTORY_ORDER__MAX);
	compare(w, &wanted, false);
}

static void compare_pages(struct world *w, bool oldest_first)
{
	struct tw_wanted wanted = {.about = TAPWALL__V1__HISTORY_REQUEST__ABOUT__ROWS,
		.query = {.limit = 7, .oldest_first = oldest_first, .count = true}};

	for (uint32_t skip = 0; skip < 30; skip += 7) {
		wanted.skip = skip;
		assert_int_equal(compare(w, &wanted, true), 8);
	}
}

/* A search for a hostile name finds all rows that have it, and no others. */
static void find_hostile(struct world *w)
{
	for (size_t i = 0; i < N_HOSTILE; i++) {
		struct tw_wanted wanted = {.about = TAPWALL__V1__HISTORY_REQUEST__ABOUT__ROWS,
			.query = {.limit = 1000, .count = true}};

		wanted.query.filter.either.workload = hostile[i];
		assert_int_equal(compare(w, &wanted, true), ROUNDS * HOSTILE + 1);
		wanted.query.filter.either.workload = NULL;
		wanted.query.filter.rule = hostile[i];
		assert_int_equal(compare(w, &wanted, true), 1);
		wanted.query.filter.rule = NULL;
		wanted.query.filter.host = hostile[i];
		assert_int_equal(compare(w, &wanted, true), 1);
	}
}

static void test_same(void **state)
{
	struct tw_wanted uses = {.about = TAPWALL__V1__HISTORY_REQUEST__ABOUT__USES};
	struct world w = {.random.state = 42, .now_us = START_US};
	struct tw_err err = {0};

	file_make(&w.file);
	open_store(&w.stores[0], w.file.path);
	open_store(&w.stores[1], place);
	assert_int_equal(tw_place_open_reader(w.file.path, NULL, &w.stores[0].reader, &err), 0);
	assert_int_equal(tw_place_open_reader(place, &login, &w.stores[1].reader, &err), 0);
	assert_int_equal(compare(&w, &uses, false), 1);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		grow(&w, ROWS);
		for (size_t i = 0; i < QUERIES * tw_scale(); i++) {
			compare_rows(&w);
			compare_totals(&w, i % 3 == 0);
		}
		assert_int_equal(compare(&w, &uses, false), NAMES + 1);
		compare_pages(&w, round % 2);
	}
	find_hostile(&w);
	for (int k = 0; k < 2; k++) {
		tw_store_reader_free(w.stores[k].reader);
		tw_store_writer_free(w.stores[k].writer);
	}
	file_remove(&w.file);
}

/* ---- limits ---- */

static void run(struct tw_clickhouse *server, const char *statement)
{
	struct tw_err err = {0};

	if (tw_clickhouse_run(server, statement, false, NULL, &err))
		fail_msg("%s: %s", statement, err.text);
}

/* Sets `ret` to the sum of all uses, and to the newest. */
static void add_uses(struct tw_store_reader *reader, struct tw_history_use *ret)
{
	struct tw_history_use *uses;
	struct tw_err err = {0};
	size_t n;

	*ret = (struct tw_history_use){0};
	assert_int_equal(reader->ops->uses(reader, &uses, &n, &err), 0);
	for (size_t i = 0; i < n; i++) {
		ret->rows += uses[i].rows;
		ret->last_us = ret->last_us > uses[i].last_us ? ret->last_us : uses[i].last_us;
	}
	assert_int_equal(n, NAMES);
	free(uses);
}

static uint64_t count_rows(struct tw_store_reader *reader)
{
	struct tw_history_extent extent;
	struct tw_err err = {0};

	assert_int_equal(reader->ops->get_extent(reader, &extent, &err), 0);
	return extent.rows;
}

/* Opens the server with limits, and commits a mark, so that they are applied. Returns the number of dropped rows. */
static uint64_t apply(const struct tw_history_limits *limits)
{
	struct tw_history_state state;
	struct tw_store_writer *writer;
	struct tw_err err = {0};

	assert_int_equal(tw_place_open_writer(place, &login, limits, &writer, &err), 0);
	assert_int_equal(writer->ops->ready(writer), 0);
	assert_int_equal(
		writer->ops->mark_source(writer, "it's", writer->ops->marked(writer, "it's") + 1),
		0);
	assert_int_equal(writer->ops->commit(writer), 0);
	writer->ops->get_progress(writer, &state);
	tw_store_writer_free(writer);
	return state.rows_dropped;
}

/* Copies of all rows, in earlier pieces, are dropped by age and by size. Uses of rules are kept. */
static void test_limits(void **state)
{
	const uint64_t day_us = 86400000000u;
	const struct tw_history_limits none = {0}, age = {.age_max_us = day_us},
				       size = {.bytes_max = 1};
	struct tw_clickhouse *server;
	struct tw_store_reader *reader;
	struct tw_history_use before, after;
	struct tw_err err = {0};
	uint64_t rows;

	assert_int_equal(tw_clickhouse_open(place, &login, 60000, &server, &err), 0);
	assert_int_equal(tw_place_open_reader(place, &login, &reader, &err), 0);
	rows = count_rows(reader);
	run(server, "INSERT INTO history (piece, batch, place, " TW_ENCODE_COLUMNS ") SELECT"
		    " toUInt32(piece - 1000 * back), batch, place, " TW_ENCODE_COLUMNS
		    " FROM history ARRAY JOIN [2, 4] AS back");
	add_uses(reader, &before);
	assert_int_equal(apply(&none), 0);
	assert_int_equal(count_rows(reader), 3 * rows);
	/* A piece ends where the next one begins, so the newer copy is not old yet. */
	assert_int_equal(apply(&age), rows);
	assert_int_equal(count_rows(reader), 2 * rows);
	add_uses(reader, &after);
	assert_int_equal(after.rows, before.rows);
	assert_int_equal(after.last_us, before.last_us);
	assert_int_equal(apply(&size), rows);
	assert_int_equal(count_rows(reader), rows);
	assert_int_equal(apply(&size), 0);
	add_uses(reader, &after);
	assert_int_equal(after.rows, before.rows);
	assert_int_equal(after.last_us, before.last_us);
	tw_store_reader_free(reader);
	tw_clickhouse_free(server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_limits),
	};

	if (argc < 2) {
		fprintf(stderr, "usage: clickhouse_same PLACE [LOGIN]\n");
		return 2;
	}
	place = argv[1];
	login.login = argc > 2 ? argv[2] : NULL;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
