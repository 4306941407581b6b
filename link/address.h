/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* address.h: addresses of the slow path as text. TCP: HOST:PORT, with an IPv6 address in brackets. */
#pragma once

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

/* Hints for an invalid address: of --slow-path, --connect or `tapwall enroll`, and of --listen. */
#define TW_ADDRESS_DIAL_HINT   "write HOST:PORT, [ADDRESS]:PORT for IPv6, or vsock:CID:PORT"
#define TW_ADDRESS_LISTEN_HINT "write ADDRESS:PORT, [ADDRESS]:PORT for IPv6, or vsock:PORT"

#define TW_ADDRESS_HOST_MAX 256

/* True if the text has the form HOST:PORT with a decimal port. */
bool tw_address_is_valid(const char *where);
/* Copies the host of HOST:PORT, without brackets. False if the text does not have that form. */
bool tw_address_host(const char *where, char ret[TW_ADDRESS_HOST_MAX]);
/* Resolves HOST:PORT for stream sockets. `flags` are AI_… of getaddrinfo(); with AI_NUMERICHOST it does
 * not block. The caller frees *ret with freeaddrinfo(). Returns 0, -EINVAL if the text is malformed,
 * -EADDRNOTAVAIL if there is no such host, or -ENOMEM. */
int tw_address_resolve(const char *where, int flags, struct addrinfo **ret);
/* Turns the address of a slow path, as a user gives it, into an address of stream.h. An address that
 * begins with `vsock:` is unchanged, and HOST:PORT gets the scheme of TLS over TCP. Returns 0, or
 * -ENAMETOOLONG if it does not fit into `max` bytes. */
int tw_address_with_scheme(const char *text, char *ret, size_t max);
