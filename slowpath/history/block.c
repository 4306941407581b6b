/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/block.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "slowpath/history/sum.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "parts are written as the memory of a little-endian machine"
#endif

#define LEVEL	    1 /* level of zstd: higher ones save 2 % and take twice the time */
#define TABLE_SLOTS 65536u
#define WIDTH_MAX   8 /* bytes of a value */

#define IDS_FORMAT    0x31 /* first bytes of parts */
#define VALUES_FORMAT 0x41

#define F_PACKED    1
#define F_MAPPED    2 /* keys are the last 4 bytes of IPv4-mapped addresses */
#define F_ASCENDING 1

/* Header of a part of ids, before the keys and the ids of the rows. */
struct ids_header {
	uint8_t format, flags, key_len, id_len;
	uint32_t n_rows, n_keys;
	uint32_t packed_len; /* length of the packed keys and ids; 0 if they are not packed */
	uint64_t keys_sum, ids_sum;
};

/* Header of a part of values, before the directory of its groups and their contents. */
struct values_header {
	uint8_t format, flags, pad[2];
	uint32_t n_rows;
};

struct group {
	uint64_t base;
	uint64_t sum;
	uint32_t end;  /* end of its bytes, as offset from the end of the directory */
	uint8_t width; /* bytes of each value */
	uint8_t packed;
	uint16_t pad;
};

_Static_assert(sizeof(struct ids_header) == 32, "written as it is");
_Static_assert(sizeof(struct group) == 24, "written as it is");
_Static_assert(TW_HISTORY_BLOCK_ROWS < TABLE_SLOTS / 2, "a table of keys is never half full");
_Static_assert(TW_HISTORY_BLOCK_ROWS % TW_HISTORY_GROUP_ROWS == 0, "groups fill a block");

struct tw_history_encoder {
	ZSTD_CCtx *zstd;
	struct tw_buf part[TW_HISTORY_COLUMN__MAX];
	struct tw_buf raw, packed;
	uint64_t value[TW_HISTORY_BLOCK_ROWS];
	struct tw_history_key
		key[TW_HISTORY_BLOCK_ROWS];    /* distinct keys, in order of appearance */
	uint16_t slot[TABLE_SLOTS];	       /* 1 + index of a key; 0: free */
	uint16_t id[TW_HISTORY_BLOCK_ROWS];    /* index of each row's key */
	uint16_t order[TW_HISTORY_BLOCK_ROWS]; /* indexes of keys, sorted by key */
	uint16_t rank[TW_HISTORY_BLOCK_ROWS];  /* position of each key in `order` */
};

struct tw_history_key tw_history_key_of_addr(const struct tw_addr *addr)
{
	return (struct tw_history_key){be64toh(addr->d[0]), be64toh(addr->d[1])};
}

struct tw_history_encoder *tw_history_encoder_new(void)
{
	struct tw_history_encoder *encoder = tw_alloc(sizeof(*encoder));

	if (!encoder)
		return NULL;
	encoder->zstd = ZSTD_createCCtx();
	if (encoder->zstd)
		return encoder;
	free(encoder);
	return NULL;
}

void tw_history_encoder_free(struct tw_history_encoder *encoder)
{
	if (!encoder)
		return;
	for (int i = 0; i < TW_HISTORY_COLUMN__MAX; i++)
		tw_buf_done(&encoder->part[i]);
	tw_buf_done(&encoder->raw);
	tw_buf_done(&encoder->packed);
	ZSTD_freeCCtx(encoder->zstd);
	free(encoder);
}

/* ---- ids ---- */

static struct tw_history_key key_of(const struct tw_history_row *row, enum tw_history_column column)
{
	struct tw_history_key key = {0};

	switch (column) {
	case TW_HISTORY_FROM:
	case TW_HISTORY_TO:
		return tw_history_key_of_addr(&row->addr[column - TW_HISTORY_FROM]);
	case TW_HISTORY_FROM_END:
	case TW_HISTORY_TO_END:
		key.lo = (uint64_t)row->workload[column - TW_HISTORY_FROM_END] << 32 |
			 row->tap[column - TW_HISTORY_FROM_END];
		break;
	case TW_HISTORY_OUT_GATE:
	case TW_HISTORY_IN_GATE:
		key.lo = (uint64_t)row->rule[column - TW_HISTORY_OUT_GATE] << 8 |
			 row->gate_verdict[column - TW_HISTORY_OUT_GATE];
		break;
	case TW_HISTORY_SERVICE:
		key.lo = (uint64_t)row->proto << 16 | row->port[TW_DIR_IN];
		break;
	case TW_HISTORY_OUTCOME:
		key.lo = (uint64_t)row->kind << 40 | (uint64_t)row->verdict << 32 |
			 (uint64_t)row->reason << 24 | (uint64_t)row->state << 8 | row->dir;
		break;
	default:
		key.lo = row->host;
		break;
	}
	return key;
}

/* Numbers the distinct keys in order of appearance. Returns how many there are. */
static uint32_t number_keys(struct tw_history_encoder *e, const struct tw_history_row *rows,
	size_t n, enum tw_history_column column)
{
	uint32_t n_keys = 0;

	memset(e->slot, 0, sizeof(e->slot));
	for (size_t i = 0; i < n; i++) {
		struct tw_history_key key = key_of(&rows[i], column);
		uint32_t at = (uint32_t)(tw_history_mix(key.hi + 1, key.lo) >> 20) % TABLE_SLOTS;

		while (e->slot[at] && tw_history_key_compare(e->key[e->slot[at] - 1], key))
			at = (at + 1) % TABLE_SLOTS;
		if (!e->slot[at]) {
			e->key[n_keys++] = key;
			e->slot[at] = (uint16_t)n_keys;
		}
		e->id[i] = (uint16_t)(e->slot[at] - 1);
	}
	return n_keys;
}

static int compare_keys(const void *a, const void *b, void *arg)
{
	const struct tw_history_key *key = arg;

	return tw_history_key_compare(key[*(const uint16_t *)a], key[*(const uint16_t *)b]);
}

static bool is_mapped(struct tw_history_key key)
{
	return !key.hi && key.lo >> 32 == 0xffff;
}

/* Returns the bytes that each key of a dictionary takes: 4 if all are IPv4 addresses or numbers of
 * 32 bits. */
static uint8_t key_len_of(const struct tw_history_encoder *e, uint32_t n_keys, bool addresses)
{
	bool four = true;

	for (uint32_t i = 0; i < n_keys && four; i++)
		four = addresses ? is_mapped(e->key[i]) : !(e->key[i].lo >> 32);
	return four ? 4 : addresses ? 16 : 8;
}

static void put_key(uint8_t *to, struct tw_history_key key, uint8_t key_len)
{
	if (key_len == 16)
		memcpy(to, &key, 16);
	else
		memcpy(to, &key.lo, key_len);
}

/* Appends `raw` to `out`, compressed, if that makes it smaller. Returns the length; 0: nothing appended. */
static size_t pack(struct tw_history_encoder *e, const struct tw_buf *raw, struct tw_buf *out)
{
	size_t max = ZSTD_compressBound(raw->len), len = out->len, n;
	void *to = tw_buf_extend(out, max);

	if (!to)
		return 0;
	n = ZSTD_compressCCtx(e->zstd, to, max, raw->data, raw->len, LEVEL);
	if (ZSTD_isError(n) || n >= raw->len)
		n = 0;
	out->len = len + n;
	return n;
}

static void encode_ids(struct tw_history_encoder *e, const struct tw_history_row *rows, size_t n,
	enum tw_history_column column, bool packed)
{
	uint32_t n_keys = number_keys(e, rows, n, column);
	struct ids_header h = {.format = IDS_FORMAT,
		.key_len = key_len_of(e, n_keys, column <= TW_HISTORY_TO),
		.id_len = n_keys == 1	  ? 0
			  : n_keys <= 256 ? 1
					  : 2,
		.n_rows = (uint32_t)n,
		.n_keys = n_keys};
	size_t keys_len = (size_t)n_keys * h.key_len;
	struct tw_buf *out = &e->part[column];
	uint8_t *raw;

	tw_buf_reset(out);
	tw_buf_reset(&e->raw);
	raw = tw_buf_extend(&e->raw, keys_len + n * h.id_len);
	if (!raw)
		return;
	for (uint32_t i = 0; i < n_keys; i++)
		e->order[i] = (uint16_t)i;
	qsort_r(e->order, n_keys, sizeof(e->order[0]), compare_keys, e->key);
	for (uint32_t i = 0; i < n_keys; i++) {
		e->rank[e->order[i]] = (uint16_t)i;
		put_key(raw + (size_t)i * h.key_len, e->key[e->order[i]], h.key_len);
	}
	raw += keys_len;
	for (size_t i = 0; i < n && h.id_len; i++)
		memcpy(raw + i * h.id_len, &e->rank[e->id[i]], h.id_len);
	if (packed) {
		tw_buf_reset(&e->packed);
		h.packed_len = (uint32_t)pack(e, &e->raw, &e->packed);
	}
	h.flags = (h.packed_len ? F_PACKED : 0) |
		  (column <= TW_HISTORY_TO && h.key_len == 4 ? F_MAPPED : 0);
	h.keys_sum = tw_history_sum(tw_history_sum(0, &h, offsetof(struct ids_header, keys_sum)),
		e->raw.data, keys_len);
	h.ids_sum = tw_history_sum(h.keys_sum, e->raw.data + keys_len, n * h.id_len);
	tw_buf_add(out, &h, sizeof(h));
	if (h.packed_len)
		tw_buf_add(out, e->packed.data, e->packed.len);
	else
		tw_buf_add(out, e->raw.data, e->raw.len);
}

/* ---- values ---- */

static uint64_t value_of(const struct tw_history_row *row, enum tw_history_column column)
{
	switch (column) {
	case TW_HISTORY_TIME:
		return row->time_us;
	case TW_HISTORY_IDLE:
		return row->idle_ms;
	case TW_HISTORY_DURATION:
		return row->duration_ms;
	case TW_HISTORY_SOURCE_PORT:
		return row->port[TW_DIR_OUT];
	case TW_HISTORY_PACKETS:
	case TW_HISTORY_PACKETS_REPLY:
		return row->packets[column - TW_HISTORY_PACKETS];
	default:
		return row->bytes[column - TW_HISTORY_BYTES];
	}
}

/* Returns the base of a group, and the bytes that each difference takes. In an ascending column the
 * base is the first value, and differences are between neighbours. Otherwise the base is the smallest
 * value, which is subtracted from all. */
static uint64_t base_of(const uint64_t *value, size_t n, bool ascending, uint8_t *ret_width)
{
	uint64_t base = value[0], any = 0;

	for (size_t i = 1; i < n && !ascending; i++)
		base = value[i] < base ? value[i] : base;
	for (size_t i = ascending; i < n; i++)
		any |= value[i] - (ascending ? value[i - 1] : base);
	for (*ret_width = 0; any; any >>= 8)
		++*ret_width;
	return base;
}

static uint64_t seed_of(const struct group *group, bool ascending)
{
	return tw_history_mix(group->base, (uint64_t)group->width << 1 | ascending);
}

static int encode_group(struct tw_history_encoder *e, const uint64_t *value, size_t n,
	bool ascending, struct group *group, struct tw_buf *out)
{
	uint8_t *raw;

	group->base = base_of(value, n, ascending, &group->width);
	tw_buf_reset(&e->raw);
	raw = tw_buf_extend(&e->raw, n * group->width);
	if (!raw)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint64_t v = value[i] - (ascending && i ? value[i - 1] : group->base);

		for (int plane = 0; plane < group->width; plane++)
			raw[(size_t)plane * n + i] = (uint8_t)(v >> 8 * plane);
	}
	group->sum = tw_history_sum(seed_of(group, ascending), raw, e->raw.len);
	group->packed = pack(e, &e->raw, out) != 0;
	if (!group->packed)
		tw_buf_add(out, raw, e->raw.len);
	return out->failed ? -ENOMEM : 0;
}

int tw_history_encode_values(struct tw_history_encoder *e, const uint64_t *values, size_t n,
	bool ascending, struct tw_buf *out)
{
	const struct values_header h = {.format = VALUES_FORMAT,
		.flags = ascending ? F_ASCENDING : 0,
		.n_rows = (uint32_t)n};
	size_t n_groups = (n + TW_HISTORY_GROUP_ROWS - 1) / TW_HISTORY_GROUP_ROWS, start;
	struct group group[TW_HISTORY_GROUPS] = {0};

	tw_buf_add(out, &h, sizeof(h));
	start = out->len;
	tw_buf_extend(out, n_groups * sizeof(group[0]));
	for (size_t i = 0; i < n_groups && !out->failed; i++) {
		size_t first = i * TW_HISTORY_GROUP_ROWS, left = n - first;
		size_t rows = left < TW_HISTORY_GROUP_ROWS ? left : TW_HISTORY_GROUP_ROWS;
		int err = encode_group(e, values + first, rows, ascending, &group[i], out);

		if (err)
			return err;
		group[i].end = (uint32_t)(out->len - start - n_groups * sizeof(group[0]));
	}
	if (out->failed)
		return -ENOMEM;
	memcpy(out->data + start, group, n_groups * sizeof(group[0]));
	return 0;
}

const struct tw_buf *tw_history_encode(
	struct tw_history_encoder *e, const struct tw_history_row *rows, size_t n, bool packed)
{
	for (unsigned int c = 0; c < TW_HISTORY_COLUMN__MAX; c++) {
		struct tw_buf *part = &e->part[c];

		if (c < TW_HISTORY_IDS) {
			encode_ids(e, rows, n, c, packed);
		} else {
			for (size_t i = 0; i < n; i++)
				e->value[i] = value_of(&rows[i], c);
			tw_buf_reset(part);
			tw_history_encode_values(e, e->value, n, c == TW_HISTORY_TIME, part);
		}
		if (part->failed || !part->len)
			return NULL;
	}
	return e->part;
}

/* ---- reading ---- */

static int read_memory(void *arg, size_t offset, void *to, size_t len)
{
	memcpy(to, (const uint8_t *)arg + offset, len);
	return 0;
}

void tw_history_part_of(struct tw_history_part *part, const void *data, size_t len)
{
	*part = (struct tw_history_part){.read = read_memory, .arg = (void *)data, .len = len};
}

static int read_part(struct tw_history_part *part, size_t offset, void *to, size_t len)
{
	if (offset > part->len || len > part->len - offset)
		return -EBADMSG;
	return len ? part->read(part->arg, offset, to, len) : 0;
}

void tw_history_ids_done(struct tw_history_ids *ids)
{
	tw_buf_done(&ids->raw);
	tw_buf_done(&ids->packed_raw);
}

/* True if the header fits a part of this number of rows and bytes. */
static bool header_fits(const struct ids_header *h, uint32_t n_rows, size_t len)
{
	size_t raw = (size_t)h->n_keys * h->key_len + (size_t)h->n_rows * h->id_len;

	return h->format == IDS_FORMAT && h->n_rows == n_rows && n_rows &&
	       n_rows <= TW_HISTORY_BLOCK_ROWS && h->n_keys && h->n_keys <= n_rows &&
	       (h->key_len == 4 || h->key_len == 8 || h->key_len == 16) && h->id_len <= 2 &&
	       (h->flags & ~F_MAPPED) == (h->packed_len ? F_PACKED : 0) &&
	       (h->key_len == 4 || !(h->flags & F_MAPPED)) &&
	       len - sizeof(*h) == (h->packed_len ? h->packed_len : raw);
}

static int unpack(struct tw_history_part *part, struct tw_history_ids *ids, size_t raw_len)
{
	size_t len = part->len - sizeof(struct ids_header);
	void *packed;
	int err;

	tw_buf_reset(&ids->packed_raw);
	packed = tw_buf_extend(&ids->packed_raw, len);
	if (!packed)
		return -ENOMEM;
	err = read_part(part, sizeof(struct ids_header), packed, len);
	if (err)
		return err;
	return ZSTD_decompress(ids->raw.data, raw_len, packed, len) == raw_len ? 0 : -EBADMSG;
}

int tw_history_read_keys(struct tw_history_part *part, uint32_t n_rows, struct tw_history_ids *ids)
{
	struct ids_header h;
	size_t keys_len, raw_len;
	int err = read_part(part, 0, &h, sizeof(h));
	uint8_t *raw;

	if (err)
		return err;
	if (!header_fits(&h, n_rows, part->len))
		return -EBADMSG;
	keys_len = (size_t)h.n_keys * h.key_len;
	raw_len = keys_len + (size_t)n_rows * h.id_len;
	if (ids->raw.failed)
		tw_buf_done(&ids->raw);
	if (ids->raw.max < raw_len + 1) {
		tw_buf_reset(&ids->raw);
		if (!tw_buf_extend(&ids->raw, raw_len))
			return -ENOMEM;
	}
	raw = (uint8_t *)ids->raw.data;
	ids->packed = h.packed_len != 0;
	err = ids->packed ? unpack(part, ids, raw_len) : read_part(part, sizeof(h), raw, keys_len);
	if (err)
		return err;
	ids->seed = tw_history_sum(
		tw_history_sum(0, &h, offsetof(struct ids_header, keys_sum)), raw, keys_len);
	if (ids->seed != h.keys_sum)
		return -EBADMSG;
	ids->ids_sum = h.ids_sum;
	ids->n_rows = n_rows;
	ids->n_keys = h.n_keys;
	ids->key_len = h.key_len;
	ids->above = h.flags & F_MAPPED ? 0xffffull << 32 : 0;
	ids->id_len = h.id_len;
	ids->keys = raw;
	ids->ids = raw + keys_len;
	return 0;
}

int tw_history_read_ids(struct tw_history_part *part, struct tw_history_ids *ids)
{
	size_t len = (size_t)ids->n_rows * ids->id_len;
	size_t keys_len = (size_t)ids->n_keys * ids->key_len;
	int err = 0;

	if (!ids->packed)
		err = read_part(
			part, sizeof(struct ids_header) + keys_len, ids->raw.data + keys_len, len);
	if (err)
		return err;
	return tw_history_sum(ids->seed, ids->ids, len) == ids->ids_sum ? 0 : -EBADMSG;
}

struct tw_history_key tw_history_key_at(const struct tw_history_ids *ids, uint32_t id)
{
	struct tw_history_key key = {0};

	if (id >= ids->n_keys)
		return key;
	if (ids->key_len == 16)
		memcpy(&key, ids->keys + (size_t)id * 16, 16);
	else
		memcpy(&key.lo, ids->keys + (size_t)id * ids->key_len, ids->key_len);
	key.lo |= ids->above;
	return key;
}

uint32_t tw_history_find_key(const struct tw_history_ids *ids, struct tw_history_key key)
{
	uint32_t from = 0, to = ids->n_keys;

	while (from < to) {
		uint32_t middle = (from + to) / 2;

		if (tw_history_key_compare(tw_history_key_at(ids, middle), key) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Eight 16-bit ids, and a byte for each. SSE2, which every x86-64 CPU has, compares signed
 * numbers only. */
typedef uint16_t lane_ids __attribute__((vector_size(16)));
typedef int16_t lane_signed __attribute__((vector_size(16)));
typedef uint8_t lane_marks __attribute__((vector_size(8)));

#define LANES	 8u
#define SIGN_BIT 0x8000u

/* As tw_history_mark(), for numbers of 2 bytes. */
static void mark_wide(
	const uint8_t *ids, uint32_t n_rows, uint16_t first, uint16_t n, uint8_t *mask)
{
	const uint16_t shift = (uint16_t)(first ^ SIGN_BIT);
	const int16_t end = (int16_t)(n ^ SIGN_BIT);
	uint32_t i = 0;

	for (; i + LANES <= n_rows; i += LANES) {
		lane_marks marks;
		lane_ids id;

		memcpy(&id, ids + 2 * (size_t)i, sizeof(id));
		memcpy(&marks, mask + i, sizeof(marks));
		marks |= __builtin_convertvector((lane_signed)(id - shift) < end, lane_marks) & 1;
		memcpy(mask + i, &marks, sizeof(marks));
	}
	for (; i < n_rows; i++) {
		uint16_t id;

		memcpy(&id, ids + 2 * (size_t)i, sizeof(id));
		mask[i] |= (uint16_t)(id - first) < n;
	}
}

void tw_history_mark(const struct tw_history_ids *ids, uint32_t first, uint32_t n, uint8_t *mask)
{
	uint8_t low = (uint8_t)first, span = (uint8_t)(n - 1);

	if (ids->id_len == 2)
		mark_wide(ids->ids, ids->n_rows, (uint16_t)first, (uint16_t)n, mask);
	else if (!ids->id_len)
		memset(mask, 1, ids->n_rows);
	for (uint32_t i = 0; i < ids->n_rows && ids->id_len == 1; i++)
		mask[i] |= (uint8_t)(ids->ids[i] - low) <= span;
}

struct tw_history_values {
	ZSTD_DCtx *zstd;
	uint64_t value[TW_HISTORY_GROUP_ROWS];
	uint8_t raw[TW_HISTORY_GROUP_ROWS * WIDTH_MAX];
	uint8_t packed[TW_HISTORY_GROUP_ROWS * WIDTH_MAX]; /* packing never makes it longer */
};

struct tw_history_values *tw_history_values_new(void)
{
	struct tw_history_values *values = tw_alloc(sizeof(*values));

	if (!values)
		return NULL;
	values->zstd = ZSTD_createDCtx();
	if (values->zstd)
		return values;
	free(values);
	return NULL;
}

void tw_history_values_free(struct tw_history_values *values)
{
	if (!values)
		return;
	ZSTD_freeDCtx(values->zstd);
	free(values);
}

/* Reads the raw bytes of a group of `n` values, which begins at `start`. */
static int read_raw(struct tw_history_values *v, struct tw_history_part *part,
	const struct group *group, size_t start, size_t len, size_t n, bool ascending)
{
	size_t raw_len = n * group->width;
	int err;

	if (group->width > WIDTH_MAX || (group->packed ? len >= raw_len : len != raw_len))
		return -EBADMSG;
	err = read_part(part, start, group->packed ? v->packed : v->raw, len);
	if (err)
		return err;
	if (group->packed &&
		ZSTD_decompressDCtx(v->zstd, v->raw, raw_len, v->packed, len) != raw_len)
		return -EBADMSG;
	if (tw_history_sum(seed_of(group, ascending), v->raw, raw_len) != group->sum)
		return -EBADMSG;
	return 0;
}

static void join_planes(
	struct tw_history_values *v, const struct group *group, size_t n, bool ascending)
{
	uint64_t before = group->base;

	for (size_t i = 0; i < n; i++)
		v->value[i] = 0;
	for (int plane = 0; plane < group->width; plane++) {
		const uint8_t *raw = v->raw + (size_t)plane * n;

		for (size_t i = 0; i < n; i++)
			v->value[i] |= (uint64_t)raw[i] << 8 * plane;
	}
	for (size_t i = 0; i < n; i++) {
		v->value[i] += before;
		if (ascending)
			before = v->value[i];
	}
}

const uint64_t *tw_history_read_group(struct tw_history_values *v, struct tw_history_part *part,
	uint32_t n_rows, uint32_t group, int *ret_err)
{
	uint32_t n_groups = (n_rows + TW_HISTORY_GROUP_ROWS - 1) / TW_HISTORY_GROUP_ROWS;
	size_t contents = sizeof(struct values_header) + n_groups * sizeof(struct group), n, start;
	struct group entry[2] = {0}; /* the previous group, and this one */
	struct values_header h;
	int err = read_part(part, 0, &h, sizeof(h));

	if (!err && (h.format != VALUES_FORMAT || h.n_rows != n_rows ||
			    n_rows > TW_HISTORY_BLOCK_ROWS || group >= n_groups))
		err = -EBADMSG;
	if (!err)
		err = read_part(part, sizeof(h) + (group ? group - 1 : 0) * sizeof(entry[0]),
			group ? &entry[0] : &entry[1], (group ? 2 : 1) * sizeof(entry[0]));
	if (!err && (entry[1].end < entry[0].end || entry[1].end > part->len))
		err = -EBADMSG;
	if (!err) {
		n = n_rows - group * TW_HISTORY_GROUP_ROWS;
		n = n < TW_HISTORY_GROUP_ROWS ? n : TW_HISTORY_GROUP_ROWS;
		start = contents + entry[0].end;
		err = read_raw(v, part, &entry[1], start, entry[1].end - entry[0].end, n,
			h.flags & F_ASCENDING);
		if (!err)
			join_planes(v, &entry[1], n, h.flags & F_ASCENDING);
	}
	*ret_err = err;
	return err ? NULL : v->value;
}
