/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* block.h: a block of the history: up to 32,000 rows, sorted by time, a part for each column.
 *
 * Why:        a query reads the columns it filters by. From other columns it reads only the groups
 *             with rows that it shows. A column with few distinct values takes little space. There
 *             are two kinds of parts:
 *             ids: a dictionary of the block's distinct keys, sorted, and for each row the id of
 *             its key in 0, 1 or 2 bytes. The dictionary is the skip index: a block without the
 *             key of a query is not read further. The keys of an interval have consecutive ids. In
 *             a packed part, as in blocks of the tail, both are compressed.
 *             values: groups of 4,000 rows, each compressed on its own. A group has the differences
 *             of its values from a base, or between neighbours if the column ascends: the lowest
 *             byte of every difference first, then all second bytes, and so on.
 *             Numbers are little-endian.
 * Invariants: 1. Parts are checked before they are used: lengths against each other, contents by a
 *                checksum. An inconsistent part gives -EBADMSG, and nothing of it is used.
 *             2. No input makes the reader read outside its input (tests/fuzz/fuzz_history.c).
 * Callers:    write.c and read.c; one thread for each writer and each reader.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "slowpath/history/row.h"

#define TW_HISTORY_BLOCK_ROWS 32000u
#define TW_HISTORY_GROUP_ROWS 4000u
#define TW_HISTORY_GROUPS     (TW_HISTORY_BLOCK_ROWS / TW_HISTORY_GROUP_ROWS)

/* Parts of a block. Append only; their numbers are stored. */
enum tw_history_column {
	/* ids */
	TW_HISTORY_FROM,     /* address of the source */
	TW_HISTORY_TO,	     /* address of the destination */
	TW_HISTORY_FROM_END, /* workload << 32 | tap */
	TW_HISTORY_TO_END,
	TW_HISTORY_OUT_GATE, /* rule << 8 | verdict */
	TW_HISTORY_IN_GATE,
	TW_HISTORY_SERVICE, /* proto << 16 | destination port, or ICMP type << 8 | code */
	TW_HISTORY_OUTCOME, /* kind << 40 | verdict << 32 | reason << 24 | state << 8 | dir */
	TW_HISTORY_HOST,
	TW_HISTORY_IDS,
	/* values */
	TW_HISTORY_TIME = TW_HISTORY_IDS, /* µs, ascending */
	TW_HISTORY_IDLE,		  /* ms */
	TW_HISTORY_DURATION,		  /* ms */
	TW_HISTORY_SOURCE_PORT,
	TW_HISTORY_PACKETS,
	TW_HISTORY_PACKETS_REPLY,
	TW_HISTORY_BYTES,
	TW_HISTORY_BYTES_REPLY,
	TW_HISTORY_COLUMN__MAX
};

/* A key of a dictionary. An address in host order, others in `lo`. */
struct tw_history_key {
	uint64_t hi, lo;
};

struct tw_history_key tw_history_key_of_addr(const struct tw_addr *addr);
static inline int tw_history_key_compare(struct tw_history_key a, struct tw_history_key b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* ---- writing ---- */

struct tw_history_encoder;

/* Returns NULL if out of memory; free with tw_history_encoder_free(), which accepts NULL. */
struct tw_history_encoder *tw_history_encoder_new(void);
void tw_history_encoder_free(struct tw_history_encoder *encoder);

/* Encodes `n` rows, 1 … TW_HISTORY_BLOCK_ROWS, sorted by time. Returns an array of
 * TW_HISTORY_COLUMN__MAX parts that is valid until the next call, or NULL if out of memory. */
const struct tw_buf *tw_history_encode(struct tw_history_encoder *encoder,
	const struct tw_history_row *rows, size_t n, bool packed);

/* Encodes `n` numbers, 1 … TW_HISTORY_BLOCK_ROWS, as a part of values, and adds it to `out`. */
int tw_history_encode_values(struct tw_history_encoder *encoder, const uint64_t *values, size_t n,
	bool ascending, struct tw_buf *out);

/* ---- reading ---- */

/* A part of `len` bytes. read() fills `to` with the bytes at `offset`, which the caller keeps within
 * the part. It returns 0 or a negative errno. */
struct tw_history_part {
	int (*read)(void *arg, size_t offset, void *to, size_t len);
	void *arg;
	size_t len;
};

/* Sets `part` to read from memory, which must outlive it. */
void tw_history_part_of(struct tw_history_part *part, const void *data, size_t len);

/* A part of ids while it is read. Zero it before the first use; free with tw_history_ids_done(). */
struct tw_history_ids {
	uint32_t n_rows, n_keys;
	uint8_t key_len; /* 4, 8 or 16 bytes */
	uint8_t id_len;	 /* 0, 1 or 2 bytes */
	bool packed;
	uint64_t seed, ids_sum;
	uint64_t above; /* upper bits, which all 4-byte keys share */
	const uint8_t *keys, *ids;
	struct tw_buf raw, packed_raw;
};

void tw_history_ids_done(struct tw_history_ids *ids);

/* Reads the dictionary of a part that has `n_rows` rows. Returns 0, -EBADMSG if it is damaged, or
 * another negative errno. */
int tw_history_read_keys(struct tw_history_part *part, uint32_t n_rows, struct tw_history_ids *ids);

/* Reads the numbers of the rows, after the dictionary. Returns 0 or as above. */
int tw_history_read_ids(struct tw_history_part *part, struct tw_history_ids *ids);

/* Returns the key with this id, or 0 if there is none. */
struct tw_history_key tw_history_key_at(const struct tw_history_ids *ids, uint32_t id);

/* Returns the number of a row's key. `row` is less than n_rows. */
static inline uint32_t tw_history_id_at(const struct tw_history_ids *ids, uint32_t row)
{
	return ids->id_len == 2	  ? ids->ids[2 * row] | (uint32_t)ids->ids[2 * row + 1] << 8
	       : ids->id_len == 1 ? ids->ids[row]
				  : 0;
}

/* Returns the lowest id whose key is at least `key`; n_keys if there is none. */
uint32_t tw_history_find_key(const struct tw_history_ids *ids, struct tw_history_key key);

/* Sets `mask` of each row whose number is `first` … `first + n - 1`, where n is at least 1. Other
 * rows keep theirs. */
void tw_history_mark(const struct tw_history_ids *ids, uint32_t first, uint32_t n, uint8_t *mask);

struct tw_history_values;			       /* memory for reading */
struct tw_history_values *tw_history_values_new(void); /* NULL if out of memory */
void tw_history_values_free(struct tw_history_values *values);

/* Reads group `group` of a part of values that has `n_rows` rows. Returns its values (4,000, fewer in the
 * last one), valid until the next call, or NULL with `ret_err` set, -EBADMSG if it is damaged. */
const uint64_t *tw_history_read_group(struct tw_history_values *values,
	struct tw_history_part *part, uint32_t n_rows, uint32_t group, int *ret_err);
