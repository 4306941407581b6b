/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of events in columns: a reader gets the writer's rows, and accepts no malformed
 * batch. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "fastpath/abi/types.h"
#include "link/event_reader.h"
#include "link/event_writer.h"
#include "tests/unit/test.h"

/* The two ends of a stream, and the agent's dictionary. */
struct ends {
	struct tw_dictionary names;
	struct tw_event_writer writer;
	struct tw_event_reader reader;
};

static void done(struct ends *ends)
{
	tw_dictionary_clear(&ends->names);
	tw_event_writer_done(&ends->writer);
	tw_event_reader_done(&ends->reader);
}

/* Sends the writer's batch, as bytes. */
static int pass(struct ends *ends, uint64_t next)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT, *got;
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
	tw_auto_buf struct tw_buf out = {0};
	const uint8_t *body;
	size_t len;
	int ret;

	assert_int_equal(tw_event_writer_take(&ends->writer, &ends->names, next, &batch), 0);
	batch.journal = 77;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS;
	response.events = &batch;
	assert_int_equal(tw_link_pack(&out, &response.base), 0);
	assert_true(tw_link_frame((const uint8_t *)out.data, out.len, &body, &len) > 0);
	got = tw_link_unpack_response(body, len);
	assert_non_null(got);
	ret = tw_event_reader_take(&ends->reader, got->events);
	tapwall__v1__response__free_unpacked(got, NULL);
	return ret;
}

static uint32_t name(struct ends *ends, const char *text)
{
	return tw_dictionary_intern(&ends->names, text);
}

static struct tw_event_row row_of(struct ends *ends, uint64_t number, uint8_t kind)
{
	struct tw_event_row row = {.number = number,
		.time_ns = 1700000000250000000 + number,
		.kind = kind,
		.verdict = kind == TW_EVENT_ROW_DENY ? TW_V_REJECT : TW_V_ALLOW,
		.direction = TW_DIR_IN,
		.notable = number & 1,
		.reason = name(ends, "policy"),
		.rule = name(ends, "web-to-db"),
		.port = name(ends, "tap-db1"),
		.workload = name(ends, "db-1"),
		.has_ends = 1,
		.proto = IPPROTO_TCP,
		.from = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 11},
		.to = {0xfd, 1},
		.from_port = (uint16_t)(40000 + number),
		.to_port = 5432,
		.ethertype = 0x0800,
		.vlan = 12,
		.from_workload = name(ends, "web-1"),
		.state = name(ends, "syn-sent"),
		.out_verdict = TW_V_ALLOW,
		.out_rule = name(ends, "web-to-db")};

	if (kind == TW_EVENT_ROW_CLOSE || kind == TW_EVENT_ROW_LIVE) {
		row.packets_out = number;
		row.bytes_in = (1ull << 40) + number;
		row.age_ns = 75000000000;
		row.first_ns = row.time_ns - row.age_ns;
		row.last_ns = row.time_ns - number;
		row.out_port = name(ends, "tap-web1");
		row.in_port = number & 1 ? 0 : name(ends, "tap-db1");
		return row;
	}
	memcpy(row.src_mac, "\x52\x54\0\0\0\1", 6);
	row.dst_mac[5] = (uint8_t)number;
	row.len = 74;
	if (kind == TW_EVENT_ROW_OPEN)
		return row;
	row.entered_by = name(ends, "eth1");
	row.tcp_flags = 0x12;
	row.tcp_seq = 4294967295;
	row.tcp_window = 502;
	return row;
}

static void assert_row(const struct tw_event_row *got, const struct tw_event_row *want)
{
	assert_int_equal(got->number, want->number);
	assert_int_equal(got->lost_before, want->lost_before);
#define TW_COLUMN_8(field, of)	      assert_int_equal(got->field, want->field);
#define TW_COLUMN_16(field, of)	      assert_int_equal(got->field, want->field);
#define TW_COLUMN_32(field, of)	      assert_int_equal(got->field, want->field);
#define TW_COLUMN_64(field, of)	      assert_int_equal(got->field, want->field);
#define TW_COLUMN_NAME(field, of)     assert_int_equal(got->field, want->field);
#define TW_COLUMN_BYTES(field, of, n) assert_memory_equal(got->field, want->field, n);
#include "link/event_columns.def"
}

static void test_round(void **state)
{
	static const uint8_t kinds[] = {TW_EVENT_ROW_OPEN, TW_EVENT_ROW_DENY, TW_EVENT_ROW_CLOSE,
		TW_EVENT_ROW_CLOSE, 9, TW_EVENT_ROW_OPEN, TW_EVENT_ROW_LIVE};
	enum { ROWS = sizeof(kinds) };
	struct ends ends = {0};
	struct tw_event_row rows[ROWS];

	for (size_t i = 0; i < ROWS; i++) {
		rows[i] = row_of(&ends, 5 + i + (i > 3), kinds[i]);
		if (kinds[i] == 9) { /* an unknown kind has only the common columns */
			memset(&rows[i].src_mac, 0, 12);
			rows[i].len = rows[i].entered_by = rows[i].tcp_flags = 0;
			rows[i].tcp_seq = rows[i].tcp_window = 0;
		}
		assert_true(tw_event_writer_add(&ends.writer, &rows[i]));
	}
	assert_int_equal(pass(&ends, 20), 0);
	assert_int_equal(ends.reader.n, ROWS);
	assert_int_equal(ends.reader.next, 20);
	assert_int_equal(ends.reader.journal, 77);
	for (size_t i = 0; i < ROWS; i++)
		assert_row(&ends.reader.rows[i], &rows[i]);
	assert_string_equal(
		tw_dictionary_text(&ends.reader.dictionary, ends.reader.rows[1].entered_by),
		"eth1");
	assert_true(tw_event_writer_is_empty(&ends.writer));
	done(&ends);
}

/* A name is sent once, and again after the dictionary was replaced. */
static void test_names(void **state)
{
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
	struct ends ends = {0};
	struct tw_event_row row = row_of(&ends, 1, TW_EVENT_ROW_OPEN), renamed;

	tw_event_writer_begin(&ends.writer, 1);
	assert_true(tw_event_writer_add(&ends.writer, &row));
	assert_int_equal(pass(&ends, 2), 0);
	row.number = 2;
	assert_true(tw_event_writer_add(&ends.writer, &row));
	assert_int_equal(tw_event_writer_take(&ends.writer, &ends.names, 3, &batch), 0);
	assert_int_equal(batch.n_names, 0);
	assert_int_equal(tw_event_reader_take(&ends.reader, &batch), 0);

	tw_dictionary_clear(&ends.names);
	name(&ends, "somewhere-else");
	renamed = row_of(&ends, 3, TW_EVENT_ROW_OPEN);
	assert_int_not_equal(renamed.rule, row.rule);
	tw_event_writer_begin(&ends.writer, 2);
	assert_true(tw_event_writer_add(&ends.writer, &renamed));
	assert_int_equal(pass(&ends, 4), 0);
	assert_string_equal(
		tw_dictionary_text(&ends.reader.dictionary, ends.reader.rows[0].rule), "web-to-db");
	assert_int_equal(ends.reader.generation, 2);
	done(&ends);
}

/* A loss is reported before the first row after it, in whichever batch that row is. */
static void test_losses(void **state)
{
	struct ends ends = {0};
	struct tw_event_row row = row_of(&ends, 1, TW_EVENT_ROW_OPEN);

	row.lost_before = 3;
	assert_true(tw_event_writer_add(&ends.writer, &row));
	row.number = 2;
	assert_false(tw_event_writer_add(&ends.writer, &row));
	row.lost_before = 0;
	tw_event_writer_lose(&ends.writer, 5);
	assert_false(tw_event_writer_add(&ends.writer, &row));
	assert_int_equal(pass(&ends, 2), 0);
	assert_int_equal(ends.reader.rows[0].lost_before, 3);
	assert_false(tw_event_writer_is_empty(&ends.writer));
	assert_int_equal(pass(&ends, 2), 0);
	assert_int_equal(ends.reader.n, 0);
	assert_int_equal(ends.reader.lost, 5);
	tw_event_writer_lose(&ends.writer, 1);
	row.lost_before = 2;
	assert_true(tw_event_writer_add(&ends.writer, &row));
	assert_int_equal(pass(&ends, 3), 0);
	assert_int_equal(ends.reader.rows[0].lost_before, 8);
	assert_int_equal(ends.reader.lost, 0);
	done(&ends);
}

static void test_full(void **state)
{
	struct ends ends = {0};
	struct tw_event_row row = row_of(&ends, 1, TW_EVENT_ROW_CLOSE);

	for (; row.number <= TW_EVENT_WRITER_ROWS; row.number++)
		assert_true(tw_event_writer_add(&ends.writer, &row));
	assert_false(tw_event_writer_add(&ends.writer, &row));
	assert_int_equal(pass(&ends, row.number), 0);
	assert_int_equal(ends.reader.n, TW_EVENT_WRITER_ROWS);
	assert_true(tw_event_writer_add(&ends.writer, &row));
	row.number += 1ull << 32;
	assert_false(tw_event_writer_add(&ends.writer, &row));
	done(&ends);
}

/* ---- what is not accepted ---- */

typedef void damage_fn(Tapwall__V1__EventBatch *batch);

static void shorten_column(Tapwall__V1__EventBatch *batch)
{
	batch->n_rule--;
}

static void cut_value(Tapwall__V1__EventBatch *batch)
{
	batch->from.len--;
}

static void drop_values_of_close(Tapwall__V1__EventBatch *batch)
{
	batch->n_packets_out = 2;
}

static void forget_names(Tapwall__V1__EventBatch *batch)
{
	batch->n_names--;
}

static void name_nothing(Tapwall__V1__EventBatch *batch)
{
	batch->names[0]->id = 0;
}

static void name_beyond(Tapwall__V1__EventBatch *batch)
{
	batch->names[0]->id = TW_DICTIONARY_MAX;
}

static void name_twice(Tapwall__V1__EventBatch *batch)
{
	batch->names[1]->id = batch->names[0]->id;
}

static void go_back(Tapwall__V1__EventBatch *batch)
{
	batch->number[1] = 0;
}

static void end_early(Tapwall__V1__EventBatch *batch)
{
	batch->next = batch->first;
}

static void wrap_around(Tapwall__V1__EventBatch *batch)
{
	batch->first = batch->next = UINT64_MAX;
}

static void claim_many(Tapwall__V1__EventBatch *batch)
{
	batch->rows = TW_EVENT_READER_ROWS + 1;
}

static void claim_more(Tapwall__V1__EventBatch *batch)
{
	batch->rows++;
}

static int read_damaged(damage_fn *damage)
{
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
	struct ends ends = {0};
	struct tw_event_row row = row_of(&ends, 7, TW_EVENT_ROW_DENY);
	int ret;

	assert_true(tw_event_writer_add(&ends.writer, &row));
	row = row_of(&ends, 9, TW_EVENT_ROW_CLOSE);
	assert_true(tw_event_writer_add(&ends.writer, &row));
	assert_int_equal(tw_event_writer_take(&ends.writer, &ends.names, 10, &batch), 0);
	if (damage)
		damage(&batch);
	ret = tw_event_reader_take(&ends.reader, &batch);
	assert_int_equal(ends.reader.n, ret ? 0 : 2);
	done(&ends);
	return ret;
}

static void test_damage(void **state)
{
	static damage_fn *const damages[] = {shorten_column, cut_value, drop_values_of_close,
		forget_names, name_nothing, name_beyond, name_twice, go_back, end_early,
		wrap_around, claim_many, claim_more};

	assert_int_equal(read_damaged(NULL), 0);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++)
		assert_int_equal(read_damaged(damages[i]), -EBADMSG);
}

/* Each allocation fails once; the next attempt succeeds. */
static void test_no_memory(void **state)
{
	int ret = -ENOMEM;

	for (size_t n = 1; ret; n++) {
		Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
		struct ends ends = {0};
		struct tw_event_row row = row_of(&ends, 1, TW_EVENT_ROW_DENY);

		tw_alloc_fail_after(n);
		tw_event_writer_add(&ends.writer, &row);
		ret = tw_event_writer_take(&ends.writer, &ends.names, 2, &batch);
		if (!ret)
			ret = tw_event_reader_take(&ends.reader, &batch);
		tw_alloc_fail_after(0);
		assert_true(!ret || ret == -ENOMEM);
		assert_true(n < 100);
		done(&ends);
	}
}

/* ---- the dictionary ---- */

static void test_dictionary(void **state)
{
	struct tw_dictionary dictionary = {0};
	char text[16];

	assert_int_equal(tw_dictionary_intern(&dictionary, ""), 0);
	assert_int_equal(tw_dictionary_find(&dictionary, "x"), 0);
	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int i = 1; i <= 1000; i++) {
			snprintf(text, sizeof(text), "name-%u", i);
			assert_int_equal(tw_dictionary_intern(&dictionary, text), i);
		}
	assert_string_equal(tw_dictionary_text(&dictionary, 1000), "name-1000");
	assert_string_equal(tw_dictionary_text(&dictionary, 1001), "");
	assert_true(tw_dictionary_has(&dictionary, 0));
	assert_false(tw_dictionary_has(&dictionary, 1001));
	assert_int_equal(tw_dictionary_find(&dictionary, "name-7"), 7);
	assert_int_equal(tw_dictionary_find(&dictionary, "name-0"), 0);
	tw_dictionary_clear(&dictionary);
	assert_false(tw_dictionary_has(&dictionary, 1));
}

/* ---- words ---- */

static void test_words(void **state)
{
	struct ends ends = {0};
	struct tw_event_row row = row_of(&ends, 3, TW_EVENT_ROW_DENY);
	struct tw_event_words words;

	tw_event_row_describe(&row, &ends.names, &words);
	assert_string_equal(words.entry.event, "deny");
	row.time_ns = 1700000000250000000;
	tw_event_row_describe(&row, &ends.names, &words);
	assert_true(words.entry.time == 1700000000.25);
	assert_string_equal(words.entry.verdict, "reject");
	assert_string_equal(words.entry.from->address, "10.0.0.11");
	assert_int_equal(words.entry.from->port, 40003);
	assert_string_equal(words.entry.from->workload, "web-1");
	assert_string_equal(words.entry.to->workload, "");
	assert_string_equal(words.entry.proto, "tcp");
	assert_string_equal(words.entry.src_mac, "52:54:00:00:00:01");
	assert_int_equal(words.entry.tcp->seq, 4294967295);
	assert_string_equal(words.entry.out->rule, "web-to-db");
	assert_null(words.entry.in);
	assert_string_equal(words.entry.entered_by, "eth1");

	row = row_of(&ends, 3, TW_EVENT_ROW_CLOSE);
	row.proto = 132;
	tw_event_row_describe(&row, &ends.names, &words);
	assert_string_equal(words.entry.src_mac, "");
	assert_string_equal(words.entry.proto, "132");
	assert_null(words.entry.tcp);
	assert_true(words.entry.age_s == 75);
	row.has_ends = 0;
	tw_event_row_describe(&row, &ends.names, &words);
	assert_null(words.entry.from);
	assert_string_equal(words.entry.proto, "");
	done(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_dictionary),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
