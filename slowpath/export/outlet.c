/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/export/outlet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "link/address.h"

#define NS_PER_MS	1000000
#define PRIORITIES	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CTYPE-ALL:+CTYPE-X509"
#define UNACKED_MS	30000 /* a peer that does not acknowledge for this long is gone (tcp(7)) */
#define KEEPALIVE_S	30
#define HANDSHAKE_MAX	65536 /* maximum bytes of one handshake message */
#define INPUT_READS_MAX 16

struct tw_outlet {
	struct tw_outlet_setup setup;
	int fd;
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session; /* NULL: not TLS */
	bool shaken;		  /* the handshake is over */
	uint64_t written;
	char host[TW_ADDRESS_HOST_MAX];
	gnutls_typed_vdata_st wanted[2];
};

/* ---- waiting ---- */

/* Waits for `events` of the socket. `deadline_ns` 0: without a limit. Returns 0, -ECANCELED or -ETIMEDOUT. */
static int wait_for(struct tw_outlet *outlet, short events, uint64_t deadline_ns)
{
	struct pollfd fds[] = {{.fd = outlet->fd, .events = events},
		{.fd = outlet->setup.stop_fd, .events = POLLIN}};

	for (;;) {
		uint64_t now = tw_clock_ns();
		int timeout = -1;

		if (deadline_ns && now >= deadline_ns)
			return -ETIMEDOUT;
		if (deadline_ns)
			timeout = (int)((deadline_ns - now) / NS_PER_MS) + 1;
		if (poll(fds, 2, timeout) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			return -ECANCELED;
		if (fds[0].revents)
			return 0;
	}
}

/* ---- TLS ---- */

static ssize_t push_bytes(gnutls_transport_ptr_t arg, const void *bytes, size_t len)
{
	struct tw_outlet *outlet = arg;
	ssize_t n = send(outlet->fd, bytes, len, MSG_NOSIGNAL);

	if (n < 0)
		gnutls_transport_set_errno(outlet->session, errno);
	else
		outlet->written += (uint64_t)n;
	return n;
}

static int load_file(struct tw_err *err, const char *path, int code)
{
	if (code >= 0)
		return 0;
	return tw_err_set(err, -EKEYREJECTED, path, "name a readable PEM file",
		"cannot be used: %s", gnutls_strerror(code));
}

static int load_credentials(const struct tw_outlet_setup *setup,
	gnutls_certificate_credentials_t *ret, struct tw_err *err)
{
	int code;

	if (gnutls_certificate_allocate_credentials(ret) < 0)
		return tw_err_set(err, -ENOMEM, setup->where, NULL, "out of memory");
	code = gnutls_certificate_set_x509_trust_file(*ret, setup->ca, GNUTLS_X509_FMT_PEM);
	code = load_file(err, setup->ca, code ? code : GNUTLS_E_NO_CERTIFICATE_FOUND);
	if (!code && setup->cert)
		code = load_file(err, setup->cert,
			gnutls_certificate_set_x509_key_file(
				*ret, setup->cert, setup->key, GNUTLS_X509_FMT_PEM));
	return code;
}

int tw_outlet_check(const struct tw_outlet_setup *setup, struct tw_err *err)
{
	gnutls_certificate_credentials_t credentials = NULL;
	int code = setup->kind == TW_OUTLET_TLS ? load_credentials(setup, &credentials, err) : 0;

	if (credentials)
		gnutls_certificate_free_credentials(credentials);
	return code;
}

/* Names the host that the certificate must be for. GnuTLS does not copy what it is given. */
static int expect_host(struct tw_outlet *outlet)
{
	static unsigned char purpose[] = GNUTLS_KP_TLS_WWW_SERVER;
	unsigned char address[sizeof(struct in6_addr)];
	const char *host = outlet->host;

	if (!tw_address_host(outlet->setup.where, outlet->host))
		return GNUTLS_E_INVALID_REQUEST;
	if (inet_pton(AF_INET, host, address) != 1 && inet_pton(AF_INET6, host, address) != 1 &&
		gnutls_server_name_set(outlet->session, GNUTLS_NAME_DNS, host, strlen(host)) < 0)
		return GNUTLS_E_MEMORY_ERROR;
	outlet->wanted[0] = (gnutls_typed_vdata_st){
		.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)outlet->host};
	outlet->wanted[1] = (gnutls_typed_vdata_st){
		.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = purpose};
	gnutls_session_set_verify_cert2(outlet->session, outlet->wanted, 2, 0);
	return 0;
}

static int explain_failure(struct tw_outlet *outlet, int code, struct tw_err *err)
{
	gnutls_datum_t text = {0};
	unsigned int status = gnutls_session_get_verify_cert_status(outlet->session);

	if (code != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR ||
		gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
		return tw_err_set(err, -EPROTO, outlet->setup.where, NULL, "TLS: %s%s%s",
			gnutls_strerror(code), code == GNUTLS_E_FATAL_ALERT_RECEIVED ? " " : "",
			code == GNUTLS_E_FATAL_ALERT_RECEIVED
				? gnutls_alert_get_name(gnutls_alert_get(outlet->session))
				: "");
	tw_err_set(err, -EKEYREJECTED, outlet->setup.where, NULL, "its certificate is refused: %s",
		text.data);
	gnutls_free(text.data);
	return -EKEYREJECTED;
}

static int shake_hands(struct tw_outlet *outlet, uint64_t deadline_ns, struct tw_err *err)
{
	int code = 0, result;

	do {
		result = gnutls_handshake(outlet->session);
		if (result == GNUTLS_E_AGAIN)
			code = wait_for(outlet,
				gnutls_record_get_direction(outlet->session) ? POLLOUT : POLLIN,
				deadline_ns);
	} while (!code && result < 0 && !gnutls_error_is_fatal(result));
	if (code < 0)
		return tw_err_set(
			err, code, outlet->setup.where, NULL, "TLS handshake: %s", strerror(-code));
	if (result < 0)
		return explain_failure(outlet, result, err);
	outlet->shaken = true;
	return 0;
}

static int begin_tls(struct tw_outlet *outlet, uint64_t deadline_ns, struct tw_err *err)
{
	int code = load_credentials(&outlet->setup, &outlet->credentials, err);

	if (code < 0)
		return code;
	code = gnutls_init(&outlet->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	if (!code)
		code = gnutls_priority_set_direct(outlet->session, PRIORITIES, NULL);
	if (!code)
		code = gnutls_credentials_set(
			outlet->session, GNUTLS_CRD_CERTIFICATE, outlet->credentials);
	if (!code)
		code = expect_host(outlet);
	if (code < 0)
		return tw_err_set(
			err, -EPROTO, outlet->setup.where, NULL, "TLS: %s", gnutls_strerror(code));
	gnutls_handshake_set_max_packet_length(outlet->session, HANDSHAKE_MAX);
	gnutls_handshake_set_timeout(outlet->session, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_transport_set_ptr2(
		outlet->session, (gnutls_transport_ptr_t)(intptr_t)outlet->fd, outlet);
	gnutls_transport_set_push_function(outlet->session, push_bytes);
	return shake_hands(outlet, deadline_ns, err);
}

/* ---- opening ---- */

static int open_socket(struct tw_outlet *outlet, const struct addrinfo *at, uint64_t deadline_ns,
	struct tw_err *err)
{
	bool udp = outlet->setup.kind == TW_OUTLET_UDP;
	const int on = 1, keepalive = KEEPALIVE_S, unacked = UNACKED_MS;
	int code = 0;
	socklen_t len = sizeof(code);

	outlet->fd = socket(
		at->ai_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (outlet->fd < 0)
		code = -errno;
	if (!code && !udp) {
		setsockopt(outlet->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(outlet->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		setsockopt(outlet->fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive, sizeof(keepalive));
		setsockopt(outlet->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
	}
	if (!code && connect(outlet->fd, at->ai_addr, at->ai_addrlen) < 0)
		code = errno == EINPROGRESS ? wait_for(outlet, POLLOUT, deadline_ns) : -errno;
	if (!code && !udp && getsockopt(outlet->fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0)
		code = -code;
	if (code < 0)
		tw_err_set(err, code, outlet->setup.where, NULL, "%s", strerror(-code));
	return code;
}

int tw_outlet_open(const struct tw_outlet_setup *setup, struct tw_outlet **ret, struct tw_err *err)
{
	uint64_t deadline_ns = tw_clock_ns() + TW_OUTLET_OPEN_NS;
	struct tw_outlet *outlet = tw_alloc(sizeof(*outlet));
	struct addrinfo *found = NULL;
	int code;

	if (!outlet)
		return tw_err_set(err, -ENOMEM, setup->where, NULL, "out of memory");
	outlet->setup = *setup;
	outlet->fd = -1;
	code = tw_address_resolve(setup->where, 0, &found);
	if (code < 0)
		tw_err_set(err, code, setup->where, NULL, "cannot find this host");
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		if (outlet->fd >= 0)
			close(outlet->fd);
		code = open_socket(outlet, at, deadline_ns, err);
		if (!code || code == -ECANCELED)
			break;
	}
	if (found)
		freeaddrinfo(found);
	if (!code && setup->kind == TW_OUTLET_TLS)
		code = begin_tls(outlet, deadline_ns, err);
	if (code < 0)
		tw_outlet_close(outlet);
	else
		*ret = outlet;
	return code;
}

void tw_outlet_close(struct tw_outlet *outlet)
{
	if (!outlet)
		return;
	if (outlet->shaken)
		gnutls_bye(outlet->session, GNUTLS_SHUT_WR);
	if (outlet->session)
		gnutls_deinit(outlet->session);
	if (outlet->credentials)
		gnutls_certificate_free_credentials(outlet->credentials);
	if (outlet->fd >= 0)
		close(outlet->fd);
	free(outlet);
}

/* ---- using it ---- */

int tw_outlet_fd(const struct tw_outlet *outlet)
{
	return outlet->fd;
}

static int write_tls(struct tw_outlet *outlet, const unsigned char *bytes, size_t len)
{
	while (len) {
		ssize_t n = gnutls_record_send(outlet->session, bytes, len);
		int code = 0;

		if (n == GNUTLS_E_AGAIN)
			code = wait_for(outlet, POLLOUT, 0);
		else if (n < 0 && gnutls_error_is_fatal((int)n))
			code = -EPIPE;
		if (code < 0)
			return code;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int tw_outlet_write(struct tw_outlet *outlet, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	if (outlet->session)
		return write_tls(outlet, at, len);
	while (len) {
		ssize_t n = send(outlet->fd, at, len, MSG_NOSIGNAL);
		int code = n >= 0 ? 0 : errno == EAGAIN ? wait_for(outlet, POLLOUT, 0) : -errno;

		if (code < 0 && code != -EINTR)
			return code;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
			outlet->written += (uint64_t)n;
		}
	}
	return 0;
}

int tw_outlet_look(struct tw_outlet *outlet)
{
	unsigned char input[2048];
	int code = 0;
	socklen_t len = sizeof(code);

	/* A host refuses datagrams by ICMP. */
	if (outlet->setup.kind == TW_OUTLET_UDP)
		return getsockopt(outlet->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 ? -errno
										     : -code;

	/* A bound, because a server that sends without end must not stop the sender. */
	for (int i = 0; i < INPUT_READS_MAX; i++) {
		ssize_t n = outlet->session
				    ? gnutls_record_recv(outlet->session, input, sizeof(input))
				    : recv(outlet->fd, input, sizeof(input), 0);

		if (n > 0)
			continue;
		if (!outlet->session)
			code = n == 0 ? -EPIPE : errno == EAGAIN || errno == EINTR ? 0 : -errno;
		else
			code = n == 0 || gnutls_error_is_fatal((int)n) ? -EPIPE : 0;
		break;
	}
	return code;
}

uint64_t tw_outlet_written(const struct tw_outlet *outlet)
{
	return outlet->written;
}

uint64_t tw_outlet_acked(const struct tw_outlet *outlet)
{
	int unacked = 0;

	if (outlet->setup.kind == TW_OUTLET_UDP || ioctl(outlet->fd, SIOCOUTQ, &unacked) < 0)
		return outlet->written;
	return outlet->written - (uint64_t)unacked;
}
