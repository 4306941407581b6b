/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* netlink.h: what the kernel says about interfaces, as it happens.
 *
 * Callers:    tw_netlink_open(), then tw_netlink_dump() for what is there already, then
 *             tw_netlink_read() whenever the descriptor is readable. Subscribed before the dump,
 *             so nothing falls between.
 * Invariants: a change that the socket could not hold is not lost: tw_netlink_read() says
 *             -ENOBUFS and the caller dumps again.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct tw_netlink;

/* One interface. Facts that a message did not carry keep their `has_` false. */
struct tw_link {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	char kind[16]; /* "tun", "veth", "bridge", …; empty for hardware */
	uint8_t mac[6];
	bool has_mac;
	bool loopback;
	char above[16];	 /* kind of its master: "bridge", "openvswitch", … */
	uint32_t master; /* bridge or bond it belongs to, 0 = none */
	bool has_pvid;	 /* a message about VLANs of a bridge port */
	uint16_t pvid;	 /* VLAN of untagged frames, 0 = none */
	bool pvid_untagged;
	uint32_t mtu;
	bool has_bridge_port; /* the two below are known */
	uint8_t bridge_state; /* BR_STATE_… */
	bool isolated;
	bool has_filtering;
	bool filtering; /* of a bridge: it tells VLANs apart */
};

struct tw_netlink_handler {
	void (*changed)(void *arg, const struct tw_link *link); /* new, or something changed */
	/* A bridge's view of its port: ifindex, master, and what has_pvid and has_bridge_port say. */
	void (*port)(void *arg, const struct tw_link *link);
	/* A bridge has learned where a MAC is. */
	void (*learned)(void *arg, const uint8_t mac[6], uint32_t bridge, uint32_t ifindex);
	/* A bridge no longer knows where a MAC is; it was behind this port. */
	void (*forgotten)(void *arg, const uint8_t mac[6], uint32_t ifindex);
	void (*gone)(void *arg, uint32_t ifindex);
	/* A qdisc or a filter of an interface came or went. */
	void (*hooks)(void *arg, uint32_t ifindex, bool went);
	void *arg;
};

int tw_netlink_open(const struct tw_netlink_handler *handler, struct tw_netlink **ret);
void tw_netlink_free(struct tw_netlink *netlink);
TW_DEFINE_AUTO(tw_netlink)
int tw_netlink_fd(const struct tw_netlink *netlink);

/* Tells of every interface there is: first all of `changed`, then all of `port`, then
 * all of `learned`. -EAGAIN when they changed meanwhile each time, so that some may have been left out;
 * the interfaces that were reported exist. */
int tw_netlink_dump(struct tw_netlink *netlink);
/* Tells of one interface by `changed`; -ENODEV if there is none. */
int tw_netlink_ask(struct tw_netlink *netlink, uint32_t ifindex);
/* Takes what has come, without waiting; 0, -ENOBUFS, or another negative errno. */
int tw_netlink_read(struct tw_netlink *netlink);
