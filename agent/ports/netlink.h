/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* netlink.h: reports the kernel's changes of interfaces.
 *
 * Callers:    tw_netlink_open(), then tw_netlink_dump() for the existing interfaces, then
 *             tw_netlink_read() whenever the descriptor is readable. The subscription starts before
 *             the dump, so no change is missed.
 * Invariants: no change is missed if the socket overflows: tw_netlink_read() returns -ENOBUFS
 *             and the caller dumps again.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct tw_netlink;

/* One interface. If a message lacks a fact, its `has_` is false. */
struct tw_link {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	char kind[16]; /* "tun", "veth", "bridge", …; empty for hardware */
	uint8_t mac[6];
	bool has_mac;
	bool loopback;
	char above[16];	 /* kind of its master, such as "bridge" or "openvswitch" */
	uint32_t master; /* ifindex of its bridge or bond; 0: none */
	bool has_pvid;	 /* true if `pvid` is set */
	uint16_t pvid;	 /* VLAN of untagged frames, 0 = none */
	bool pvid_untagged;
	uint32_t mtu;
	bool has_bridge_port; /* true if bridge_state and isolated are set */
	uint8_t bridge_state; /* BR_STATE_… */
	bool isolated;
	bool has_filtering;
	bool filtering; /* for a bridge: VLAN filtering is on */
};

struct tw_netlink_handler {
	void (*changed)(
		void *arg, const struct tw_link *link); /* called for a new or changed interface */
	/* Called with a bridge's view of its port: ifindex, master, and the fields of has_pvid and
	 * has_bridge_port. */
	void (*port)(void *arg, const struct tw_link *link);
	/* Called when a bridge has learned a MAC. */
	void (*learned)(void *arg, const uint8_t mac[6], uint32_t bridge, uint32_t ifindex);
	/* Called when a bridge has forgotten a MAC that was behind `ifindex`. */
	void (*forgotten)(void *arg, const uint8_t mac[6], uint32_t ifindex);
	void (*gone)(void *arg, uint32_t ifindex);
	/* Called when a qdisc or filter of an interface was added or removed. */
	void (*hooks)(void *arg, uint32_t ifindex, bool went);
	void *arg;
};

int tw_netlink_open(const struct tw_netlink_handler *handler, struct tw_netlink **ret);
void tw_netlink_free(struct tw_netlink *netlink);
TW_DEFINE_AUTO(tw_netlink)
int tw_netlink_fd(const struct tw_netlink *netlink);

/* Reports every interface: first by `changed`, then by `port`, then by `learned`. Returns
 * -EAGAIN if interfaces changed during each attempt, so that some may be missing; the reported
 * ones exist. */
int tw_netlink_dump(struct tw_netlink *netlink);
/* Reports one interface by `changed`. Returns -ENODEV if it does not exist. */
int tw_netlink_ask(struct tw_netlink *netlink, uint32_t ifindex);
/* Reads pending messages without waiting. Returns 0, -ENOBUFS or another negative errno. */
int tw_netlink_read(struct tw_netlink *netlink);
