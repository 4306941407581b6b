/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOST_MAX TW_ADDRESS_HOST_MAX
#define VSOCK	 "vsock:"

/* Splits HOST:PORT. False if the address is malformed. */
static bool split_address(const char *where, char host[HOST_MAX], const char **ret_port)
{
	const char *colon = strrchr(where, ':');
	bool brackets = where[0] == '[';
	size_t len;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	len = (size_t)(colon - where);
	if (brackets && (len < 3 || colon[-1] != ']'))
		return false;
	if (brackets) {
		where++;
		len -= 2;
	}
	if (!len || len >= HOST_MAX || (!brackets && memchr(where, ':', len)))
		return false;
	memcpy(host, where, len);
	host[len] = '\0';
	*ret_port = colon + 1;
	return true;
}

bool tw_address_host(const char *where, char ret[TW_ADDRESS_HOST_MAX])
{
	const char *port;

	return split_address(where, ret, &port);
}

bool tw_address_is_valid(const char *where)
{
	char host[HOST_MAX];
	const char *port;

	return split_address(where, host, &port);
}

int tw_address_resolve(const char *where, int flags, struct addrinfo **ret)
{
	const struct addrinfo hints = {
		.ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	char host[HOST_MAX];
	const char *port;

	if (!split_address(where, host, &port))
		return -EINVAL;
	switch (getaddrinfo(host, port, &hints, ret)) {
	case 0:
		return 0;
	case EAI_MEMORY:
		return -ENOMEM;
	default:
		return -EADDRNOTAVAIL;
	}
}

int tw_address_with_scheme(const char *text, char *ret, size_t max)
{
	bool is_vsock = !strncmp(text, VSOCK, strlen(VSOCK));
	int n = snprintf(ret, max, "%s%s", is_vsock ? "" : "tls:", text);

	return n < 0 || (size_t)n >= max ? -ENAMETOOLONG : 0;
}
