/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sockets.h: the sockets of traffic.c. What cannot be opened ends the process with exit code 2.
 *
 * Invariants: no socket drops data because its process waits for a CPU.
 */
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#define CONNECT_MS 3000

/* Returns a socket, SOCK_STREAM or SOCK_DGRAM, that receives at a port of all addresses. */
int listen_on(const char *port, int type);
/* Returns the numeric address. The caller frees it with freeaddrinfo(). */
struct addrinfo *resolve(const char *host, const char *port, int type);
/* Connects within CONNECT_MS. Returns the socket, or -1 with errno. */
int connect_to(const char *host, const char *port, int type);
/* Returns the number of segments lost on the way: the retransmitted ones, less those that the receiver
 * reported as duplicates (on a busy machine, senders retransmit too early). */
unsigned int losses(int fd);
