/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/pcapng.h"

#include <byteswap.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"

#define MAGIC	      0x1a2b3c4d
#define MAGIC_SWAPPED 0x4d3c2b1a
#define BLOCK_HEAD    8	 /* type, length */
#define BLOCK_TAIL    4	 /* length again */
#define FIXED_MAX     20 /* length of the fixed fields of the largest packet block */
#define NS_PER_S      1000000000ull

#define OPTION_END	0
#define OPTION_COMMENT	1
#define OPTION_IF_NAME	2
#define OPTION_TSRESOL	9
#define OPTION_TSOFFSET 14
#define OPTION_FLAGS	2 /* option of a packet */
#define OPTION_LOST	4
#define TSRESOL_DEFAULT 6 /* 10^-6 s */
#define TSRESOL_BINARY	0x80
#define OPTIONS_MAX	4096 /* limit of option bytes read from one block; later comments are skipped */
#define NAME_MAX_LEN	63 /* length of an interface name */

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete, but still found in files */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

struct interface {
	int link;
	uint32_t snap_len;  /* 0: no limit */
	uint8_t resolution; /* if_tsresol */
	int64_t offset_s;
	char name[NAME_MAX_LEN + 1];
};

struct tw_pcapng {
	FILE *file;
	bool swapped; /* the section's byte order differs from this machine's */
	TW_VEC(struct interface) interfaces; /* interfaces of the section */
	char comment[TW_PCAPNG_COMMENT_MAX + 1];
	uint8_t data[TW_PCAPNG_PACKET_MAX];
};

int tw_pcapng_new(FILE *file, struct tw_pcapng **ret)
{
	struct tw_pcapng *reader = tw_alloc(sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->file = file;
	*ret = reader;
	return 0;
}

void tw_pcapng_free(struct tw_pcapng *reader)
{
	if (!reader)
		return;
	tw_vec_done(&reader->interfaces);
	free(reader);
}

static int broken(struct tw_err *err, const char *what)
{
	return tw_err_set(err, -EINVAL, NULL, NULL, "the capture is broken: %s", what);
}

static uint32_t get32(const struct tw_pcapng *reader, const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return reader->swapped ? bswap_32(value) : value;
}

static uint16_t get16(const struct tw_pcapng *reader, const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return reader->swapped ? bswap_16(value) : value;
}

static int read_exact(struct tw_pcapng *reader, void *data, size_t len, struct tw_err *err)
{
	if (fread(data, 1, len, reader->file) != len)
		return broken(err, "it ends inside a block");
	return 0;
}

/* Skips `len` bytes by reading in chunks, because they may not fit in memory and the file may be a
 * pipe. */
static int skip(struct tw_pcapng *reader, uint64_t len, struct tw_err *err)
{
	uint8_t chunk[4096];

	while (len) {
		size_t n = len < sizeof(chunk) ? (size_t)len : sizeof(chunk);

		if (read_exact(reader, chunk, n, err) < 0)
			return -EINVAL;
		len -= n;
	}
	return 0;
}

static int read_section(
	struct tw_pcapng *reader, const uint8_t *head, uint32_t *ret_left, struct tw_err *err)
{
	uint32_t magic, len;

	if (read_exact(reader, &magic, sizeof(magic), err) < 0)
		return -EINVAL;
	if (magic != MAGIC && magic != MAGIC_SWAPPED)
		return broken(err, "a section without a byte-order magic");
	reader->swapped = magic == MAGIC_SWAPPED;
	reader->interfaces.n = 0;
	len = get32(reader, head + 4);
	if (len < BLOCK_HEAD + sizeof(magic) + BLOCK_TAIL || len % 4)
		return broken(err, "a block with an impossible length");
	*ret_left = len - BLOCK_HEAD - (uint32_t)sizeof(magic);
	return 0;
}

struct option {
	uint16_t code;
	uint16_t len;
	const uint8_t *value;
};

/* Takes the next option off a list. False at its end. */
static bool next_option(
	const struct tw_pcapng *reader, const uint8_t **at, size_t *left, struct option *ret)
{
	size_t padded;

	if (*left < 4)
		return false;
	*ret = (struct option){get16(reader, *at), get16(reader, *at + 2), *at + 4};
	padded = ((size_t)ret->len + 3) & ~(size_t)3;
	if (ret->code == OPTION_END || padded > *left - 4)
		return false;
	*at += 4 + padded;
	*left -= 4 + padded;
	return true;
}

static uint64_t get64(const struct tw_pcapng *reader, const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return reader->swapped ? bswap_64(value) : value;
}

static void take_text(const struct option *option, char *to, size_t max)
{
	size_t len = option->len < max ? option->len : max;

	memcpy(to, option->value, len);
	to[len] = '\0';
}

/* Reads the options of the current block, at most OPTIONS_MAX bytes. Returns how many bytes were
 * read. */
static long read_options(
	struct tw_pcapng *reader, uint8_t *options, uint32_t *left, struct tw_err *err)
{
	size_t len = *left - BLOCK_TAIL;

	if (len > OPTIONS_MAX)
		len = OPTIONS_MAX;
	if (read_exact(reader, options, len, err) < 0)
		return -EINVAL;
	*left -= (uint32_t)len;
	return (long)len;
}

static int read_interface(struct tw_pcapng *reader, uint32_t *left, struct tw_err *err)
{
	struct interface interface = {.resolution = TSRESOL_DEFAULT};
	uint8_t fixed[8], options[OPTIONS_MAX];
	const uint8_t *at = options;
	struct option option;
	size_t options_len;
	long len;

	if (*left < sizeof(fixed) + BLOCK_TAIL)
		return broken(err, "a block with an impossible length");
	if (reader->interfaces.n >= TW_PCAPNG_INTERFACES_MAX)
		return broken(err, "too many interfaces");
	if (read_exact(reader, fixed, sizeof(fixed), err) < 0)
		return -EINVAL;
	*left -= (uint32_t)sizeof(fixed);
	len = read_options(reader, options, left, err);
	if (len < 0)
		return -EINVAL;
	options_len = (size_t)len;
	interface.link = get16(reader, fixed);
	interface.snap_len = get32(reader, fixed + 4);
	while (next_option(reader, &at, &options_len, &option)) {
		if (option.code == OPTION_IF_NAME)
			take_text(&option, interface.name, NAME_MAX_LEN);
		if (option.code == OPTION_TSRESOL && option.len >= 1)
			interface.resolution = option.value[0];
		if (option.code == OPTION_TSOFFSET && option.len >= 8)
			interface.offset_s = (int64_t)get64(reader, option.value);
	}
	if (tw_vec_push(&reader->interfaces, interface) < 0)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "out of memory");
	return 0;
}

/* Reads the options after the data of an enhanced packet block. */
static int read_notes(
	struct tw_pcapng *reader, uint32_t *left, struct tw_pcapng_packet *ret, struct tw_err *err)
{
	uint32_t padding = -ret->len & 3;
	uint8_t options[OPTIONS_MAX];
	const uint8_t *at = options;
	struct option option;
	size_t options_len;
	long len;

	if (*left < padding + BLOCK_TAIL)
		return 0;
	if (skip(reader, padding, err) < 0)
		return -EINVAL;
	*left -= padding;
	len = read_options(reader, options, left, err);
	if (len < 0)
		return -EINVAL;
	options_len = (size_t)len;
	while (next_option(reader, &at, &options_len, &option)) {
		if (option.code == OPTION_COMMENT && !reader->comment[0])
			take_text(&option, reader->comment, TW_PCAPNG_COMMENT_MAX);
		if (option.code == OPTION_FLAGS && option.len >= 4)
			ret->flags = get32(reader, option.value);
		if (option.code == OPTION_LOST && option.len >= 8)
			ret->lost = get64(reader, option.value);
	}
	return 0;
}

/* Converts an interface's clock to nanoseconds since 1970. If the value does not fit, returns
 * the limit. */
static uint64_t to_ns(const struct interface *interface, uint64_t time)
{
	unsigned int power = interface->resolution & ~TSRESOL_BINARY;
	__int128 ns = (__int128)time * NS_PER_S;

	if (interface->resolution & TSRESOL_BINARY)
		ns = power < 127 ? ns >> power : 0;
	else
		for (unsigned int i = 0; i < power && ns; i++)
			ns /= 10;
	ns += (__int128)interface->offset_s * (__int128)NS_PER_S;
	return ns < 0 ? 0 : ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

/* Reads a packet block. The three kinds keep their fields in different places. */
static int read_packet(struct tw_pcapng *reader, uint32_t type, uint32_t *left,
	struct tw_pcapng_packet *ret, struct tw_err *err)
{
	uint32_t fixed_len = type == BLOCK_SIMPLE ? 4 : FIXED_MAX, interface = 0;
	uint8_t fixed[FIXED_MAX];
	struct interface *from;

	if (*left < fixed_len + BLOCK_TAIL)
		return broken(err, "a block with an impossible length");
	if (read_exact(reader, fixed, fixed_len, err) < 0)
		return -EINVAL;
	*left -= fixed_len;
	if (type == BLOCK_ENHANCED)
		interface = get32(reader, fixed);
	else if (type == BLOCK_PACKET)
		interface = get16(reader, fixed);
	if (interface >= reader->interfaces.n)
		return broken(err, "a packet of an interface that was not described");
	from = &reader->interfaces.at[interface];
	reader->comment[0] = '\0';
	*ret = (struct tw_pcapng_packet){
		.link = from->link, .interface = from->name, .comment = reader->comment};
	if (type == BLOCK_SIMPLE) {
		ret->wire_len = ret->len = get32(reader, fixed);
		if (from->snap_len && ret->len > from->snap_len)
			ret->len = from->snap_len;
		if (ret->len > *left - BLOCK_TAIL)
			ret->len = *left - BLOCK_TAIL;
	} else {
		ret->time_ns = to_ns(
			from, (uint64_t)get32(reader, fixed + 4) << 32 | get32(reader, fixed + 8));
		ret->len = get32(reader, fixed + 12);
		ret->wire_len = get32(reader, fixed + 16);
	}
	if (ret->len > *left - BLOCK_TAIL || ret->len > sizeof(reader->data))
		return broken(err, "a packet that is longer than its block, or too long");
	if (read_exact(reader, reader->data, ret->len, err) < 0)
		return -EINVAL;
	*left -= ret->len;
	ret->data = reader->data;
	return type == BLOCK_ENHANCED ? read_notes(reader, left, ret, err) : 0;
}

/* Reads one block. Returns 1 if it held a packet, 0 if not. */
static int read_block(struct tw_pcapng *reader, const uint8_t *head, struct tw_pcapng_packet *ret,
	struct tw_err *err)
{
	uint32_t type = get32(reader, head), left = get32(reader, head + 4);
	bool packet = false;
	int code = 0;

	if (type == BLOCK_SECTION) {
		code = read_section(reader, head, &left, err);
	} else if (left < BLOCK_HEAD + BLOCK_TAIL || left % 4) {
		return broken(err, "a block with an impossible length");
	} else {
		left -= BLOCK_HEAD;
		packet = type == BLOCK_ENHANCED || type == BLOCK_SIMPLE || type == BLOCK_PACKET;
		if (type == BLOCK_INTERFACE)
			code = read_interface(reader, &left, err);
		else if (packet)
			code = read_packet(reader, type, &left, ret, err);
	}
	if (!code)
		code = skip(reader, left, err);
	return code < 0 ? code : packet;
}

int tw_pcapng_next(struct tw_pcapng *reader, struct tw_pcapng_packet *ret, struct tw_err *err)
{
	int code;

	do {
		uint8_t head[BLOCK_HEAD];
		size_t n = fread(head, 1, sizeof(head), reader->file);

		if (!n && !ferror(reader->file))
			return 0;
		if (n != sizeof(head))
			return broken(err, "it ends inside a block");
		code = read_block(reader, head, ret, err);
	} while (!code);
	return code;
}
