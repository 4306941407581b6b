/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer of events in columns. If the first byte is odd, the rest is a stream of batches, each
 * after two bytes of length: the rows read from it become rows of the history, and are written and
 * must read back as the same rows. If the first byte is even, the rest is rows, which are written,
 * and must read back as the same rows. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "link/event_reader.h"
#include "link/event_writer.h"
#include "slowpath/feed/translate.h"

#define N_NAMES 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* Passes the writer's batch to the reader, as bytes. */
static void pass(struct tw_event_writer *writer, const struct tw_dictionary *names, uint64_t next,
	struct tw_event_reader *reader)
{
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT, *got;
	tw_auto_buf struct tw_buf out = {0};
	const uint8_t *body;
	size_t len;

	require(!tw_event_writer_take(writer, names, next, &batch));
	require(!tw_link_pack(&out, &batch.base));
	require(tw_link_frame((const uint8_t *)out.data, out.len, &body, &len) > 0);
	got = tapwall__v1__event_batch__unpack(NULL, len, body);
	require(got != NULL);
	require(!tw_event_reader_take(reader, got));
	tapwall__v1__event_batch__free_unpacked(got, NULL);
}

/* Writes rows into batches, reads these, and compares. */
static void check_rows(const struct tw_event_row *rows, size_t n, const struct tw_dictionary *names)
{
	struct tw_event_writer *writer = calloc(1, sizeof(*writer));
	struct tw_event_reader reader = {0};
	size_t n_read = 0;

	require(writer != NULL);
	for (size_t i = 0; i <= n; i++) {
		if (i < n && tw_event_writer_add(writer, &rows[i]))
			continue;
		pass(writer, names, i ? rows[i - 1].number + 1 : 1, &reader);
		require(!reader.n || !memcmp(reader.rows, rows + n_read, reader.n * sizeof(*rows)));
		for (size_t k = 0; k < reader.n; k++) {
			struct tw_event_words words;

			tw_event_row_describe(&reader.rows[k], &reader.dictionary, &words);
			require(!strcmp(words.entry.rule,
				tw_dictionary_text(names, rows[n_read + k].rule)));
		}
		n_read += reader.n;
		require(i == n || tw_event_writer_add(writer, &rows[i]));
	}
	require(n_read == n);
	tw_event_writer_done(writer);
	free(writer);
	tw_event_reader_done(&reader);
}

static int number_text(void *arg, enum tw_history_noun noun, const char *text, uint32_t *ret)
{
	require(strlen(text) <= TW_TRANSLATE_NAME_MAX);
	*ret = (uint32_t)strlen(text);
	return 0;
}

/* Turns rows into rows of the history. */
static void record_rows(const struct tw_event_reader *reader)
{
	struct tw_translation translation = {.name = number_text};

	for (size_t i = 0; i < reader->n; i++) {
		struct tw_history_row row;
		int made = tw_translate_row(
			&translation, reader, &reader->rows[i], UINT64_MAX / 1000, &row);

		require(made >= 0 && (!made || row.time_us >= TW_TRANSLATE_LEAST_US));
	}
	tw_translate_done(&translation);
}

static void read_batches(const uint8_t *data, size_t len)
{
	struct tw_event_reader reader = {0};
	int ret = 0;

	while (!ret && len > 2) {
		size_t batch_len = (size_t)data[0] << 8 | data[1];
		Tapwall__V1__EventBatch *batch;

		data += 2;
		len -= 2;
		if (batch_len > len)
			batch_len = len;
		batch = tapwall__v1__event_batch__unpack(NULL, batch_len, data);
		data += batch_len;
		len -= batch_len;
		if (!batch)
			break;
		ret = tw_event_reader_take(&reader, batch);
		tapwall__v1__event_batch__free_unpacked(batch, NULL);
		if (!ret) {
			check_rows(reader.rows, reader.n, &reader.dictionary);
			record_rows(&reader);
		}
	}
	tw_event_reader_done(&reader);
}

/* Removes the fields that a row of its kind does not have, and turns numbers into names. */
static void tidy_row(struct tw_event_row *row, uint64_t number)
{
	struct tw_event_row raw = *row;

	memset(row, 0, sizeof(*row));
	row->number = number;
	row->lost_before = raw.lost_before % 7 ? 0 : raw.lost_before >> 8;
	row->kind = raw.kind;
#define TW_COLUMN_8(field, of)                                \
	if (tw_event_rows_have(TW_EVENT_ROWS_##of, raw.kind)) \
		row->field = raw.field;
#define TW_COLUMN_16(field, of) TW_COLUMN_8(field, of)
#define TW_COLUMN_32(field, of) TW_COLUMN_8(field, of)
#define TW_COLUMN_64(field, of) TW_COLUMN_8(field, of)
#define TW_COLUMN_NAME(field, of)                             \
	if (tw_event_rows_have(TW_EVENT_ROWS_##of, raw.kind)) \
		row->field = raw.field % (N_NAMES + 1);
#define TW_COLUMN_BYTES(field, of, n)                         \
	if (tw_event_rows_have(TW_EVENT_ROWS_##of, raw.kind)) \
		memcpy(row->field, raw.field, n);
#include "link/event_columns.def"
}

static void write_rows(const uint8_t *data, size_t len)
{
	struct tw_dictionary names = {0};
	size_t n = len / sizeof(struct tw_event_row);
	struct tw_event_row *rows = calloc(n + 1, sizeof(*rows));
	uint64_t number = 1;
	char name[2] = "a";

	require(rows != NULL);
	for (uint32_t i = 1; i <= N_NAMES; i++, name[0]++)
		require(tw_dictionary_intern(&names, name) == i);
	for (size_t i = 0; i < n; i++) {
		memcpy(&rows[i], data + i * sizeof(*rows), sizeof(*rows));
		number += 1 + (rows[i].number % 5 ? 0 : rows[i].number >> 24);
		tidy_row(&rows[i], number);
	}
	check_rows(rows, n, &names);
	free(rows);
	tw_dictionary_clear(&names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!len)
		return 0;
	if (data[0] & 1)
		read_batches(data + 1, len - 1);
	else
		write_rows(data + 1, len - 1);
	return 0;
}
