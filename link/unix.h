/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* unix.h: Unix sockets as a transport of stream.h. */
#pragma once

#include "link/stream.h"

extern const struct tw_transport tw_unix_transport;
