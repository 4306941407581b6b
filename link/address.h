/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* address.h: TCP addresses as text, HOST:PORT. An IPv6 address is written in brackets. */
#pragma once

#include <netdb.h>
#include <stdbool.h>

/* True if the text has the form HOST:PORT with a decimal port. */
bool tw_address_is_valid(const char *where);
/* Resolves HOST:PORT for stream sockets. `flags` are AI_… of getaddrinfo(); with AI_NUMERICHOST it does
 * not block. The caller frees *ret with freeaddrinfo(). Returns 0, -EINVAL if the text is malformed,
 * -EADDRNOTAVAIL if there is no such host, or -ENOMEM. */
int tw_address_resolve(const char *where, int flags, struct addrinfo **ret);
