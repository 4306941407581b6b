/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/apps.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/native/table.h"

/* A range of a stream that arrived behind a gap. */
struct piece {
	uint32_t from;
	uint32_t to;
};

/* One direction of a TCP connection. Offsets count from its first byte. */
struct stream {
	bool began;    /* `base` is known */
	uint32_t base; /* sequence number of the first byte */
	uint32_t end;  /* bytes known without a gap */
	uint64_t have; /* bit n: bytes[n] is known */
	uint8_t bytes[TW_APP_HEAD];
	size_t n_pieces;
	struct piece pieces[TW_APPS_PIECES];
};

struct connection {
	struct tw_app_state state;
	struct stream streams[2];
};

struct tw_apps {
	struct tw_table table; /* struct connection by struct tw_key */
	uint64_t counts[TW_APP__MAX];
};

int tw_apps_new(struct tw_apps **ret, size_t max)
{
	tw_autofree struct tw_apps *apps = tw_alloc(sizeof(*apps));
	int code;

	if (!apps)
		return -ENOMEM;
	code = tw_table_init(&apps->table, sizeof(struct tw_key), sizeof(struct connection), max);
	if (code < 0)
		return code;
	*ret = TW_TAKE_PTR(apps);
	return 0;
}

void tw_apps_free(struct tw_apps *apps)
{
	if (!apps)
		return;
	tw_table_done(&apps->table);
	free(apps);
}

void tw_apps_forget(struct tw_apps *apps)
{
	tw_table_clear(&apps->table);
}

uint64_t tw_apps_count(const struct tw_apps *apps, enum tw_app app)
{
	return (unsigned int)app < TW_APP__MAX ? apps->counts[app] : 0;
}

/* Moves the end of the known bytes over pieces that it has reached. */
static void join_pieces(struct stream *stream)
{
	for (size_t i = 0; i < stream->n_pieces;) {
		struct piece *piece = &stream->pieces[i];

		if (piece->from > stream->end) {
			i++;
			continue;
		}
		if (piece->to > stream->end)
			stream->end = piece->to;
		*piece = stream->pieces[--stream->n_pieces];
		i = 0;
	}
}

/* Adds bytes from an offset on. `here` of `len` are at `bytes`. True if the end has moved. */
static bool add_bytes(
	struct stream *stream, uint32_t from, const uint8_t *bytes, size_t here, size_t len)
{
	uint32_t before = stream->end;

	if (from > before && stream->n_pieces == TW_APPS_PIECES)
		return false;
	for (size_t i = 0; i < here && from + i < TW_APP_HEAD; i++) {
		uint64_t bit = 1ull << (from + i);

		if (!(stream->have & bit))
			stream->bytes[from + i] = bytes[i];
		stream->have |= bit;
	}
	if (from > before)
		stream->pieces[stream->n_pieces++] = (struct piece){from, from + (uint32_t)len};
	else if (from + len > before)
		stream->end = from + (uint32_t)len;
	join_pieces(stream);
	return stream->end != before;
}

/* Adds a segment. True if there are more bytes without a gap than before. */
static bool add_segment(struct stream *stream, const struct tw_glance *glance, const uint8_t *bytes)
{
	uint32_t seq = glance->tcp_seq + !!(glance->tcp_flags & TH_SYN), skip = 0, from;
	size_t here = glance->payload_here, len = glance->payload_len;

	if (glance->tcp_flags & TH_SYN || (!stream->began && len)) {
		if (!stream->began)
			stream->base = seq;
		stream->began = true;
	}
	if (!stream->began || !len)
		return false;
	from = seq - stream->base;
	/* A segment from before the first byte: a keep-alive probe, or a late retransmission. */
	if ((int32_t)from < 0) {
		skip = 0 - from;
		from = 0;
	}
	if (skip >= len)
		return false;
	return add_bytes(stream, from, bytes + (skip < here ? skip : here),
		skip < here ? here - skip : 0, len - skip);
}

/* Returns the number of bytes at the start that are known without a gap. */
static size_t known_bytes(const struct stream *stream)
{
	return stream->have == UINT64_MAX ? TW_APP_HEAD : (size_t)__builtin_ctzll(~stream->have);
}

static enum tw_app look(struct connection *connection, uint32_t way, bool tcp,
	const struct tw_glance *glance, const uint8_t *bytes)
{
	const struct stream *stream = &connection->streams[way];
	union {
		uint8_t bytes[TW_APP_HEAD];
		__be64 words[TW_APP_WORDS];
	} wire = {{0}};
	struct tw_app_head head;
	size_t len = tcp ? known_bytes(stream) : glance->payload_here;

	if (len > TW_APP_HEAD)
		len = TW_APP_HEAD;
	memcpy(wire.bytes, tcp ? stream->bytes : bytes, len);
	tw_app_head_fill(&head, wire.words, len);
	head.payload = tcp ? stream->end : glance->payload_len;
	head.port[0] = glance->port[TW_DIR_OUT];
	head.port[1] = glance->port[TW_DIR_IN];
	if (tcp)
		tw_app_compare_tcp(&head);
	else
		tw_app_compare_udp(&head);
	return tw_app_note(&connection->state, way, &head);
}

/* Returns the connection of a key, which begins anew if `opens`. NULL without room. */
static struct connection *find(struct tw_apps *apps, const struct tw_key *key, bool opens)
{
	struct connection *connection = tw_table_lookup(&apps->table, key);
	const struct connection fresh = {0};

	if (connection && opens)
		*connection = fresh;
	if (!connection && !tw_table_update(&apps->table, key, &fresh, 1))
		connection = tw_table_lookup(&apps->table, key);
	return connection;
}

enum tw_app tw_apps_see(struct tw_apps *apps, const struct tw_key *key, bool opens,
	const struct tw_glance *glance, const uint8_t *data)
{
	bool tcp = glance->proto == IPPROTO_TCP;
	const uint8_t *bytes = data + glance->payload_at;
	struct connection *connection;
	enum tw_app app;
	uint32_t way;

	if (!glance->has_payload)
		return TW_APP_NONE;
	connection = find(apps, key, opens);
	if (!connection)
		return TW_APP_NONE;
	if (connection->state.done)
		return (enum tw_app)connection->state.app;
	way = memcmp(&glance->addr[TW_DIR_OUT], &key->lo, sizeof(key->lo)) != 0 ||
	      htons(glance->port[TW_DIR_OUT]) != key->lo_port;
	if (tcp ? !add_segment(&connection->streams[way], glance, bytes) : !glance->payload_len)
		return TW_APP_NONE;
	app = look(connection, way, tcp, glance, bytes);
	apps->counts[app] += app != TW_APP_NONE;
	return app;
}
