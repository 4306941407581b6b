/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* vsock.c: TLS 1.3 over AF_VSOCK, between a virtual machine and its host, as a transport of stream.h.
 * An address is CID:PORT; a listener may leave CID: out. Both numbers are decimal. The host is CID 2.
 *
 * Why:        neither end needs a network interface or an IP address.
 * Invariants: 1. A CID does not identify a peer: every guest of a host can connect to the host's vsock ports.
 *                So both ends need certificates, as over TCP (tls.h).
 *             2. The peers of one CID count as one source. A guest cannot choose its CID.
 * Source:     vsock(7).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/cleanup.h"
#include "link/tls.h"

/* Reads a decimal number, and moves *at behind it. UINT32_MAX is refused, because it is a wildcard of the kernel.
 * False if there is no number, or it is too large. */
static bool read_number(const char **at, unsigned int *ret)
{
	size_t len = strspn(*at, "0123456789");
	unsigned long long number = strtoull(*at, NULL, 10);

	/* UINT32_MAX has ten digits. */
	if (!len || len > 10 || number >= UINT32_MAX)
		return false;
	*at += len;
	*ret = (unsigned int)number;
	return true;
}

/* Reads CID:PORT, or just PORT for a listener at each CID of this machine. */
static int address_of(const char *where, bool listens, struct sockaddr_vm *ret)
{
	*ret = (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY};
	if (!listens || strchr(where, ':'))
		if (!read_number(&where, &ret->svm_cid) || *where++ != ':')
			return -EINVAL;
	return read_number(&where, &ret->svm_port) && !*where ? 0 : -EINVAL;
}

static void write_where(struct tw_stream *stream, const struct sockaddr_vm *address)
{
	stream->source = address->svm_cid;
	snprintf(stream->where, sizeof(stream->where), "vsock:%u:%u", address->svm_cid,
		address->svm_port);
}

/* Explains why the kernel refused a connection at once. Returns a negative errno. */
static int fail_dial(int code, const struct sockaddr_vm *to, char *why)
{
	if (why && code == EAFNOSUPPORT)
		snprintf(why, TW_STREAM_WHY_MAX, "the kernel has no vsock; load its module vsock");
	else if (why && code == ENODEV)
		snprintf(why, TW_STREAM_WHY_MAX,
			"this machine has no vsock device that leads to CID %u", to->svm_cid);
	/* For the caller, EADDRNOTAVAIL means a host name that must be looked up. Here it means that no local port
	 * is free. */
	return code == EADDRNOTAVAIL ? -EADDRINUSE : -code;
}

static int vsock_dial(
	const char *where, const struct tw_dial_options *options, struct tw_stream **ret)
{
	struct sockaddr_vm to;
	struct tw_stream *stream;
	tw_autofd int fd = -1;
	int code = address_of(where, false, &to);

	if (code < 0)
		return code;
	if (!options->identity)
		return -EPROTONOSUPPORT;
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS))
		return fail_dial(errno, &to, options->why);
	code = tw_tls_new(
		&tw_vsock_transport, TW_TAKE_FD(fd), TW_TLS_DIALLED, options->identity, &stream);
	if (code < 0)
		return code;
	write_where(stream, &to);
	code = options->wait ? tw_tls_wait_open(&stream, options->why) : 0;
	if (!code)
		*ret = stream;
	return code;
}

static int vsock_listen(
	const char *where, const struct tw_listen_options *options, struct tw_stream **ret)
{
	struct sockaddr_vm at;
	tw_autofd int fd = -1;
	int code = address_of(where, true, &at);

	if (code < 0)
		return code;
	if (!options->identity)
		return -EPROTONOSUPPORT;
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		listen(fd, TW_TLS_BACKLOG) < 0)
		return -errno;
	return tw_tls_new(
		&tw_vsock_transport, TW_TAKE_FD(fd), TW_TLS_LISTENER, options->identity, ret);
}

static int vsock_accept(struct tw_stream *listener, struct tw_stream **ret)
{
	struct sockaddr_vm from = {0};
	socklen_t len = sizeof(from);
	int fd = accept4(
		listener->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int code;

	if (fd < 0)
		return -errno;
	code = tw_tls_new(&tw_vsock_transport, fd, TW_TLS_ACCEPTED, tw_tls_identity(listener), ret);
	if (!code)
		write_where(*ret, &from);
	return code;
}

const struct tw_transport tw_vsock_transport = {
	.scheme = "vsock",
	.dial = vsock_dial,
	.listen = vsock_listen,
	.accept = vsock_accept,
	.read = tw_tls_read,
	.write = tw_tls_write,
	.set_identity = tw_tls_set_identity,
	.set_timeout = tw_tls_set_timeout,
	.close = tw_tls_close,
};
