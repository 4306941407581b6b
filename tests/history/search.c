/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Requests for the history: invalid ones are refused, pages have each row once, and damage is reported. */
#include "tests/unit/test.h"

#include <errno.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "slowpath/history/history.h"
#include "slowpath/query/found.h"
#include "slowpath/store/place.h"
#include "tests/history/file.h"

#define START_US 1767225600000000u
#define ROWS	 40u
#define SAME	 5u /* rows of each microsecond; more than a page has */
#define PAGE	 3u

static void write_rows(const struct history_file *file)
{
	const struct tw_history_limits limits = {0};
	struct tw_history *history = NULL;
	struct tw_err err = {0};

	assert_int_equal(tw_history_open(file->path, &limits, &history, &err), 0);
	for (unsigned int i = 0; i < ROWS; i++) {
		struct tw_history_row row = {.time_us = START_US + i / SAME,
			.proto = IPPROTO_TCP,
			.port = {(uint16_t)(1000 + i), 443},
			.verdict = TW_V_ALLOW,
			.kind = TW_HISTORY_CLOSE};

		assert_int_equal(tw_history_append(history, &row, 1), 0);
		/* The rows are in blocks of one, three and the rest. */
		if (i == 0 || i == 3)
			assert_int_equal(tw_history_commit(history, NULL), 0);
	}
	assert_int_equal(tw_history_commit(history, NULL), 0);
	tw_history_free(history);
}

/* The rows found by a request. */
struct found {
	unsigned int seen[ROWS]; /* by source port - 1000 */
	unsigned int rows, warnings;
	bool more;
	uint64_t at_us, matched;
	uint32_t skip;
};

static void take_response(const Tapwall__V1__Response *response, struct found *found)
{
	found->warnings += (unsigned int)response->n_diagnostics;
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_HISTORY_ROW) {
		assert_in_range(response->history_row->from->port, 1000, 1000 + ROWS - 1);
		found->seen[response->history_row->from->port - 1000]++;
		found->rows++;
	}
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_HISTORY_END) {
		found->more = response->history_end->more;
		found->at_us = response->history_end->at_us;
		found->skip = response->history_end->skip;
		found->matched = response->history_end->matched;
	}
}

static void ask(struct tw_store_reader *reader, const Tapwall__V1__HistoryRequest *request,
	struct found *found)
{
	Tapwall__V1__HistoryState state = TAPWALL__V1__HISTORY_STATE__INIT;
	tw_auto_buf struct tw_buf out = {0};
	struct tw_wanted wanted;
	struct tw_err err = {0};
	const uint8_t *body;
	size_t body_len, at = 0;
	long len;

	assert_int_equal(tw_wanted_read(request, &wanted, &err), 0);
	assert_int_equal(tw_found_send(reader, &wanted, &state, 7, &out, &err), 0);
	tw_wanted_done(&wanted);
	while ((len = tw_link_frame(
			(const uint8_t *)out.data + at, out.len - at, &body, &body_len)) > 0) {
		Tapwall__V1__Response *response = tw_link_unpack_response(body, body_len);

		assert_non_null(response);
		assert_int_equal(response->id, 7);
		take_response(response, found);
		at += (size_t)len;
		assert_int_equal(response->last, at == out.len);
		tapwall__v1__response__free_unpacked(response, NULL);
	}
	assert_int_equal(at, out.len);
}

static void check_pages(struct tw_store_reader *reader, bool oldest_first)
{
	Tapwall__V1__HistoryRequest request = TAPWALL__V1__HISTORY_REQUEST__INIT;
	struct found found = {0};
	unsigned int pages = 0;

	request.limit = PAGE;
	request.oldest_first = oldest_first;
	do {
		ask(reader, &request, &found);
		if (oldest_first)
			request.since_us = found.at_us;
		else
			request.until_us = found.at_us;
		request.skip = found.skip;
		assert_in_range(++pages, 1, ROWS);
	} while (found.more);
	assert_int_equal(pages, (ROWS + PAGE - 1) / PAGE);
	for (unsigned int i = 0; i < ROWS; i++)
		assert_int_equal(found.seen[i], 1);
}

static void test_pages(void **state)
{
	Tapwall__V1__HistoryRequest request = TAPWALL__V1__HISTORY_REQUEST__INIT;
	struct tw_store_reader *reader = NULL;
	struct history_file file;
	struct found found = {0};
	struct tw_err err = {0};

	file_make(&file);
	write_rows(&file);
	assert_int_equal(tw_place_open_reader(file.path, NULL, &reader, &err), 0);
	check_pages(reader, false);
	check_pages(reader, true);
	request.limit = ROWS;
	request.count = true;
	ask(reader, &request, &found);
	assert_false(found.more);
	assert_int_equal(found.rows, ROWS);
	assert_int_equal(found.matched, ROWS);
	assert_int_equal(found.warnings, 0);
	tw_store_reader_free(reader);
	file_remove(&file);
}

/* A block of three rows is damaged: the others are found, and a warning says what is missing. */
static void test_damage(void **state)
{
	Tapwall__V1__HistoryRequest request = TAPWALL__V1__HISTORY_REQUEST__INIT;
	struct tw_store_reader *reader = NULL;
	struct history_file file;
	struct found found = {0};
	struct tw_err err = {0};
	sqlite3 *db = NULL;

	file_make(&file);
	write_rows(&file);
	assert_int_equal(sqlite3_open(file.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				 "UPDATE part SET data = zeroblob(length(data)) WHERE id / 32 ="
				 " (SELECT id FROM block WHERE n = 3)",
				 NULL, NULL, NULL),
		SQLITE_OK);
	assert_true(sqlite3_changes(db) > 0);
	sqlite3_close(db);
	assert_int_equal(tw_place_open_reader(file.path, NULL, &reader, &err), 0);
	request.limit = ROWS;
	ask(reader, &request, &found);
	assert_int_equal(found.rows, ROWS - 3);
	assert_int_equal(found.warnings, 1);
	tw_store_reader_free(reader);
	file_remove(&file);
}

static void refuse(const Tapwall__V1__HistoryRequest *request)
{
	struct tw_wanted wanted;
	struct tw_err err = {0};

	assert_int_equal(tw_wanted_read(request, &wanted, &err), -EINVAL);
	assert_true(err.text[0]);
	tw_wanted_done(&wanted);
}

static void test_invalid(void **state)
{
	static char *const prefixes[] = {"10.0.0", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/-1",
		"10.0.0.1/8x", "fd00::/129", "/8", "web-1"};
	const Tapwall__V1__HistoryRequest none = TAPWALL__V1__HISTORY_REQUEST__INIT;
	Tapwall__V1__HistoryPlace place = TAPWALL__V1__HISTORY_PLACE__INIT;
	Tapwall__V1__HistoryRequest request = none;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		place.prefix = prefixes[i];
		request.either = &place;
		refuse(&request);
	}
	request = none;
	request.verdict = "perhaps";
	refuse(&request);
	request = none;
	request.reason = "none such";
	refuse(&request);
	request = none;
	request.event = "open";
	refuse(&request);
	request = none;
	request.order = "name";
	refuse(&request);
	request = none;
	request.proto = 256;
	refuse(&request);
	request = none;
	request.port = 65536;
	refuse(&request);
	request = none;
	request.limit = TW_WANTED_MAX + 1;
	refuse(&request);
	request = none;
	request.until_us = UINT64_MAX;
	refuse(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_invalid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
