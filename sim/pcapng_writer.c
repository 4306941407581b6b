/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/pcapng_writer.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/vec.h"

#define BLOCK_SECTION	0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_PACKET	6 /* enhanced */
#define MAGIC		0x1a2b3c4d
#define LINK_ETHERNET	1
#define LENGTH_UNKNOWN	UINT64_MAX
#define WAITING_MAX	(256u << 10)
#define TEXT_MAX	1024 /* longest text of an option */

enum option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_OS = 3,
	SECTION_PROGRAM = 4,
	INTERFACE_NAME = 2,
	INTERFACE_DESCRIPTION = 3,
	INTERFACE_RESOLUTION = 9,
	PACKET_FLAGS = 2,
	PACKET_LOST = 4,
};

#define NANOSECONDS   9 /* if_tsresol: 10^-9 s */
#define FLAG_INBOUND  1u
#define FLAG_OUTBOUND 2u

struct tw_pcapng_writer {
	int fd;
	char *place;
	uint32_t snap_len;
	TW_VEC(char *) interfaces; /* names, in the order of their descriptions in the file */
	struct tw_buf out;	   /* complete blocks */
};

/* ---- blocks; all fields in the byte order of this machine, as the section says ---- */

static void put32(struct tw_buf *out, uint32_t value)
{
	tw_buf_add(out, &value, sizeof(value));
}

static void put16(struct tw_buf *out, uint16_t value)
{
	tw_buf_add(out, &value, sizeof(value));
}

static void put_padded(struct tw_buf *out, const void *data, size_t len)
{
	tw_buf_add(out, data, len);
	tw_buf_extend(out, -len & 3);
}

static size_t begin_block(struct tw_buf *out, uint32_t type)
{
	size_t start = out->len;

	put32(out, type);
	put32(out, 0);
	return start;
}

/* Fills in the length at both ends of a block. */
static void end_block(struct tw_buf *out, size_t start)
{
	uint32_t len = (uint32_t)(out->len - start + sizeof(len));

	put32(out, len);
	if (!out->failed)
		memcpy(out->data + start + sizeof(uint32_t), &len, sizeof(len));
}

static void put_option(struct tw_buf *out, enum option code, const void *data, size_t len)
{
	put16(out, (uint16_t)code);
	put16(out, (uint16_t)len);
	put_padded(out, data, len);
}

static void put_text(struct tw_buf *out, enum option code, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len)
		put_option(out, code, text, len < TEXT_MAX ? len : TEXT_MAX);
}

static void put_section(struct tw_buf *out)
{
	const uint64_t length = LENGTH_UNKNOWN;
	struct utsname host = {0};
	char os[sizeof(host.sysname) + sizeof(host.release) + 1];
	size_t start = begin_block(out, BLOCK_SECTION);

	put32(out, MAGIC);
	put16(out, 1); /* version 1.0 */
	put16(out, 0);
	tw_buf_add(out, &length, sizeof(length));
	if (!uname(&host)) {
		snprintf(os, sizeof(os), "%s %s", host.sysname, host.release);
		put_text(out, SECTION_OS, os);
	}
	put_text(out, SECTION_PROGRAM, "tapwall " TW_VERSION);
	put_option(out, OPTION_END, NULL, 0);
	end_block(out, start);
}

static void put_interface(
	struct tw_buf *out, uint32_t snap_len, const char *name, const char *description)
{
	const uint8_t resolution = NANOSECONDS;
	size_t start = begin_block(out, BLOCK_INTERFACE);

	put16(out, LINK_ETHERNET);
	put16(out, 0);
	put32(out, snap_len);
	put_text(out, INTERFACE_NAME, name);
	put_text(out, INTERFACE_DESCRIPTION, description);
	put_option(out, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	put_option(out, OPTION_END, NULL, 0);
	end_block(out, start);
}

static void put_packet(struct tw_buf *out, uint32_t interface, const struct tw_pcapng_note *note)
{
	const uint32_t flags = note->dir == TW_DIR_OUT ? FLAG_OUTBOUND : FLAG_INBOUND;
	size_t start = begin_block(out, BLOCK_PACKET);

	put32(out, interface);
	put32(out, (uint32_t)(note->time_ns >> 32));
	put32(out, (uint32_t)note->time_ns);
	put32(out, note->len);
	put32(out, note->wire_len);
	put_padded(out, note->data, note->len);
	put_text(out, OPTION_COMMENT, note->comment);
	put_text(out, OPTION_COMMENT, note->gap);
	put_option(out, PACKET_FLAGS, &flags, sizeof(flags));
	if (note->lost)
		put_option(out, PACKET_LOST, &note->lost, sizeof(note->lost));
	put_option(out, OPTION_END, NULL, 0);
	end_block(out, start);
}

/* ---- the writer ---- */

static int no_memory(const struct tw_pcapng_writer *writer, struct tw_err *err)
{
	return tw_err_set(err, -ENOMEM, writer->place, NULL, "out of memory");
}

int tw_pcapng_writer_flush(struct tw_pcapng_writer *writer, struct tw_err *err)
{
	if (writer->out.failed)
		return no_memory(writer, err);
	for (size_t done = 0; done < writer->out.len;) {
		ssize_t n = write(writer->fd, writer->out.data + done, writer->out.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return tw_err_set(err, -EIO, writer->place, "make room for it",
				"cannot write the capture: %s", strerror(errno));
		done += (size_t)n;
	}
	tw_buf_reset(&writer->out);
	return 0;
}

int tw_pcapng_writer_new(int fd, const char *place, uint32_t snap_len,
	struct tw_pcapng_writer **ret, struct tw_err *err)
{
	struct tw_pcapng_writer *writer = tw_alloc(sizeof(*writer));
	int code;

	if (!writer)
		return tw_err_set(err, -ENOMEM, place, NULL, "out of memory");
	writer->fd = fd;
	writer->snap_len = snap_len;
	writer->place = tw_strdup(place);
	put_section(&writer->out);
	code = writer->place ? tw_pcapng_writer_flush(writer, err)
			     : tw_err_set(err, -ENOMEM, place, NULL, "out of memory");
	if (code < 0) {
		tw_pcapng_writer_free(writer);
		return code;
	}
	*ret = writer;
	return 0;
}

void tw_pcapng_writer_free(struct tw_pcapng_writer *writer)
{
	if (!writer)
		return;
	tw_vec_foreach (&writer->interfaces, name)
		free(*name);
	tw_vec_done(&writer->interfaces);
	tw_buf_done(&writer->out);
	free(writer->place);
	free(writer);
}

/* Returns the number of an interface in the section; a new one is described first. Negative if
 * out of memory. */
static long interface_of(struct tw_pcapng_writer *writer, const struct tw_pcapng_note *note)
{
	char *name;

	for (size_t i = 0; i < writer->interfaces.n; i++)
		if (!strcmp(writer->interfaces.at[i], note->interface))
			return (long)i;
	name = tw_strdup(note->interface);
	if (!name || tw_vec_push(&writer->interfaces, name) < 0) {
		free(name);
		return -ENOMEM;
	}
	put_interface(&writer->out, writer->snap_len, note->interface, note->description);
	return (long)writer->interfaces.n - 1;
}

int tw_pcapng_writer_add(
	struct tw_pcapng_writer *writer, const struct tw_pcapng_note *note, struct tw_err *err)
{
	long interface = interface_of(writer, note);

	if (interface < 0)
		return no_memory(writer, err);
	put_packet(&writer->out, (uint32_t)interface, note);
	return writer->out.len < WAITING_MAX ? 0 : tw_pcapng_writer_flush(writer, err);
}
