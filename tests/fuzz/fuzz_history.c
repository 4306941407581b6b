/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: any bytes as a part of a block of the history. The first byte of the input selects the kind of part, the
 * next two are its number of rows, and the rest is the part. Its checksums are corrected first, because random ones
 * would be refused. */
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "slowpath/history/block.h"
#include "slowpath/history/sum.h"

#define IDS_HEADER    32u
#define VALUES_HEADER 8u
#define GROUP	      24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t word_at(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Corrects the checksums of a part of ids, as far as its lengths allow. */
static void mend_ids(uint8_t *part, size_t len)
{
	static uint8_t raw[TW_HISTORY_BLOCK_ROWS * 18];
	size_t keys_len, raw_len;
	uint64_t sum;

	if (len < IDS_HEADER)
		return;
	keys_len = (size_t)word_at(part + 8) * part[2];
	raw_len = keys_len + (size_t)word_at(part + 4) * part[3];
	if (raw_len > sizeof(raw) || word_at(part + 4) > TW_HISTORY_BLOCK_ROWS)
		return;
	if (word_at(part + 12) == 0) {
		if (raw_len != len - IDS_HEADER)
			return;
		memcpy(raw, part + IDS_HEADER, raw_len);
	} else if (ZSTD_decompress(raw, raw_len, part + IDS_HEADER, len - IDS_HEADER) != raw_len) {
		return;
	}
	sum = tw_history_sum(tw_history_sum(0, part, 16), raw, keys_len);
	memcpy(part + 16, &sum, sizeof(sum));
	sum = tw_history_sum(sum, raw + keys_len, raw_len - keys_len);
	memcpy(part + 24, &sum, sizeof(sum));
}

/* Corrects the checksums of a part of values. */
static void mend_values(uint8_t *part, size_t len)
{
	static uint8_t raw[TW_HISTORY_GROUP_ROWS * 8];
	uint32_t n_rows = len < VALUES_HEADER ? 0 : word_at(part + 4), before = 0;
	size_t n_groups = (n_rows + TW_HISTORY_GROUP_ROWS - 1) / TW_HISTORY_GROUP_ROWS;
	size_t contents = VALUES_HEADER + n_groups * GROUP;

	if (n_rows > TW_HISTORY_BLOCK_ROWS || contents > len)
		return;
	for (size_t i = 0; i < n_groups; i++) {
		uint8_t *group = part + VALUES_HEADER + i * GROUP;
		size_t n = n_rows - i * TW_HISTORY_GROUP_ROWS;
		uint32_t end = word_at(group + 16);
		uint64_t base, sum;

		n = n < TW_HISTORY_GROUP_ROWS ? n : TW_HISTORY_GROUP_ROWS;
		if (end < before || end > len - contents || group[20] > 8)
			return;
		if (!group[21]) {
			if (end - before != n * group[20])
				return;
			memcpy(raw, part + contents + before, end - before);
		} else if (ZSTD_decompress(raw, n * group[20], part + contents + before,
				   end - before) != n * group[20]) {
			return;
		}
		memcpy(&base, group, sizeof(base));
		sum = tw_history_sum(tw_history_mix(base, (uint64_t)group[20] << 1 | (part[1] & 1)),
			raw, n * group[20]);
		memcpy(group + 8, &sum, sizeof(sum));
		before = end;
	}
}

static void read_ids(struct tw_history_part *part, uint32_t n_rows)
{
	static uint8_t mask[TW_HISTORY_BLOCK_ROWS];
	struct tw_history_ids ids = {0};
	uint32_t first;

	if (tw_history_read_keys(part, n_rows, &ids) || tw_history_read_ids(part, &ids)) {
		tw_history_ids_done(&ids);
		return;
	}
	first = tw_history_find_key(&ids, tw_history_key_at(&ids, ids.n_keys / 2));
	if (first > ids.n_keys)
		abort();
	if (first < ids.n_keys)
		tw_history_mark(&ids, first, ids.n_keys - first, mask);
	for (uint32_t i = 0; i < n_rows; i++)
		mask[i] ^= (uint8_t)tw_history_key_at(&ids, tw_history_id_at(&ids, i)).lo;
	tw_history_ids_done(&ids);
}

static void read_values(struct tw_history_part *part, uint32_t n_rows)
{
	struct tw_history_values *values = tw_history_values_new();
	uint64_t any = 0;

	for (uint32_t group = 0; values && group <= n_rows / TW_HISTORY_GROUP_ROWS; group++) {
		int err;
		const uint64_t *value = tw_history_read_group(values, part, n_rows, group, &err);

		if (!value && !err)
			abort();
		for (uint32_t i = 0; value && i < TW_HISTORY_GROUP_ROWS &&
				     group * TW_HISTORY_GROUP_ROWS + i < n_rows;
			i++)
			any ^= value[i];
	}
	if (any == 0x5eed)
		abort(); /* a use of the values, so that the compiler keeps the reads */
	tw_history_values_free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tw_history_part part;
	uint32_t n_rows;
	uint8_t *copy;

	if (size < 3)
		return 0;
	n_rows = data[1] | (uint32_t)data[2] << 8;
	copy = malloc(size - 3 + 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 3, size - 3);
	tw_history_part_of(&part, copy, size - 3);
	if (data[0] & 1) {
		mend_values(copy, size - 3);
		read_values(&part, n_rows);
	} else {
		mend_ids(copy, size - 3);
		read_ids(&part, n_rows);
	}
	free(copy);
	return 0;
}
