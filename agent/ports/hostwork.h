/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* hostwork.h: detects hooks of the host that see the frames passing its bridges.
 *
 * Why:        cut-through bypasses the bridge, and with it the hooks at the bridge and at the
 *             ingress of its ports: nftables of family bridge and netdev, br_netfilter, and tc's
 *             filters, policers and mirrors. If there are any, frames go through the bridge.
 * Invariants: 1. Only --forwarding cut-through! bypasses these hooks.
 *             2. Changes that netfilter reports take effect at once, others within TW_HOSTWORK_NS.
 * Callers:    the agent, in the network namespace of its ports.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tw_host;
struct nft_ctx;
struct mnl_socket;

#define TW_HOSTWORK_NS	2000000000ull
#define TW_HOSTWORK_WHY 96

struct tw_hostwork {
	struct nft_ctx *nft; /* NULL if the host has no nftables */
	struct mnl_socket *sock;
	uint64_t next_ns;	   /* time of the next check; 0: now */
	char why[TW_HOSTWORK_WHY]; /* why no frame is cut through; empty: cut-through is possible */
};

/* Opens nftables and rtnetlink. If one cannot be opened, it counts as absent. */
void tw_hostwork_init(struct tw_hostwork *work);
void tw_hostwork_done(struct tw_hostwork *work);

/* True with --forwarding cut-through, the only setting for which hooks are checked. */
bool tw_hostwork_counts(const struct tw_host *host);
/* True if tc has a filter, policer or mirror at the ingress of an interface. */
bool tw_hostwork_at(struct tw_hostwork *work, uint32_t ifindex);
/* Checks new ports, before anything may be cut through there. */
void tw_hostwork_meet(struct tw_host *host);
/* Checks all ports if a check is due. Ends cut-through where a hook was found, and allows it again
 * where none is left. True if the check was due. */
bool tw_hostwork_look(struct tw_host *host);
