/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* hostwork.h: what the host itself does with frames on their way through a bridge.
 *
 * Why:        cut-through passes by the bridge, and by what hangs there and at the ingress of its ports:
 *             nftables of family bridge and netdev, br_netfilter, filters, policers and mirrors of tc.
 *             Where there is any of it, frames go through the bridge.
 * Invariants: 1. Only --forwarding cut-through! passes by it.
 *             2. What netfilter tells of is heard at once, the rest within TW_HOSTWORK_NS.
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
	struct nft_ctx *nft; /* NULL: the host has no nftables */
	struct mnl_socket *sock;
	uint64_t next_ns;	   /* when the next look is due; 0: now */
	char why[TW_HOSTWORK_WHY]; /* no frame is cut through, in a few words; empty: no reason */
};

/* What cannot be opened is taken for absent. */
void tw_hostwork_init(struct tw_hostwork *work);
void tw_hostwork_done(struct tw_hostwork *work);

/* True if the agent looks at all: with --forwarding cut-through. */
bool tw_hostwork_counts(const struct tw_host *host);
/* True if a filter, policer or mirror of tc stands at the ingress of an interface. */
bool tw_hostwork_at(struct tw_hostwork *work, uint32_t ifindex);
/* Looks at ports that were not looked at yet: before anything may be cut through there. */
void tw_hostwork_meet(struct tw_host *host);
/* Looks, if it is due, and takes cut-through from the ports where something is found, or gives it back.
 * True if it was due. */
bool tw_hostwork_look(struct tw_host *host);
