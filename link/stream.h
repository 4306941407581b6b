/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stream.h: a byte stream between two programs, whatever carries it.
 *
 * Why:        client.c and server.c exchange frames of link.proto and know no sockets. A new transport is one
 *             file and one line of transports.def.
 * In:         an address, `SCHEME:WHERE`. A path without a scheme is a Unix socket.
 * Invariants: 1. A transport says which user is at the other end. The server shares its resources by that
 *                number, so that it must not be the peer's to choose.
 *             2. The descriptor of a stream is what poll() and epoll wait for; EPOLLIN may come without
 *                bytes, upon which tw_stream_read() returns -EAGAIN.
 * Callers:    client.c (blocking), server.c (never blocking); one thread per stream.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct tw_transport;

/* One end of a connection, or a listener. A transport may keep more behind it. */
struct tw_stream {
	const struct tw_transport *transport;
	int fd;
	uint32_t
		user; /* of the peer: a Unix socket's is the user id that the kernel gives; 0: root */
};

struct tw_listen_options {
	const char *address;
	const char *group; /* may connect besides root, if the system has it; NULL: none */
};

struct tw_transport {
	const char *scheme; /* "unix" */
	/* As tw_stream_dial() and tw_stream_listen(), with what follows the scheme. */
	int (*dial)(const char *where, struct tw_stream **ret);
	int (*listen)(const char *where, const char *group, struct tw_stream **ret);
	int (*accept)(struct tw_stream *listener, struct tw_stream **ret);
	ssize_t (*read)(struct tw_stream *stream, void *bytes, size_t max, bool wait);
	ssize_t (*write)(struct tw_stream *stream, const void *bytes, size_t len, bool wait);
	int (*set_timeout)(struct tw_stream *stream, unsigned int seconds);
	void (*close)(struct tw_stream *stream); /* frees it too */
};

#define TW_TRANSPORT(name) extern const struct tw_transport tw_##name##_transport;
#include "link/transports.def"
#undef TW_TRANSPORT

/* Connects. The caller closes *ret. 0 or a negative errno; -EPROTONOSUPPORT: no transport has the scheme;
 * -ENAMETOOLONG. */
int tw_stream_dial(const char *address, struct tw_stream **ret);
/* Listens, never blocking. The folder of a socket file is made if it is missing, an old socket file is replaced.
 * 0 or a negative errno. */
int tw_stream_listen(const struct tw_listen_options *options, struct tw_stream **ret);
/* Takes the next connection of a listener. 0 or a negative errno, -EAGAIN if there is none. */
int tw_stream_accept(struct tw_stream *listener, struct tw_stream **ret);

/* Reads up to `max` bytes, and waits for some if `wait`. Returns how many, 0 when the peer sends no more, or a
 * negative errno: -EAGAIN if there are none now, or none within the timeout. */
ssize_t tw_stream_read(struct tw_stream *stream, void *bytes, size_t max, bool wait);
/* Writes up to `len` bytes; returns how many, or a negative errno as tw_stream_read(). Raises no signal. */
ssize_t tw_stream_write(struct tw_stream *stream, const void *bytes, size_t len, bool wait);
/* Bounds how long a read or a write waits; 0: for ever, as at first. 0 or a negative errno. */
int tw_stream_set_timeout(struct tw_stream *stream, unsigned int seconds);
/* Closes and frees; a listener's socket file is removed. NULL is fine. */
void tw_stream_close(struct tw_stream *stream);
