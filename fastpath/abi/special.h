/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* special.h: flags of ports that are not ordinary. */
#pragma once

#include "fastpath/abi/types.h"

/* Flags of ports that also send frames of other hosts, so that a frame's source does not identify
 * the guest. */
#define TW_PORT_FOREIGN (TW_PORT_F_GUARD_ANY | TW_PORT_F_TRANSIT)
/* Flags of ports whose guests have addresses that the policy's text does not list. */
#define TW_PORT_LEARNS (TW_PORT_F_DHCP | TW_PORT_F_SLAAC)
/* Flags that keep a port off the express path and from being a destination of cut-through. A port
 * without any of them is ordinary. */
#define TW_PORT_SPECIAL (TW_PORT_FOREIGN | TW_PORT_F_UNCLAIMED)
