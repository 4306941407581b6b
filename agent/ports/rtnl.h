/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rtnl.h: the agent's requests to rtnetlink. Each waits for its answer, which the kernel sends at
 * once.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct tw_rtnl;

int tw_rtnl_open(struct tw_rtnl **ret);
void tw_rtnl_free(struct tw_rtnl *rtnl);
TW_DEFINE_AUTO(tw_rtnl)

/* Gets the interface group (`ip link … group`). Returns 0 or a negative errno. */
int tw_rtnl_get_group(struct tw_rtnl *rtnl, uint32_t ifindex, uint32_t *ret);
int tw_rtnl_set_group(struct tw_rtnl *rtnl, uint32_t ifindex, uint32_t group);

/* Gets the id of the XDP program at an interface, in any mode; 0: none. Returns 0 or a negative
 * errno. */
int tw_rtnl_get_xdp(struct tw_rtnl *rtnl, uint32_t ifindex, uint32_t *ret);

/* Asks a bridge which interface a MAC is behind. `vlan` 0 means without a VLAN. Returns -ENOENT if
 * the bridge does not know the MAC. */
int tw_rtnl_find_fdb(struct tw_rtnl *rtnl, uint32_t bridge, const uint8_t mac[6], uint16_t vlan,
	uint32_t *ret_ifindex);

/* Adds a bridge entry for a MAC behind its port. `vlan` 0 means without a VLAN. The entry does not
 * age, and is replaced if the bridge learns the MAC behind another port. */
int tw_rtnl_add_fdb(struct tw_rtnl *rtnl, uint32_t ifindex, const uint8_t mac[6], uint16_t vlan);
int tw_rtnl_remove_fdb(struct tw_rtnl *rtnl, uint32_t ifindex, const uint8_t mac[6], uint16_t vlan);
