/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Rows of an agent's stream become rows of the history, once, with the names of their dictionary. */
#include "tests/unit/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "link/event_reader.h"
#include "link/event_writer.h"
#include "slowpath/feed/recorder.h"
#include "slowpath/history/read.h"
#include "tests/history/file.h"

#define NOW_US	1767225600000000u /* 2026-01-01 */
#define WAIT_MS 20000

/* The agent's end of a stream. */
struct sender {
	struct tw_dictionary names;
	struct tw_event_writer writer;
};

static void sender_done(struct sender *sender)
{
	tw_dictionary_clear(&sender->names);
	tw_event_writer_done(&sender->writer);
}

static uint32_t intern(struct sender *sender, const char *text)
{
	return tw_dictionary_intern(&sender->names, text);
}

static struct tw_event_row make_row(struct sender *sender, uint64_t number, uint8_t kind)
{
	return (struct tw_event_row){.number = number,
		.kind = kind,
		.time_ns = (NOW_US - 10000000) * 1000 + number,
		.verdict = kind == TW_EVENT_ROW_DENY ? TW_V_REJECT : TW_V_ALLOW,
		.direction = TW_DIR_IN,
		.reason = intern(sender, "policy"),
		.rule = intern(sender, "web-to-db"),
		.port = intern(sender, "tap-db1"),
		.workload = intern(sender, "db-1"),
		.has_ends = 1,
		.proto = IPPROTO_TCP,
		.from = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 11},
		.to = {0xfd, 1},
		.from_port = 40000,
		.to_port = 5432,
		.state = intern(sender, "time-wait"),
		.from_workload = intern(sender, "web-1"),
		.to_workload = intern(sender, "db-1")};
}

/* Returns the writer's rows as a batch of its own, as it comes from the other end. */
static Tapwall__V1__EventBatch *take_batch(struct sender *sender, uint64_t next)
{
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT, *got;
	size_t len;
	uint8_t *bytes;

	assert_int_equal(tw_event_writer_take(&sender->writer, &sender->names, next, &batch), 0);
	batch.journal = 77;
	len = tapwall__v1__event_batch__get_packed_size(&batch);
	bytes = malloc(len + 1);
	assert_non_null(bytes);
	tapwall__v1__event_batch__pack(&batch, bytes);
	got = tapwall__v1__event_batch__unpack(NULL, len, bytes);
	assert_non_null(got);
	free(bytes);
	return got;
}

/* ---- rows ---- */

static const char *texts[64];
static unsigned int n_texts;

/* Numbers each text; a look-up of the same text again is an error. */
static int number_text(void *arg, enum tw_history_noun noun, const char *text, uint32_t *ret)
{
	assert_true(n_texts < 63);
	for (unsigned int i = 0; i < n_texts; i++)
		assert_false(texts[i][0] == (char)('0' + noun) && !strcmp(texts[i] + 1, text));
	texts[n_texts] = malloc(strlen(text) + 2);
	assert_non_null(texts[n_texts]);
	sprintf((char *)(uintptr_t)texts[n_texts], "%c%s", '0' + noun, text);
	*ret = ++n_texts;
	return 0;
}

static const char *text_at(uint32_t number)
{
	return number ? texts[number - 1] + 1 : "";
}

static void forget_texts(void)
{
	while (n_texts)
		free((char *)(uintptr_t)texts[--n_texts]);
}

static int make_one(struct tw_translation *translation, const struct tw_event_reader *reader,
	size_t i, struct tw_history_row *ret)
{
	return tw_translate_row(translation, reader, &reader->rows[i], NOW_US, ret);
}

static void test_close(void **state)
{
	struct sender sender = {0};
	struct tw_event_reader reader = {0};
	struct tw_translation translation = {.name = number_text, .host = 9};
	struct tw_event_row row = make_row(&sender, 5, TW_EVENT_ROW_CLOSE);
	struct tw_history_row got;
	Tapwall__V1__EventBatch *batch;

	row.out_verdict = row.in_verdict = TW_V_ALLOW;
	row.out_rule = intern(&sender, "web-out");
	row.in_rule = intern(&sender, "web-to-db");
	row.out_port = intern(&sender, "tap-web1");
	row.in_port = intern(&sender, "tap-db1");
	row.packets_out = 7;
	row.packets_in = 5;
	row.bytes_out = 700;
	row.bytes_in = 5000;
	row.first_ns = row.time_ns - 9000000000u;
	row.last_ns = row.time_ns - 2000000000u;
	row.age_ns = 9000000000u;
	assert_true(tw_event_writer_add(&sender.writer, &row));
	row.number = 6; /* an older agent, which sends no times */
	row.first_ns = row.last_ns = 0;
	assert_true(tw_event_writer_add(&sender.writer, &row));
	batch = take_batch(&sender, 7);
	assert_int_equal(tw_event_reader_take(&reader, batch), 0);
	assert_int_equal(make_one(&translation, &reader, 1, &got), 1);
	assert_int_equal(got.duration_ms, 9000);
	assert_int_equal(got.idle_ms, 0);
	assert_int_equal(make_one(&translation, &reader, 0, &got), 1);
	assert_int_equal(got.duration_ms, 7000);
	assert_int_equal(got.idle_ms, 2000);
	assert_int_equal(got.kind, TW_HISTORY_CLOSE);
	assert_int_equal(got.time_us, row.time_ns / 1000);
	assert_int_equal(got.host, 9);
	assert_int_equal(got.port[TW_DIR_OUT], 40000);
	assert_int_equal(got.port[TW_DIR_IN], 5432);
	assert_int_equal(got.packets[TW_WAY_ORIGINAL], 7);
	assert_int_equal(got.bytes[TW_WAY_REPLY], 5000);
	assert_int_equal(got.reason, TW_R_POLICY);
	assert_int_equal(got.state, TW_S_TIME_WAIT);
	assert_memory_equal(&got.addr[TW_DIR_IN], row.to, 16);
	assert_string_equal(text_at(got.rule[TW_DIR_OUT]), "web-out");
	assert_string_equal(text_at(got.rule[TW_DIR_IN]), "web-to-db");
	assert_string_equal(text_at(got.workload[TW_DIR_OUT]), "web-1");
	assert_string_equal(text_at(got.tap[TW_DIR_OUT]), "tap-web1");
	assert_string_equal(text_at(got.tap[TW_DIR_IN]), "tap-db1");
	tapwall__v1__event_batch__free_unpacked(batch, NULL);
	tw_event_reader_done(&reader);
	tw_translate_done(&translation);
	forget_texts();
	sender_done(&sender);
}

static void test_deny(void **state)
{
	struct sender sender = {0};
	struct tw_event_reader reader = {0};
	struct tw_translation translation = {.name = number_text};
	struct tw_event_row row = make_row(&sender, 1, TW_EVENT_ROW_DENY);
	struct tw_history_row got;
	Tapwall__V1__EventBatch *batch;

	row.len = 74;
	row.state = 0;
	assert_true(tw_event_writer_add(&sender.writer, &row));
	row.number = 2; /* a frame without addresses, of a reason that a newer agent knows */
	row.has_ends = 0;
	row.from_workload = row.to_workload = row.rule = 0;
	row.reason = intern(&sender, "too-new");
	assert_true(tw_event_writer_add(&sender.writer, &row));
	row.number = 3; /* values that are not known: the row is left out */
	row.verdict = TW_V__MAX;
	assert_true(tw_event_writer_add(&sender.writer, &row));
	row.number = 4;
	row.verdict = TW_V_DENY;
	row.direction = TW_DIR__MAX;
	assert_true(tw_event_writer_add(&sender.writer, &row));
	row.number = 5;
	row.kind = TW_EVENT_ROW_OPEN;
	row.direction = TW_DIR_OUT;
	assert_true(tw_event_writer_add(&sender.writer, &row));
	batch = take_batch(&sender, 6);
	assert_int_equal(tw_event_reader_take(&reader, batch), 0);
	assert_int_equal(make_one(&translation, &reader, 0, &got), 1);
	assert_int_equal(got.kind, TW_HISTORY_DENY);
	assert_int_equal(got.verdict, TW_V_REJECT);
	assert_int_equal(got.dir, TW_DIR_IN);
	assert_int_equal(got.gate_verdict[TW_DIR_IN], TW_V_REJECT);
	assert_int_equal(got.gate_verdict[TW_DIR_OUT], TW_V_NONE);
	assert_string_equal(text_at(got.rule[TW_DIR_IN]), "web-to-db");
	assert_string_equal(text_at(got.tap[TW_DIR_IN]), "tap-db1");
	assert_int_equal(got.packets[TW_WAY_ORIGINAL], 1);
	assert_int_equal(got.bytes[TW_WAY_ORIGINAL], 74);
	assert_int_equal(got.state, TW_HISTORY_UNKNOWN);
	assert_int_equal(make_one(&translation, &reader, 1, &got), 1);
	assert_int_equal(got.reason, TW_HISTORY_UNKNOWN);
	assert_string_equal(text_at(got.workload[TW_DIR_IN]), "db-1");
	assert_int_equal(got.rule[TW_DIR_IN], 0);
	for (size_t i = 2; i < 5; i++)
		assert_int_equal(make_one(&translation, &reader, i, &got), 0);
	tapwall__v1__event_batch__free_unpacked(batch, NULL);
	tw_event_reader_done(&reader);
	tw_translate_done(&translation);
	forget_texts();
	sender_done(&sender);
}

static void test_live(void **state)
{
	struct sender sender = {0};
	struct tw_event_reader reader = {0};
	struct tw_translation translation = {.name = number_text};
	struct tw_event_row row = make_row(&sender, 1, TW_EVENT_ROW_LIVE);
	struct tw_history_row got;
	Tapwall__V1__EventBatch *batch;

	row.bytes_in = 5000;
	assert_true(tw_event_writer_add(&sender.writer, &row));
	batch = take_batch(&sender, 2);
	assert_int_equal(tw_event_reader_take(&reader, batch), 0);
	assert_int_equal(make_one(&translation, &reader, 0, &got), 1);
	assert_int_equal(got.kind, TW_HISTORY_LIVE);
	assert_int_equal(got.bytes[TW_WAY_REPLY], 5000);
	tapwall__v1__event_batch__free_unpacked(batch, NULL);
	tw_event_reader_done(&reader);
	tw_translate_done(&translation);
	forget_texts();
	sender_done(&sender);
}

/* A time before 2020 or in the future is that of an unset or wrong clock, and must not decide what the history
 * drops. */
static void test_times(void **state)
{
	static const uint64_t wrong[] = {0, 1000, NOW_US * 1000 + 1000000, UINT64_MAX};
	struct sender sender = {0};
	struct tw_event_reader reader = {0};
	struct tw_translation translation = {.name = number_text};
	Tapwall__V1__EventBatch *batch;

	for (size_t i = 0; i < 4; i++) {
		struct tw_event_row row = make_row(&sender, i + 1, TW_EVENT_ROW_CLOSE);

		row.time_ns = wrong[i];
		assert_true(tw_event_writer_add(&sender.writer, &row));
	}
	batch = take_batch(&sender, 5);
	assert_int_equal(tw_event_reader_take(&reader, batch), 0);
	for (size_t i = 0; i < 4; i++) {
		struct tw_history_row got;

		assert_int_equal(make_one(&translation, &reader, i, &got), 1);
		assert_int_equal(got.time_us, NOW_US);
	}
	tapwall__v1__event_batch__free_unpacked(batch, NULL);
	tw_event_reader_done(&reader);
	tw_translate_done(&translation);
	forget_texts();
	sender_done(&sender);
}

/* ---- the recorder ---- */

struct lab {
	struct history_file file;
	struct tw_recorder *recorder;
	struct tw_source source;
	int wake_fd;
};

static void lab_start(struct lab *lab)
{
	struct tw_recorder_setup setup = {.path = lab->file.path};
	struct tw_err err = {0};

	lab->wake_fd = setup.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(lab->wake_fd >= 0);
	lab->source = (struct tw_source){.name = "host-a"};
	assert_int_equal(tw_recorder_new(&setup, &lab->recorder, &err), 0);
}

static void lab_stop(struct lab *lab)
{
	tw_recorder_free(lab->recorder);
	tw_event_reader_done(&lab->source.reader);
	tw_translate_done(&lab->source.translation);
	close(lab->wake_fd);
}

/* Gives a parcel and waits until it is handled. */
static struct tw_parcel handle(struct lab *lab, Tapwall__V1__EventBatch *batch)
{
	struct tw_parcel *parcel = calloc(1, sizeof(*parcel)), *back = NULL, done;
	struct pollfd wake = {.fd = lab->wake_fd, .events = POLLIN};
	uint64_t count, end = tw_clock_ns() + (uint64_t)WAIT_MS * 1000000;

	assert_non_null(parcel);
	parcel->source = &lab->source;
	parcel->batch = batch;
	assert_int_equal(tw_recorder_give(lab->recorder, parcel), 0);
	while (!back && tw_clock_ns() < end) {
		poll(&wake, 1, WAIT_MS);
		if (read(lab->wake_fd, &count, sizeof(count)) != sizeof(count))
			continue;
		back = tw_recorder_take_back(lab->recorder);
	}
	if (!back) {
		fail_msg("the recorder does not answer");
		return (struct tw_parcel){0};
	}
	done = *back;
	assert_null(done.next);
	free(back);
	return done;
}

static Tapwall__V1__EventBatch *make_batch(struct sender *sender, uint64_t number, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct tw_event_row row = make_row(sender, number + i, TW_EVENT_ROW_CLOSE);

		row.bytes_out = number + i;
		assert_true(tw_event_writer_add(&sender->writer, &row));
	}
	return take_batch(sender, number + n);
}

static size_t count_rows(const struct history_file *file)
{
	const struct tw_history_query query = {
		.limit = 1000, .filter.from.workload = "web-1", .filter.host = "host-a"};
	struct tw_history_reader *reader = NULL;
	struct tw_history_result result;
	struct tw_err err = {0};
	size_t n;

	assert_int_equal(tw_history_reader_open(file->path, &reader, &err), 0);
	assert_int_equal(tw_history_select(reader, &query, &result), 0);
	n = result.n;
	tw_history_result_done(&result);
	tw_history_reader_free(reader);
	return n;
}

/* A new recorder continues where the last one stopped. A malformed batch ends its stream, and what follows in it
 * is not recorded; the next stream continues after the last good batch. */
static void test_positions(void **state)
{
	struct sender sender = {0};
	struct lab lab = {0};
	struct tw_parcel done;
	struct tw_source_facts facts;
	Tapwall__V1__EventBatch *batch;

	file_make(&lab.file);
	lab_start(&lab);
	done = handle(&lab, NULL);
	assert_int_equal(done.code, 0);
	assert_int_equal(done.journal, 0);
	done = handle(&lab, make_batch(&sender, 1, 30));
	assert_int_equal(done.code, 0);
	tw_recorder_get_facts(lab.recorder, &lab.source, &facts);
	assert_int_equal(facts.rows, 30);
	assert_int_equal(facts.next, 31);
	lab_stop(&lab);
	assert_int_equal(count_rows(&lab.file), 30);

	lab_start(&lab);
	tw_event_writer_done(&sender.writer);
	done = handle(&lab, NULL);
	assert_int_equal(done.journal, 77);
	assert_int_equal(done.from, 31);
	/* The agent begins with rows that are recorded already. */
	batch = make_batch(&sender, 25, 8);
	assert_int_equal(handle(&lab, batch).code, 0);
	batch = make_batch(&sender, 33, 8);
	batch->lost_before = 3;
	assert_int_equal(handle(&lab, batch).code, 0);
	batch = make_batch(&sender, 41, 10);
	batch->kind.len--;
	assert_int_equal(handle(&lab, batch).code, -EBADMSG);
	assert_int_not_equal(handle(&lab, make_batch(&sender, 51, 10)).code, 0);
	done = handle(&lab, NULL);
	assert_int_equal(done.from, 41);
	tw_recorder_get_facts(lab.recorder, &lab.source, &facts);
	assert_int_equal(facts.lost, 3);
	lab_stop(&lab);
	assert_int_equal(count_rows(&lab.file), 40);
	sender_done(&sender);
	file_remove(&lab.file);
}

/* A sink that takes a row only when the test allows it. */
static void wait_for_test(void *arg, const char *agent, const struct tw_event_reader *reader)
{
	uint64_t count;

	assert_int_equal(read(*(int *)arg, &count, sizeof(count)), sizeof(count));
}

static struct tw_parcel *make_parcel(struct lab *lab, Tapwall__V1__EventBatch *batch, size_t bytes)
{
	struct tw_parcel *parcel = calloc(1, sizeof(*parcel));

	assert_non_null(parcel);
	parcel->source = &lab->source;
	parcel->batch = batch;
	parcel->bytes = bytes;
	return parcel;
}

/* The waiting batches of all agents have a bound: one more is refused, and accepted once they are handled. */
static void test_waiting(void **state)
{
	struct sender sender = {0};
	struct lab lab = {0};
	int allow_fd = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
	const uint64_t all = 100;
	struct tw_recorder_setup setup = {.waiting_max = 1000,
		.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.sinks = {{.take = wait_for_test, .arg = &allow_fd}},
		.n_sinks = 1};
	uint64_t end = tw_clock_ns() + (uint64_t)WAIT_MS * 1000000;
	struct tw_err err = {0};
	struct tw_parcel *parcel;

	lab.source = (struct tw_source){.name = "host-a"};
	lab.wake_fd = setup.wake_fd;
	assert_int_equal(tw_recorder_new(&setup, &lab.recorder, &err), 0);
	assert_int_equal(handle(&lab, NULL).code, 0);
	for (uint64_t i = 0; i < 2; i++) {
		parcel = make_parcel(&lab, make_batch(&sender, 1 + i, 1), 500);
		assert_int_equal(tw_recorder_give(lab.recorder, parcel), 0);
	}
	assert_false(tw_recorder_has_room(lab.recorder));
	parcel = make_parcel(&lab, make_batch(&sender, 3, 1), 1);
	assert_int_equal(tw_recorder_give(lab.recorder, parcel), -ENOBUFS);
	assert_int_equal(write(allow_fd, &all, sizeof(all)), sizeof(all));
	while (!tw_recorder_has_room(lab.recorder) && tw_clock_ns() < end) {
		struct pollfd wake = {.fd = lab.wake_fd, .events = POLLIN};
		uint64_t count;

		poll(&wake, 1, WAIT_MS);
		if (read(lab.wake_fd, &count, sizeof(count)) != sizeof(count))
			continue;
		for (struct tw_parcel *next, *at = tw_recorder_take_back(lab.recorder); at;
			at = next) {
			next = at->next;
			free(at);
		}
	}
	assert_int_equal(tw_recorder_give(lab.recorder, parcel), 0);
	lab_stop(&lab);
	close(allow_fd);
	sender_done(&sender);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_positions),
		cmocka_unit_test(test_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
