/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tls.c: TLS 1.3 over TCP as a transport of stream.h. Both ends present certificates (identity.h),
 * except for a host that enrolls, which has none yet.
 * An address is HOST:PORT, or [HOST]:PORT for IPv6, with %ZONE if it is link-local.
 *
 * Invariants: 1. Calls block only on a stream that was dialled with `wait`.
 *             2. A stream is open only when the handshake is over and the peer's certificate was accepted. A
 *                peer that is refused gets an alert that says why.
 * Source:     RFC 8446. Sessions are not resumed, and early data is refused because it could be
 *             replayed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "link/address.h"
#include "link/identity.h"
#include "link/tls.h"

#define DIAL_SECONDS  5
#define HANDSHAKE_MAX 16384 /* maximum bytes of one handshake message */
#define PRIORITIES    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-X509"

struct tls_stream {
	struct tw_stream base;
	gnutls_session_t session; /* NULL: a listener */
	struct tw_identity *identity;
	unsigned int timeout_s; /* time limit of a call that waits; 0: none */
	bool connecting;	/* TCP is not connected yet */
	bool sending;		/* a record is only partly written to the socket */
};

/* ---- addresses ---- */

static uint64_t source_of(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	uint64_t source = 0;

	if (address->ss_family == AF_INET)
		return v4->sin_addr.s_addr;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		memcpy(&source, &v6->sin6_addr.s6_addr[12], 4);
	else
		memcpy(&source, &v6->sin6_addr, sizeof(source));
	return source;
}

static void write_where(
	struct tw_stream *stream, const struct sockaddr *address, socklen_t address_len)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	char host[NI_MAXHOST], port[NI_MAXSERV];

	/* An IPv4 peer of a dual-stack listener is shown with its IPv4 address. */
	if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		memcpy(&v4.sin_addr, &v6->sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
		v4.sin_port = v6->sin6_port;
		address = (const struct sockaddr *)&v4;
		address_len = sizeof(v4);
	}
	if (getnameinfo(address, address_len, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	snprintf(stream->where, sizeof(stream->where),
		strchr(host, ':') ? "[%.64s]:%.5s" : "%.64s:%.5s", host, port);
}

/* ---- one stream ---- */

void tw_tls_close(struct tw_stream *base)
{
	struct tls_stream *stream = (struct tls_stream *)base;

	if (stream->session) {
		if (base->open)
			gnutls_bye(stream->session, GNUTLS_SHUT_WR);
		gnutls_deinit(stream->session);
	}
	tw_identity_free(stream->identity);
	close(base->fd);
	free(stream);
}

/* Prepares the session of a connection. */
static int session_new(struct tls_stream *stream, unsigned int end)
{
	const struct tw_identity *identity = stream->identity;

	if (gnutls_init(&stream->session,
		    end | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS) < 0 ||
		gnutls_priority_set_direct(stream->session, PRIORITIES, NULL) < 0 ||
		gnutls_credentials_set(
			stream->session, GNUTLS_CRD_CERTIFICATE, identity->credentials) < 0)
		return -ENOMEM;
	gnutls_handshake_set_max_packet_length(stream->session, HANDSHAKE_MAX);
	gnutls_handshake_set_timeout(stream->session, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_int(stream->session, stream->base.fd);
	if (end == GNUTLS_SERVER) {
		/* If hosts may enroll, a missing certificate is judged after the handshake. */
		gnutls_certificate_server_set_request(stream->session,
			identity->is_enrolling ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_REQUIRE);
		/* Names no CA: a client that knew the name would send no certificate of another
		 * CA, and would not learn why it is refused. */
		gnutls_certificate_send_x509_rdn_sequence(stream->session, 1);
	}
	return 0;
}

int tw_tls_new(const struct tw_transport *transport, int fd, enum tw_tls_end end,
	struct tw_identity *identity, struct tw_stream **ret)
{
	struct tls_stream *stream = tw_alloc(sizeof(*stream));

	if (!stream) {
		close(fd);
		return -ENOMEM;
	}
	stream->base.transport = transport;
	stream->base.fd = fd;
	stream->identity = tw_identity_hold(identity);
	stream->connecting = stream->base.wants_write = end == TW_TLS_DIALLED;
	/* UINT32_MAX is no user of this host, so the peer is not treated as root. */
	if (end == TW_TLS_ACCEPTED)
		stream->base.user = UINT32_MAX;
	if (end != TW_TLS_LISTENER &&
		session_new(stream, end == TW_TLS_DIALLED ? GNUTLS_CLIENT : GNUTLS_SERVER) < 0) {
		tw_tls_close(&stream->base);
		return -ENOMEM;
	}
	*ret = &stream->base;
	return 0;
}

/* Stores the reason why a call of GnuTLS failed, and returns a negative errno. */
static int fail_with(struct tls_stream *stream, int code)
{
	char *why = stream->base.why;

	switch (code) {
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		return -EAGAIN;
	case GNUTLS_E_PREMATURE_TERMINATION:
		snprintf(why, TW_STREAM_WHY_MAX, "the connection was cut by the peer");
		return -ECONNRESET;
	case GNUTLS_E_PUSH_ERROR:
	case GNUTLS_E_PULL_ERROR:
		return errno && errno != EAGAIN ? -errno : -ECONNRESET;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		snprintf(why, TW_STREAM_WHY_MAX, "the peer refuses: %s",
			gnutls_alert_get_name(gnutls_alert_get(stream->session)));
		return -EKEYREJECTED;
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
		snprintf(why, TW_STREAM_WHY_MAX, "the peer's certificate is missing");
		return -EKEYREJECTED;
	case GNUTLS_E_MEMORY_ERROR:
		return -ENOMEM;
	default:
		snprintf(why, TW_STREAM_WHY_MAX, "TLS: %s", gnutls_strerror(code));
		return -EPROTO;
	}
}

/* ---- the handshake ---- */

static int finish_connect(struct tls_stream *stream)
{
	int code = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(stream->base.fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
		return -errno;
	if (code)
		return -code;
	/* Without an error, the socket may still be connecting. */
	if (getpeername(stream->base.fd, (struct sockaddr *)&(struct sockaddr_storage){0},
		    &(socklen_t){sizeof(struct sockaddr_storage)}) < 0)
		return -EAGAIN;
	stream->connecting = false;
	return 0;
}

/* Does one step of connection and handshake. Returns 0 if the stream is open, or a negative
 * errno. */
static int open_step(struct tls_stream *stream)
{
	struct tw_stream *base = &stream->base;
	gnutls_alert_description_t alert;
	int code;

	if (stream->connecting) {
		code = finish_connect(stream);
		if (code < 0)
			return code;
	}
	code = gnutls_handshake(stream->session);
	base->wants_write = code == GNUTLS_E_AGAIN &&
			    gnutls_record_get_direction(stream->session) == 1;
	/* A warning does not end the handshake. The loop calls again when there is more to read. */
	if (code == GNUTLS_E_WARNING_ALERT_RECEIVED)
		return -EAGAIN;
	if (code < 0) {
		if (gnutls_error_is_fatal(code))
			gnutls_alert_send_appropriate(stream->session, code);
		return fail_with(stream, code);
	}
	code = tw_identity_check(stream->identity, stream->session, base, &alert);
	if (code < 0) {
		gnutls_alert_send(stream->session, GNUTLS_AL_FATAL, alert);
		shutdown(base->fd, SHUT_WR);
		return code;
	}
	base->open = true;
	return 0;
}

/* Waits until the socket is ready. Returns 0, -EAGAIN after the time limit, or another negative
 * errno. */
static int wait_ready(const struct tls_stream *stream, bool to_write)
{
	struct pollfd poll_fd = {.fd = stream->base.fd, .events = to_write ? POLLOUT : POLLIN};
	int n;

	do
		n = poll(&poll_fd, 1, stream->timeout_s ? (int)stream->timeout_s * 1000 : -1);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -EAGAIN;
}

/* Opens the stream if it is not open. */
static int open_stream(struct tls_stream *stream, bool wait)
{
	int code = 0;

	while (!stream->base.open) {
		code = open_step(stream);
		if (code != -EAGAIN || !wait)
			break;
		code = wait_ready(stream, stream->base.wants_write);
		if (code < 0)
			break;
	}
	return code;
}

/* ---- bytes ---- */

/* Reads while a whole record fits, so that GnuTLS buffers no bytes that poll() cannot see. */
ssize_t tw_tls_read(struct tw_stream *base, void *bytes, size_t max, bool wait)
{
	struct tls_stream *stream = (struct tls_stream *)base;
	size_t len = 0;
	ssize_t n;
	int code = open_stream(stream, wait);

	base->why[0] = code ? base->why[0] : '\0';
	if (code < 0)
		return code;
	do {
		n = gnutls_record_recv(stream->session, (char *)bytes + len, max - len);
		if (n > 0)
			len += (size_t)n;
		else if (n == GNUTLS_E_AGAIN && wait && !len) {
			code = wait_ready(stream, gnutls_record_get_direction(stream->session));
			if (code < 0)
				return code;
			n = 1;
		}
	} while (n > 0 && max - len >= TW_STREAM_READ_MIN);
	if (len || !n)
		return (ssize_t)len;
	return fail_with(stream, (int)n);
}

/* A peer that refuses this end sends an alert, and closes. If a write fails because of that, the alert has not been
 * read yet. */
static int fail_write(struct tls_stream *stream, int code)
{
	int error = errno;
	char byte;

	if (code == GNUTLS_E_PUSH_ERROR &&
		gnutls_record_recv(stream->session, &byte, 1) == GNUTLS_E_FATAL_ALERT_RECEIVED)
		code = GNUTLS_E_FATAL_ALERT_RECEIVED;
	errno = error;
	return fail_with(stream, code);
}

ssize_t tw_tls_write(struct tw_stream *base, const void *bytes, size_t len, bool wait)
{
	struct tls_stream *stream = (struct tls_stream *)base;
	ssize_t n;
	int code = open_stream(stream, wait);

	if (code < 0)
		return code;
	for (;;) {
		/* A partly written record is already encrypted: only its rest is sent. */
		n = stream->sending ? gnutls_record_send(stream->session, NULL, 0)
				    : gnutls_record_send(stream->session, bytes, len);
		if (n >= 0) {
			stream->sending = false;
			return n;
		}
		if (n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED)
			return fail_write(stream, (int)n);
		stream->sending = true;
		if (!wait)
			return -EAGAIN;
		code = wait_ready(stream, true);
		if (code < 0)
			return code;
	}
}

void tw_tls_set_identity(struct tw_stream *listener, struct tw_identity *identity)
{
	struct tls_stream *stream = (struct tls_stream *)listener;

	tw_identity_hold(identity);
	tw_identity_free(stream->identity);
	stream->identity = identity;
}

int tw_tls_set_timeout(struct tw_stream *base, unsigned int seconds)
{
	((struct tls_stream *)base)->timeout_s = seconds;
	return 0;
}

/* ---- both ends ---- */

int tw_tls_wait_open(struct tw_stream **base, char *why)
{
	struct tls_stream *stream = (struct tls_stream *)*base;
	int code;

	stream->timeout_s = DIAL_SECONDS;
	code = open_stream(stream, true);
	stream->timeout_s = 0;
	if (!code)
		return 0;
	if (why)
		strcpy(why, stream->base.why);
	tw_tls_close(*base);
	*base = NULL;
	return code;
}

struct tw_identity *tw_tls_identity(const struct tw_stream *listener)
{
	return ((const struct tls_stream *)listener)->identity;
}

/* ---- TCP ---- */

static void send_at_once(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Connects to one of the addresses found. */
static int dial_one(
	const struct addrinfo *to, const struct tw_dial_options *options, struct tw_stream **ret)
{
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), code;

	if (fd < 0)
		return -errno;
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS) {
		code = -errno;
		close(fd);
		return code;
	}
	send_at_once(fd);
	code = tw_tls_new(&tw_tls_transport, fd, TW_TLS_DIALLED, options->identity, ret);
	if (code < 0)
		return code;
	write_where(*ret, to->ai_addr, to->ai_addrlen);
	return options->wait ? tw_tls_wait_open(ret, options->why) : 0;
}

/* Without `wait`, the host must be an address, as a look-up of a name could block. */
static int tls_dial(
	const char *where, const struct tw_dial_options *options, struct tw_stream **ret)
{
	struct addrinfo *found = NULL;
	struct tw_stream *stream = NULL;
	int code;

	if (!tw_address_is_valid(where))
		return -EINVAL;
	if (!options->identity)
		return -EPROTONOSUPPORT;
	code = tw_address_resolve(where, options->wait ? 0 : AI_NUMERICHOST, &found);
	for (const struct addrinfo *to = found; to; to = to->ai_next) {
		code = dial_one(to, options, &stream);
		if (!code)
			break;
	}
	if (found)
		freeaddrinfo(found);
	if (!code)
		*ret = stream;
	return code;
}

static int listen_at(int fd, const struct addrinfo *at)
{
	const int on = 1, off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* A listener at [::] accepts IPv4 too. */
	if (at->ai_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return -errno;
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, TW_TLS_BACKLOG) < 0)
		return -errno;
	return 0;
}

static int tls_listen(
	const char *where, const struct tw_listen_options *options, struct tw_stream **ret)
{
	struct addrinfo *found = NULL;
	tw_autofd int fd = -1;
	int code;

	if (!options->identity)
		return -EPROTONOSUPPORT;
	code = tw_address_resolve(where, AI_PASSIVE, &found);
	if (code < 0)
		return code;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	code = fd < 0 ? -errno : listen_at(fd, found);
	freeaddrinfo(found);
	return code < 0 ? code
			: tw_tls_new(&tw_tls_transport, TW_TAKE_FD(fd), TW_TLS_LISTENER,
				  options->identity, ret);
}

static int tls_accept(struct tw_stream *listener, struct tw_stream **ret)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	int fd = accept4(
		listener->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int code;

	if (fd < 0)
		return -errno;
	send_at_once(fd);
	code = tw_tls_new(&tw_tls_transport, fd, TW_TLS_ACCEPTED, tw_tls_identity(listener), ret);
	if (code < 0)
		return code;
	(*ret)->source = source_of(&from);
	write_where(*ret, (struct sockaddr *)&from, len);
	return 0;
}

const struct tw_transport tw_tls_transport = {
	.scheme = "tls",
	.dial = tls_dial,
	.listen = tls_listen,
	.accept = tls_accept,
	.read = tw_tls_read,
	.write = tw_tls_write,
	.set_identity = tw_tls_set_identity,
	.set_timeout = tw_tls_set_timeout,
	.close = tw_tls_close,
};
