/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lease.h: addresses that a port's guest has from DHCP, or formed by SLAAC. */
#pragma once

#include "fastpath/abi/addr.h"

#define TW_LEASES_MAX	 4 /* leases of each family, for one port */
#define TW_LEASE_QUERIES 4 /* a power of 2 */
/* Addresses that one port's guest may form by SLAAC: as many as Linux forms on one interface
 * (net.ipv6.conf.*.max_addresses). */
#define TW_SLAAC_MAX	 16
#define TW_ANNOUNCED_MAX 8 /* prefixes in which one port's guest may form addresses */
#define TW_LEASE_SLOTS	 (2 * TW_LEASES_MAX + TW_SLAAC_MAX)

/* An address that a DHCP server gave to a port's guest, or that the guest formed by SLAAC. */
struct tw_lease {
	struct tw_addr addr;
	__u64 until_ns; /* monotonic; 0: none; all ones: for ever */
	__u32 serial;	/* changes whenever the address changes */
	__u32 known;	/* serial that the policy in force includes; its complement if the guest may
			 * not have the address; written by the agent */
	union {
		__be32 server; /* IPv4: address of the server, for renewals; 0: unknown */
		__u32 seen;    /* SLAAC: tick of the last use, accurate to a second */
	};
	__u32 restored; /* set by the agent: from an earlier boot; 0: a server has given it since */
};

/* A prefix of 64 bits in which a guest may form addresses. */
struct tw_announced {
	__be64 prefix;
	__u64 until_ns; /* end of its valid lifetime; 0: none; all ones: for ever */
};

/* A guest's question to a DHCP server. */
struct tw_lease_query {
	__be32 xid;
	__be32 about; /* IPv4 address asked for, or 0; DHCPv6: hash of the DUID */
	__u32 seen;   /* tick */
	__u32 family; /* 0: no query; 1: DHCP; 2: DHCPv6 */
};

/* Leases of one port. They outlive the agent, and end with the MAC. */
struct tw_leases {
	struct tw_lease at[2][TW_LEASES_MAX]; /* IPv4, IPv6 */
	struct tw_lease_query query[TW_LEASE_QUERIES];
	__u32 serial; /* last serial given */
	__u32 n_queries;
	__u8 mac[6];
	__u8 pad;
	__u8 named; /* 1: the policy names the prefixes, and router advertisements add none */
	struct tw_lease formed[TW_SLAAC_MAX];
	__u32 since[TW_SLAAC_MAX]; /* tick when each was formed */
	struct tw_announced announced[TW_ANNOUNCED_MAX];
};

/* Returns lease `i` of a port, below TW_LEASE_SLOTS: IPv4, IPv6, then SLAAC. */
static inline struct tw_lease *tw_lease_slot(struct tw_leases *leases, __u32 i)
{
	return i < 2 * TW_LEASES_MAX ? &leases->at[i / TW_LEASES_MAX][i % TW_LEASES_MAX]
				     : &leases->formed[(i - 2 * TW_LEASES_MAX) % TW_SLAAC_MAX];
}

_Static_assert(sizeof(struct tw_leases) == 1232, "leases value is pinned, and mapped by the agent");
