/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* transports.c: the transports of libtapwall. Programs reach agents on other hosts through the socket
 * of tapwall-slowd, so the library needs no TLS. */
#include "link/stream.h"

const struct tw_transport *const tw_stream_transports[] = {&tw_unix_transport, NULL};
