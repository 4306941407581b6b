/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tls.h: TLS 1.3 over a stream socket, for the transports that make the socket.
 *
 * Why:        tls.c connects by TCP and vsock.c by AF_VSOCK. Handshake, certificates and records are
 *             the same for both.
 * Callers:    tls.c and vsock.c.
 */
#pragma once

#include "link/stream.h"

#define TW_TLS_BACKLOG 32

/* Kind of the socket behind a stream. */
enum tw_tls_end {
	TW_TLS_LISTENER,
	TW_TLS_DIALLED, /* its connection may still be in progress */
	TW_TLS_ACCEPTED,
};

/* Makes a stream from the socket `fd`, which must not block. Takes `fd` over, even on failure. The caller fills in
 * where the peer is, and closes *ret with tw_tls_close(). Returns 0 or -ENOMEM. */
int tw_tls_new(const struct tw_transport *transport, int fd, enum tw_tls_end end,
	struct tw_identity *identity, struct tw_stream **ret);
/* Waits until a dialled stream is open, for at most five seconds. If it fails, closes and clears *base, and
 * copies the reason to `why` (TW_STREAM_WHY_MAX bytes, or NULL). Returns 0 or a negative errno. */
int tw_tls_wait_open(struct tw_stream **base, char *why);
/* Returns the identity with which a listener's connections are accepted. The listener owns it. */
struct tw_identity *tw_tls_identity(const struct tw_stream *listener);

/* Members of struct tw_transport (see stream.h). */
ssize_t tw_tls_read(struct tw_stream *base, void *bytes, size_t max, bool wait);
ssize_t tw_tls_write(struct tw_stream *base, const void *bytes, size_t len, bool wait);
void tw_tls_set_identity(struct tw_stream *listener, struct tw_identity *identity);
int tw_tls_set_timeout(struct tw_stream *base, unsigned int seconds);
void tw_tls_close(struct tw_stream *base);
