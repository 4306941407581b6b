/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stream.h: a byte stream between two programs, over any transport.
 *
 * Why:        client.c and server.c exchange frames of link.proto without using sockets directly. A
 *             new transport is one file and one line of transports.def. A library or program that
 *             needs fewer transports defines tw_stream_transports itself.
 * In:         an address, `SCHEME:WHERE`. A path without a scheme is a Unix socket.
 * Invariants: 1. A transport reports the user at the other end as a number that the peer cannot
 *                choose. The server limits resources per user.
 *             2. The descriptor of a stream works with poll() and epoll. If EPOLLIN comes without
 *                bytes, tw_stream_read() returns -EAGAIN.
 *             3. A read with room for TW_STREAM_READ_MIN bytes leaves none in the transport.
 *             4. A stream passes bytes only when it is `open`. Reading opens it: the caller reads
 *                whenever the descriptor is readable, or writable if `wants_write`.
 * Callers:    client.c (blocking), server.c and peer.c (never blocking); one thread per stream.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"

#define TW_STREAM_READ_MIN  16384
#define TW_STREAM_PEER_MAX  65
#define TW_STREAM_WHERE_MAX 80
#define TW_STREAM_WHY_MAX   160

struct tw_identity;
struct tw_transport;

/* One end of a connection, or a listener. A transport may embed it in a larger struct. */
struct tw_stream {
	const struct tw_transport *transport;
	int fd;
	uint32_t user; /* user at the other end; 0: root. Unix sockets: the uid from the kernel */
	bool open;     /* the peer is known, and bytes may pass */
	bool wants_write;		 /* while not open: wait for EPOLLOUT instead of EPOLLIN */
	char peer[TW_STREAM_PEER_MAX];	 /* name in the peer's certificate; empty: none */
	time_t peer_from;		 /* start of that certificate's validity; 0: none */
	time_t peer_until;		 /* end of that validity */
	bool peer_decides;		 /* that certificate is a decider's */
	char where[TW_STREAM_WHERE_MAX]; /* address of the peer; empty: none */
	uint64_t
		source; /* equal for peers that count as one source: IPv4 address, IPv6 /64, vsock CID */
	/* Reason why the last call failed; empty: see its errno. For a new listener: a
	 * fault that does not keep it from listening. */
	char why[TW_STREAM_WHY_MAX];
};

struct tw_listen_options {
	const char *address;
	const char *group; /* members may connect, as may root; NULL or unknown: root only */
	struct tw_identity *identity; /* certificate of this end; NULL: the transport needs none */
};

struct tw_dial_options {
	const char *address;
	struct tw_identity *identity; /* certificate of this end; NULL: the transport needs none */
	bool wait; /* return when the stream is open; otherwise the caller opens it by reading */
	char *why; /* TW_STREAM_WHY_MAX bytes for the reason of a failure, if the errno does not tell it; may be NULL */
};

struct tw_transport {
	const char *scheme; /* "unix" */
	/* See tw_stream_dial() and tw_stream_listen(). `where` is the address without the
	 * scheme. */
	int (*dial)(
		const char *where, const struct tw_dial_options *options, struct tw_stream **ret);
	int (*listen)(
		const char *where, const struct tw_listen_options *options, struct tw_stream **ret);
	int (*accept)(struct tw_stream *listener, struct tw_stream **ret);
	ssize_t (*read)(struct tw_stream *stream, void *bytes, size_t max, bool wait);
	ssize_t (*write)(struct tw_stream *stream, const void *bytes, size_t len, bool wait);
	void (*set_identity)(
		struct tw_stream *listener, struct tw_identity *identity); /* NULL: needs none */
	int (*set_timeout)(struct tw_stream *stream, unsigned int seconds);
	void (*close)(struct tw_stream *stream); /* also frees the stream */
};

#define TW_TRANSPORT(name) extern const struct tw_transport tw_##name##_transport;
#include "link/transports.def"
#undef TW_TRANSPORT
/* The transports of this program, NULL at the end. The first one is used for addresses without a
 * scheme. */
extern const struct tw_transport *const tw_stream_transports[];

/* Connects. The caller closes *ret. Returns 0 or a negative errno: -EPROTONOSUPPORT if no transport
 * has the scheme, -ENAMETOOLONG if the address is too long, -EINVAL if it is malformed,
 * -EADDRNOTAVAIL if its host is a name and `wait` is false, because looking names up blocks. */
int tw_stream_dial(const struct tw_dial_options *options, struct tw_stream **ret);
/* Listens without ever blocking. Makes the directory of a socket file if it is missing, and
 * replaces an old socket file. Returns 0 or a negative errno. */
int tw_stream_listen(const struct tw_listen_options *options, struct tw_stream **ret);
/* Gives a listener another certificate for the connections that it accepts from now on. */
void tw_stream_set_identity(struct tw_stream *listener, struct tw_identity *identity);
/* Accepts the next connection of a listener. Returns 0 or a negative errno: -EAGAIN if there is
 * none. */
int tw_stream_accept(struct tw_stream *listener, struct tw_stream **ret);

/* Reads up to `max` bytes. If `wait`, waits for the first ones. Returns the number read, 0 at the
 * end of the stream, or a negative errno: -EAGAIN if there are none now or none came within the
 * timeout. */
ssize_t tw_stream_read(struct tw_stream *stream, void *bytes, size_t max, bool wait);
/* Writes up to `len` bytes. Returns the number written, or a negative errno as tw_stream_read()
 * does. Raises no signal. */
ssize_t tw_stream_write(struct tw_stream *stream, const void *bytes, size_t len, bool wait);
/* Limits how long a read or a write waits. 0, the default, means for ever. Returns 0 or a negative
 * errno. */
int tw_stream_set_timeout(struct tw_stream *stream, unsigned int seconds);
/* Closes and frees a stream. A listener's socket file is removed. NULL is fine. */
void tw_stream_close(struct tw_stream *stream);
