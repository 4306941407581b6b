/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* transports.c: the transports of the programs. The SDK has a table of its own (sdk/transports.c). */
#include "link/stream.h"

const struct tw_transport *const tw_stream_transports[] = {
#define TW_TRANSPORT(name) &tw_##name##_transport,
#include "link/transports.def"
#undef TW_TRANSPORT
	NULL,
};
