/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/stream.h"

#include <errno.h>
#include <string.h>

/* Finds the transport of an address and the part behind its scheme. As a path may contain colons, a
 * scheme is only lower-case letters and digits before the first one. */
static const struct tw_transport *find_transport(const char *address, const char **ret_where)
{
	size_t len = strspn(address, "abcdefghijklmnopqrstuvwxyz0123456789");

	*ret_where = address;
	if (!len || address[len] != ':')
		return tw_stream_transports[0];
	for (const struct tw_transport *const *at = tw_stream_transports; *at; at++)
		if (strlen((*at)->scheme) == len && !memcmp((*at)->scheme, address, len)) {
			*ret_where = address + len + 1;
			return *at;
		}
	return NULL;
}

int tw_stream_dial(const struct tw_dial_options *options, struct tw_stream **ret)
{
	const char *where;
	const struct tw_transport *transport = find_transport(options->address, &where);

	return transport ? transport->dial(where, options, ret) : -EPROTONOSUPPORT;
}

int tw_stream_listen(const struct tw_listen_options *options, struct tw_stream **ret)
{
	const char *where;
	const struct tw_transport *transport = find_transport(options->address, &where);

	return transport ? transport->listen(where, options, ret) : -EPROTONOSUPPORT;
}

void tw_stream_set_identity(struct tw_stream *listener, struct tw_identity *identity)
{
	if (listener->transport->set_identity)
		listener->transport->set_identity(listener, identity);
}

int tw_stream_accept(struct tw_stream *listener, struct tw_stream **ret)
{
	return listener->transport->accept(listener, ret);
}

ssize_t tw_stream_read(struct tw_stream *stream, void *bytes, size_t max, bool wait)
{
	return stream->transport->read(stream, bytes, max, wait);
}

ssize_t tw_stream_write(struct tw_stream *stream, const void *bytes, size_t len, bool wait)
{
	return stream->transport->write(stream, bytes, len, wait);
}

int tw_stream_set_timeout(struct tw_stream *stream, unsigned int seconds)
{
	return stream->transport->set_timeout(stream, seconds);
}

void tw_stream_close(struct tw_stream *stream)
{
	if (stream)
		stream->transport->close(stream);
}
