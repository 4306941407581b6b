/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the agent's answer to EventsRequest: its events, continuing from a number, filters,
 * and overwritten entries. */
#include <stdlib.h>

#include "tests/agent/test.h"

#include "agent/answer/answer.h"
#include "agent/observe/describe.h"
#include "agent/observe/journal.h"
#include "agent/observe/telemetry.h"
#include "link/event_reader.h"

/* An agent with a journal, and a reader of its answers. */
struct fixture {
	struct tw_journal journal;
	struct tw_telemetry telemetry;
	struct tw_answer_ctx ctx;
	struct tw_responses *stream;
	struct tw_event_reader reader;
	uint64_t numbers[2 * TW_JOURNAL_ENTRIES]; /* numbers of all rows read */
	size_t n;
	uint64_t lost; /* events lost before any of these rows, or after the last one */
	bool ended;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->telemetry.journal = &f->journal;
	f->ctx.telemetry = &f->telemetry;
	*state = f;
	return tw_journal_init(&f->journal);
}

static void close_stream(struct fixture *f)
{
	if (f->stream)
		f->stream->done(f->stream);
	f->stream = NULL;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close_stream(f);
	tw_event_reader_done(&f->reader);
	tw_journal_done(&f->journal);
	free(f);
	return 0;
}

/* Adds entries with their names: a denial is notable, other events are not. */
static void add(struct fixture *f, size_t n, enum tw_event_kind kind, const char *workload)
{
	struct tw_event event = {.kind = (uint8_t)kind, .outcome = {.verdict = TW_V_ALLOW}};
	struct tw_event_names names = {0};

	names.end[TW_DIR_IN] = tw_journal_name(&f->journal, workload);
	while (n--) {
		tw_journal_add(&f->journal, &event, 0, kind == TW_EVENT_DENY);
		tw_journal_settle(&f->journal, f->journal.next - 1, &names);
	}
}

static void ask(struct fixture *f, Tapwall__V1__EventsRequest *events)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	close_stream(f);
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS;
	request.events = events;
	assert_int_equal(tw_answer_log(&f->ctx, &request, &f->stream), 0);
}

static void read_response(struct fixture *f, const Tapwall__V1__Response *response)
{
	f->ended |= response->last;
	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_EVENTS)
		return;
	assert_int_equal(tw_event_reader_take(&f->reader, response->events), 0);
	assert_int_equal(f->reader.journal, f->journal.id);
	for (size_t i = 0; i < f->reader.n; i++) {
		f->numbers[f->n++] = f->reader.rows[i].number;
		f->lost += f->reader.rows[i].lost_before;
	}
}

/* Reads until the stream has nothing now, or ends. */
static void read_all(struct fixture *f)
{
	tw_auto_buf struct tw_buf out = {0};
	int state = TW_RESPONSES_MORE;
	const uint8_t *body;
	size_t at = 0, body_len;
	long len;

	f->n = 0;
	f->lost = 0;
	f->ended = false;
	while (state == TW_RESPONSES_MORE)
		state = f->stream->next(f->stream, &f->ctx, &out);
	assert_true(state == TW_RESPONSES_WAIT || state == TW_RESPONSES_END);
	while ((len = tw_link_frame(
			(const uint8_t *)out.data + at, out.len - at, &body, &body_len)) > 0) {
		Tapwall__V1__Response *response = tw_link_unpack_response(body, body_len);

		assert_non_null(response);
		read_response(f, response);
		tapwall__v1__response__free_unpacked(response, NULL);
		at += (size_t)len;
	}
	f->lost += f->reader.lost;
	assert_int_equal(f->ended, state == TW_RESPONSES_END);
}

static void assert_numbers(const struct fixture *f, uint64_t first, size_t n)
{
	assert_int_equal(f->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(f->numbers[i], first + i);
}

/* A reader that continues where it stopped gets every event once. */
static void test_going_on(void **state)
{
	Tapwall__V1__EventsRequest request = TAPWALL__V1__EVENTS_REQUEST__INIT;
	struct fixture *f = *state;

	request.follow = request.all = true;
	add(f, 1000, TW_EVENT_OPEN, "w1");
	ask(f, &request);
	read_all(f);
	assert_numbers(f, 1, 1000);
	add(f, 3, TW_EVENT_CLOSE, "w1");
	read_all(f);
	assert_numbers(f, 1001, 3);

	add(f, 700, TW_EVENT_CLOSE, "w2");
	request.journal = f->reader.journal;
	request.from = f->reader.next;
	tw_event_reader_done(&f->reader);
	ask(f, &request);
	read_all(f);
	assert_numbers(f, 1004, 700);
	assert_int_equal(f->lost, 0);

	/* A reader that comes from another agent's journal gets all entries. */
	request.journal++;
	tw_event_reader_done(&f->reader);
	ask(f, &request);
	read_all(f);
	assert_numbers(f, 1, 1703);
	/* No event has the requested number yet. */
	request.journal--;
	request.from = UINT64_MAX;
	tw_event_reader_done(&f->reader);
	ask(f, &request);
	read_all(f);
	assert_int_equal(f->n, 0);
	add(f, 1, TW_EVENT_OPEN, "w1");
	read_all(f);
	assert_numbers(f, 1704, 1);
}

/* Entries overwritten meanwhile, and events lost by the fast path, are counted once. */
static void test_losses(void **state)
{
	Tapwall__V1__EventsRequest request = TAPWALL__V1__EVENTS_REQUEST__INIT;
	struct fixture *f = *state;

	request.follow = request.all = true;
	add(f, 10, TW_EVENT_OPEN, "w1");
	ask(f, &request);
	read_all(f);
	add(f, TW_JOURNAL_ENTRIES + 5, TW_EVENT_OPEN, "w1");
	read_all(f);
	assert_numbers(f, 16, TW_JOURNAL_ENTRIES);
	assert_int_equal(f->lost, 5);
	tw_journal_lose(&f->journal, 7);
	add(f, 2, TW_EVENT_OPEN, "w1");
	read_all(f);
	assert_int_equal(f->n, 2);
	assert_int_equal(f->lost, 7);
}

/* Losses between filtered-out events are reported too: the lost events might have matched. */
static void test_filters(void **state)
{
	Tapwall__V1__EventsRequest request = TAPWALL__V1__EVENTS_REQUEST__INIT;
	struct fixture *f = *state;
	char w2[] = "w2";

	add(f, 3, TW_EVENT_OPEN, "w1");
	add(f, 2, TW_EVENT_DENY, "w1");
	add(f, 1, TW_EVENT_CLOSE, w2);
	add(f, 1, TW_EVENT_DENY, w2);
	ask(f, &request);
	read_all(f);
	assert_true(f->ended);
	assert_int_equal(f->n, 3); /* denials */
	request.all = true;
	request.workload = w2;
	ask(f, &request);
	read_all(f);
	assert_numbers(f, 6, 2);
	request.kinds = 1u << TW_EVENT_ROW_CLOSE;
	ask(f, &request);
	read_all(f);
	assert_numbers(f, 6, 1);
	request.workload = (char[]){"w3"};
	ask(f, &request);
	read_all(f);
	assert_int_equal(f->n, 0);
	request.workload = w2;
	request.kinds = 0;
	request.limit = 1;
	request.follow = true;
	ask(f, &request);
	read_all(f);
	assert_numbers(f, 7, 1);
	tw_journal_lose(&f->journal, 4);
	add(f, 1, TW_EVENT_OPEN, "w1");
	read_all(f);
	assert_int_equal(f->n, 0);
	assert_int_equal(f->lost, 4);
	assert_true(tw_answer_has_logged(&f->ctx, "w2"));
	assert_false(tw_answer_has_logged(&f->ctx, "w3"));
}

/* A reader whose filter matches little still learns its position in the journal. */
static void test_progress(void **state)
{
	Tapwall__V1__EventsRequest request = TAPWALL__V1__EVENTS_REQUEST__INIT;
	struct fixture *f = *state;

	request.follow = true;
	ask(f, &request);
	add(f, 3000, TW_EVENT_OPEN, "w1");
	read_all(f);
	assert_int_equal(f->n, 0);
	assert_true(f->reader.next > 3001 - 1024);
}

/* Names stay correct when the dictionary is rebuilt. */
static void test_dictionary(void **state)
{
	Tapwall__V1__EventsRequest request = TAPWALL__V1__EVENTS_REQUEST__INIT;
	struct fixture *f = *state;
	char w9[] = "w9";

	tw_journal_name(&f->journal, "that goes away");
	request.follow = request.all = true;
	request.workload = w9;
	add(f, 1, TW_EVENT_OPEN, w9);
	ask(f, &request);
	read_all(f);
	tw_journal_tidy(&f->journal, 0);
	add(f, 1, TW_EVENT_OPEN, "w8");
	add(f, 1, TW_EVENT_OPEN, w9);
	read_all(f);
	assert_numbers(f, 3, 1);
	assert_string_equal(
		tw_dictionary_text(&f->reader.dictionary, f->reader.rows[0].to_workload), "w9");
	assert_int_equal(f->reader.generation, 2);
}

/* The row of an ended connection has the times of its first and last packet, and the ports of both ends. */
static void test_close(void **state)
{
	struct tw_event event = {.kind = TW_EVENT_CLOSE,
		.time_ns = 1000ull << TW_TICK_SHIFT,
		.outcome = {.dir = TW_DIR_IN},
		.sums = {.age = 900, .idle = 200}};
	struct fixture *f = *state;
	const struct tw_event_names names = {.port = tw_journal_name(&f->journal, "tap-db1"),
		.other_port = tw_journal_name(&f->journal, "tap-web1")};
	struct tw_event_row row;

	tw_journal_add(&f->journal, &event, 5, false);
	tw_journal_settle(&f->journal, 1, &names);
	tw_describe_row(&f->telemetry, 1, &row);
	assert_int_equal(row.first_ns, (100ull << TW_TICK_SHIFT) + 5);
	assert_int_equal(row.last_ns, (800ull << TW_TICK_SHIFT) + 5);
	assert_int_equal(row.out_port, names.other_port);
	assert_int_equal(row.in_port, names.port);

	/* A packet on another CPU is later than the report. */
	event.sums.idle = (uint32_t)-1;
	event.outcome.dir = TW_DIR_OUT;
	tw_journal_add(&f->journal, &event, 5, false);
	tw_journal_settle(&f->journal, 2, &names);
	tw_describe_row(&f->telemetry, 2, &row);
	assert_int_equal(row.last_ns, row.time_ns);
	assert_int_equal(row.out_port, names.port);
	assert_int_equal(row.in_port, names.other_port);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_going_on),
		WITH_FIXTURE(test_losses),
		WITH_FIXTURE(test_filters),
		WITH_FIXTURE(test_progress),
		WITH_FIXTURE(test_dictionary),
		WITH_FIXTURE(test_close),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
