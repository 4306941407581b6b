/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of pcapng: byte orders, clocks, link layers per interface, all three packet blocks,
 * and files that are truncated or inconsistent. */
#include <byteswap.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "sim/pcapng.h"
#include "tests/unit/test.h"

#define SECTION	  0x0a0d0d0a
#define INTERFACE 1
#define PACKET	  2
#define SIMPLE	  3
#define COMMENT	  0x0bad
#define ENHANCED  6

#define N_BLOCKS 12 /* written by write_all() */

/* A file being written, in either byte order. */
struct file {
	struct tw_buf bytes;
	bool swapped;
};

static void put32(struct file *f, uint32_t value)
{
	value = f->swapped ? bswap_32(value) : value;
	tw_buf_add(&f->bytes, &value, sizeof(value));
}

static void put16(struct file *f, uint16_t value)
{
	value = f->swapped ? bswap_16(value) : value;
	tw_buf_add(&f->bytes, &value, sizeof(value));
}

static void put_section(struct file *f)
{
	put32(f, SECTION);
	put32(f, 28);
	put32(f, 0x1a2b3c4d);
	put32(f, 1);
	put32(f, UINT32_MAX);
	put32(f, UINT32_MAX);
	put32(f, 28);
}

/* Writes an interface block with if_tsresol, and with if_tsoffset if that is not 0. */
static void put_interface(
	struct file *f, uint16_t link, uint32_t snap_len, uint8_t resolution, int64_t offset_s)
{
	uint32_t len = 20 + 8 + (offset_s ? 12 : 0) + 4;
	const uint8_t value[4] = {resolution};

	put32(f, INTERFACE);
	put32(f, len);
	put16(f, link);
	put16(f, 0);
	put32(f, snap_len);
	put16(f, 9);
	put16(f, 1);
	tw_buf_add(&f->bytes, value, sizeof(value));
	if (offset_s) {
		uint32_t low = (uint32_t)offset_s, high = (uint32_t)((uint64_t)offset_s >> 32);

		put16(f, 14);
		put16(f, 8);
		put32(f, f->swapped ? high : low);
		put32(f, f->swapped ? low : high);
	}
	put32(f, 0);
	put32(f, len);
}

static void put_packet(struct file *f, uint32_t type, uint32_t interface, uint64_t time,
	const char *data, uint32_t wire_len)
{
	uint32_t len = (uint32_t)strlen(data), padded = (len + 3) & ~3u;
	uint32_t block_len = (type == SIMPLE ? 16 : 32) + padded;

	put32(f, type);
	put32(f, block_len);
	if (type == ENHANCED || type == COMMENT)
		put32(f, interface);
	if (type == PACKET) {
		put16(f, (uint16_t)interface);
		put16(f, 0);
	}
	if (type != SIMPLE) {
		put32(f, (uint32_t)(time >> 32));
		put32(f, (uint32_t)time);
		put32(f, len);
	}
	put32(f, wire_len);
	tw_buf_add(&f->bytes, data, len);
	tw_buf_extend(&f->bytes, padded - len);
	put32(f, block_len);
}

/* Reads at most `max` packets; returns their number, and in *ret_code the code that ended the
 * reading. */
static size_t read_all(struct file *f, struct tw_pcapng_packet *packets, char (*texts)[16],
	size_t max, int *ret_code)
{
	FILE *file = fmemopen(f->bytes.data, f->bytes.len, "rb");
	tw_auto(tw_pcapng) struct tw_pcapng *reader = NULL;
	struct tw_err err = {0};
	size_t n = 0;

	assert_non_null(file);
	assert_int_equal(tw_pcapng_new(file, &reader), 0);
	*ret_code = 0;
	while (n < max && (*ret_code = tw_pcapng_next(reader, &packets[n], &err)) > 0) {
		snprintf(texts[n], sizeof(texts[n]), "%.*s", (int)packets[n].len,
			(const char *)packets[n].data);
		n++;
	}
	if (*ret_code < 0)
		assert_int_not_equal(err.text[0], '\0');
	fclose(file);
	return n;
}

static void write_all(struct file *f)
{
	put_section(f);
	put_interface(f, 1, 0, 6, 0);
	put_interface(f, 101, 4, 9, 0);
	put_interface(f, 113, 0, 0x80 | 10, -100);
	put_packet(f, ENHANCED, 0, 1700000000123456ull, "hello", 99);
	put_packet(f, COMMENT, 0, 0, "passed over", 0);
	put_packet(f, ENHANCED, 1, 1700000000123456789ull, "abc", 3);
	put_packet(f, PACKET, 2, 1700000000ull << 10 | 512, "old", 3);
	put_packet(f, SIMPLE, 0, 0, "simple", 60);
	put_section(f);
	put_interface(f, 228, 4, 6, 0);
	put_packet(f, SIMPLE, 0, 0, "cut to", 6);
}

static void every_block_is_read(void **state)
{
	for (int swapped = 0; swapped < 2; swapped++) {
		struct file f = {.swapped = swapped};
		struct tw_pcapng_packet p[8];
		char texts[8][16];
		int code;

		write_all(&f);
		assert_int_equal(read_all(&f, p, texts, 8, &code), 5);
		assert_int_equal(code, 0);
		assert_string_equal(texts[0], "hello");
		assert_int_equal(p[0].link, 1);
		assert_int_equal(p[0].wire_len, 99);
		assert_true(p[0].time_ns == 1700000000123456000ull);
		assert_string_equal(texts[1], "abc");
		assert_int_equal(p[1].link, 101);
		assert_true(p[1].time_ns == 1700000000123456789ull);
		assert_string_equal(texts[2], "old");
		assert_int_equal(p[2].link, 113);
		assert_true(p[2].time_ns == 1699999900500000000ull);
		/* A simple packet block states only the length on the wire; the captured length
		 * follows from the block's length. */
		assert_int_equal(p[3].len, 8);
		assert_int_equal(p[3].wire_len, 60);
		assert_true(p[3].time_ns == 0);
		assert_int_equal(p[4].link, 228);
		assert_string_equal(texts[4], "cut ");
		tw_buf_done(&f.bytes);
	}
}

static void clocks_end_at_their_limits(void **state)
{
	static const struct {
		uint8_t resolution;
		int64_t offset_s;
		uint64_t time, ns;
	} clocks[] = {
		{0, 0, UINT64_MAX, INT64_MAX},
		{6, -1, 0, 0},
		{6, INT64_MIN, UINT64_MAX, 0},
		{6, INT64_MAX, 1, INT64_MAX},
		{127, 0, UINT64_MAX, 0},
		{0xff, 0, UINT64_MAX, 0},
		{0x80, 0, 3, 3000000000ull},
		{0x80 | 30, 0, 1u << 30, 1000000000},
	};

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		struct tw_pcapng_packet p;
		struct file f = {0};
		char text[1][16];
		int code;

		put_section(&f);
		put_interface(&f, 1, 0, clocks[i].resolution, clocks[i].offset_s);
		put_packet(&f, ENHANCED, 0, clocks[i].time, "x", 1);
		assert_int_equal(read_all(&f, &p, text, 1, &code), 1);
		assert_true(p.time_ns == clocks[i].ns);
		tw_buf_done(&f.bytes);
	}
}

/* A file that is truncated at any byte is read up to there and then reported as broken, unless the
 * cut is between two blocks. */
static void any_end_is_noticed(void **state)
{
	struct file f = {0};
	size_t whole, n_clean = 0;

	write_all(&f);
	whole = f.bytes.len;
	for (size_t len = 1; len < whole; len++) {
		struct tw_pcapng_packet p[8];
		char texts[8][16];
		int code;

		f.bytes.len = len;
		assert_true(read_all(&f, p, texts, 8, &code) <= 5);
		assert_true(code == 0 || code == -EINVAL);
		n_clean += code == 0;
	}
	assert_int_equal(n_clean, N_BLOCKS - 1);
	tw_buf_done(&f.bytes);
}

static void lies_are_refused(void **state)
{
	static const struct {
		uint32_t type, interface, len;
	} lies[] = {
		{ENHANCED, 1, 0}, /* no such interface */
		{ENHANCED, 0, 5}, /* longer than the block */
		{ENHANCED, 0, UINT32_MAX},
		{PACKET, 7, 0},
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct tw_pcapng_packet p;
		struct file f = {0};
		char text[1][16];
		int code;

		put_section(&f);
		put_interface(&f, 1, 0, 6, 0);
		put32(&f, lies[i].type);
		put32(&f, 36);
		put32(&f, lies[i].interface);
		put32(&f, 0);
		put32(&f, 0);
		put32(&f, lies[i].len);
		put32(&f, lies[i].len);
		put32(&f, 0);
		put32(&f, 36);
		assert_int_equal(read_all(&f, &p, text, 1, &code), 0);
		assert_int_equal(code, -EINVAL);
		tw_buf_done(&f.bytes);
	}
}

static void memory_may_run_out(void **state)
{
	struct file f = {0};
	struct tw_pcapng *reader = NULL;
	struct tw_pcapng_packet packet;
	struct tw_err err;
	FILE *file;

	write_all(&f);
	file = fmemopen(f.bytes.data, f.bytes.len, "rb");
	assert_non_null(file);
	tw_alloc_fail_after(1);
	assert_int_equal(tw_pcapng_new(file, &reader), -ENOMEM);
	tw_alloc_fail_after(2);
	assert_int_equal(tw_pcapng_new(file, &reader), 0);
	assert_int_equal(tw_pcapng_next(reader, &packet, &err), -ENOMEM);
	tw_alloc_fail_after(0);
	tw_pcapng_free(reader);
	fclose(file);
	tw_buf_done(&f.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_block_is_read),
		cmocka_unit_test(clocks_end_at_their_limits),
		cmocka_unit_test(any_end_is_noticed),
		cmocka_unit_test(lies_are_refused),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
