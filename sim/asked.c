/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/asked.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/native/table.h"

#define DNS_PORT 53

/* The first bytes of one direction. Offsets count from its first byte. */
struct stream {
	struct tw_name_reader name;
	bool kind_known; /* `name` has begun */
	uint32_t read;	 /* bytes given to `name` */
	uint8_t have[TW_ASKED_BYTES / 8];
	uint8_t bytes[TW_ASKED_BYTES];
};

struct connection {
	bool began[2];		   /* a way's `base` is known */
	uint32_t base[2];	   /* sequence numbers of the first bytes */
	bool over[2];		   /* a way's bytes are of no interest any more */
	struct stream *streams[2]; /* NULL: not begun, or over */
	enum tw_name_kind kind;	   /* of `text` */
	char *text;		   /* NULL: unknown */
};

struct tw_asked_names {
	struct tw_table table; /* struct connection by struct tw_key */
};

static void way_end(struct connection *connection, int way)
{
	free(connection->streams[way]);
	connection->streams[way] = NULL;
	connection->over[way] = true;
}

static void connection_done(struct connection *connection)
{
	way_end(connection, 0);
	way_end(connection, 1);
	free(connection->text);
	*connection = (struct connection){0};
}

int tw_asked_new(struct tw_asked_names **ret, size_t max)
{
	tw_autofree struct tw_asked_names *asked = tw_alloc(sizeof(*asked));
	int code;

	if (!asked)
		return -ENOMEM;
	code = tw_table_init(&asked->table, sizeof(struct tw_key), sizeof(struct connection), max);
	if (code < 0)
		return code;
	*ret = TW_TAKE_PTR(asked);
	return 0;
}

static void free_connection(void *arg, const void *key, void *value)
{
	connection_done(value);
}

void tw_asked_forget(struct tw_asked_names *asked)
{
	tw_table_each(&asked->table, free_connection, NULL);
	tw_table_clear(&asked->table);
}

void tw_asked_names_free(struct tw_asked_names *asked)
{
	if (!asked)
		return;
	tw_asked_forget(asked);
	tw_table_done(&asked->table);
	free(asked);
}

static uint64_t word_at(const uint8_t *bytes, size_t len)
{
	__be64 wire = 0;

	memcpy(&wire, bytes, len < sizeof(wire) ? len : sizeof(wire));
	return tw_host64(wire);
}

void tw_asked_read(struct tw_name_reader *name, const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	for (int i = 0; i < TW_NAME_STEPS && at < len && !name->outcome; i++) {
		size_t rest = len - at;
		struct tw_name_window w = {.rest = (__u32)rest};

		w.len = rest < TW_NAME_WINDOW ? (__u32)rest : TW_NAME_WINDOW;
		for (size_t k = 0; 8 * k < w.len; k++)
			w.w[k] = word_at(bytes + at + 8 * k, w.len - 8 * k);
		at += tw_name_step(name, &w);
	}
	/* More steps than any usual message needs. */
	if (at < len && !name->outcome)
		tw_name_end(name, TW_NAME_BAD);
}

int tw_asked_kind(bool tcp, uint16_t port, uint8_t first)
{
	if (port == DNS_PORT)
		return tcp ? TW_NAME_DNS_TCP : TW_NAME_DNS;
	if (tcp && first == 22)
		return TW_NAME_TLS;
	return tcp && isalpha(first) ? TW_NAME_HTTP : -1;
}

/* ---- streams ---- */

/* Puts bytes at an offset of a stream. The first copy of a byte counts. */
static void put(struct stream *stream, uint32_t from, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len && from + i < TW_ASKED_BYTES; i++) {
		uint8_t *have = &stream->have[(from + i) / 8], bit = (uint8_t)(1 << (from + i) % 8);

		if (!(*have & bit))
			stream->bytes[from + i] = bytes[i];
		*have |= bit;
	}
}

/* Reads what is known without a gap. */
static void advance(struct stream *stream)
{
	uint32_t end = stream->read;

	while (end < TW_ASKED_BYTES && stream->have[end / 8] & 1 << end % 8)
		end++;
	tw_asked_read(&stream->name, stream->bytes + stream->read, end - stream->read);
	stream->read = end;
	if (end == TW_ASKED_BYTES && !stream->name.outcome)
		tw_name_end(&stream->name, TW_NAME_BAD);
}

/* Learns the kind of message by the first byte. False if there is none that has a name. */
static bool begin(struct stream *stream, const struct tw_glance *glance, uint8_t first)
{
	int kind = tw_asked_kind(glance->proto == IPPROTO_TCP, glance->port[TW_DIR_IN], first);

	if (kind < 0)
		return false;
	tw_name_begin(&stream->name, (enum tw_name_kind)kind);
	stream->kind_known = true;
	return true;
}

/* Adds a segment, `seq` bytes behind the way's first byte. False if the way has no name. */
static bool add_segment(
	struct stream *stream, uint32_t seq, const struct tw_glance *glance, const uint8_t *bytes)
{
	size_t here = glance->payload_here;
	uint32_t skip = 0;

	/* A segment from before the first byte. */
	if ((int32_t)seq < 0) {
		skip = 0 - seq;
		seq = 0;
	}
	if (skip < here)
		put(stream, seq, bytes + skip, here - skip);
	if (!(stream->have[0] & 1))
		return true;
	if (!stream->kind_known && !begin(stream, glance, stream->bytes[0]))
		return false;
	advance(stream);
	return true;
}

static bool add_datagram(
	struct stream *stream, const struct tw_glance *glance, const uint8_t *bytes)
{
	if (!begin(stream, glance, bytes[0]))
		return false;
	tw_asked_read(&stream->name, bytes, glance->payload_here);
	if (!stream->name.outcome)
		tw_name_end(&stream->name, TW_NAME_BAD);
	return true;
}

/* Adds a frame to its way, and takes over the name if it is known now. */
static void add(struct connection *connection, int way, const struct tw_glance *glance,
	const uint8_t *bytes)
{
	uint32_t seq = glance->tcp_seq + !!(glance->tcp_flags & TH_SYN);
	bool tcp = glance->proto == IPPROTO_TCP;
	struct stream *stream;

	if (!connection->began[way] && (glance->payload_here || glance->tcp_flags & TH_SYN)) {
		connection->began[way] = true;
		connection->base[way] = seq;
	}
	if (!glance->payload_here)
		return;
	if (!connection->streams[way])
		connection->streams[way] = tw_alloc(sizeof(*stream));
	stream = connection->streams[way];
	if (!stream)
		return;
	if (!(tcp ? add_segment(stream, seq - connection->base[way], glance, bytes)
		  : add_datagram(stream, glance, bytes)))
		tw_name_end(&stream->name, TW_NAME_BAD);
	if (stream->name.outcome == TW_NAME_FOUND) {
		stream->name.bytes[stream->name.len] = 0;
		connection->text = tw_strdup((const char *)stream->name.bytes);
		connection->kind = (enum tw_name_kind)stream->name.kind;
		way_end(connection, !way);
	}
	if (stream->name.outcome)
		way_end(connection, way);
}

/* Returns the connection of a key, which begins anew if `opens`. NULL without room. */
static struct connection *find(struct tw_asked_names *asked, const struct tw_key *key, bool opens)
{
	struct connection *connection = tw_table_lookup(&asked->table, key);
	const struct connection fresh = {0};

	if (connection && opens)
		connection_done(connection);
	if (!connection && !tw_table_update(&asked->table, key, &fresh, 1))
		connection = tw_table_lookup(&asked->table, key);
	return connection;
}

bool tw_asked_see(struct tw_asked_names *asked, const struct tw_key *key, bool opens,
	const struct tw_glance *glance, const uint8_t *data, struct tw_asked_name *ret)
{
	struct connection *connection;
	int way;

	if (!glance->has_payload)
		return false;
	connection = find(asked, key, opens);
	if (!connection)
		return false;
	way = memcmp(&glance->addr[TW_DIR_OUT], &key->lo, sizeof(key->lo)) != 0 ||
	      htons(glance->port[TW_DIR_OUT]) != key->lo_port;
	if (!connection->over[way])
		add(connection, way, glance, data + glance->payload_at);
	if (!connection->text)
		return false;
	*ret = (struct tw_asked_name){connection->kind, connection->text};
	return true;
}
