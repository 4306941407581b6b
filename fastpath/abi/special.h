/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* special.h: ports whose guard and gate are not all there is to say about them. */
#pragma once

#include "fastpath/abi/types.h"

/* A port with one of these sends frames of other hosts, too: what it sends does not tell who is there. */
#define TW_PORT_FOREIGN (TW_PORT_F_GUARD_ANY | TW_PORT_F_TRANSIT)
/* A port with none of these is ordinary: its guard and its gate say all there is about it. */
#define TW_PORT_SPECIAL (TW_PORT_FOREIGN | TW_PORT_F_UNCLAIMED)
