/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* glance.h: reads a frame's addresses and protocol, to find its workloads and to print it.
 *
 * It decides nothing about the frame; the fast path parses frames on its own.
 * Invariants: accepts any bytes, and reads nothing outside data[0 … len).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/types.h"
#include "policy/policy.h"

#define TW_GLANCE_TEXT_MAX 160

/* Addresses are indexed by enum tw_dir: OUT is the source, IN the destination. */
struct tw_glance {
	uint8_t mac[TW_DIR__MAX][6];
	uint16_t type;	/* after VLAN tags and SNAP; 0 if the frame ends before it */
	uint16_t vlan;	/* id of the outermost tag; 0: none, or a priority tag */
	bool has_addrs; /* true if `addr` is set, from IP or from ARP's sender and target */
	struct tw_addr addr[TW_DIR__MAX];
	bool has_proto;
	uint8_t proto;
	bool has_ports; /* true if `port` is set or, for ICMP, type and code */
	uint16_t port[TW_DIR__MAX];
	uint16_t icmp_type;
	uint8_t tcp_flags;   /* 0: none, or not TCP */
	uint32_t tcp_seq;    /* host order; valid if has_payload, for TCP */
	bool has_payload;    /* the payload of TCP or UDP begins inside the frame, or is empty */
	size_t payload_at;   /* offset in the frame */
	size_t payload_here; /* bytes of it that are in the frame; a capture may cut it */
	size_t payload_len;  /* bytes that the headers claim; a first fragment has less */
};

void tw_glance_read(const uint8_t *data, size_t len, struct tw_glance *ret);

/* Finds the vNIC of each end, by MAC or else by address. NULL if the policy has none. */
void tw_glance_ends(const struct tw_glance *glance, const struct tw_policy *policy,
	const struct tw_vnic *ret[TW_DIR__MAX]);

/* Writes "tcp 10.0.0.1:1234 → 10.0.0.2:80", with the given arrow, to `text` of
 * TW_GLANCE_TEXT_MAX bytes. Returns `text`. */
const char *tw_glance_text(const struct tw_glance *glance, const char *arrow, char *text);
