/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* frame.h: builds valid and forged frames for the demo and the VM tests.
 *
 * Why:        a guest's own stack does not send forged frames.
 * Invariants: 1. Every frame ends with a token (TW_LAB_TOKEN and a number) that the far end looks
 *                for. It is inside the IP packet, because bridges cut off bytes after it. In ARP it
 *                is the target's hardware address.
 *             2. Checksums and lengths are always correct. Only identities are forged.
 * Source:     RFC 826, 791, 8200, 9293, 768, 4861, 2131.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/types.h"

#define TW_LAB_FRAME_MAX 512
#define TW_LAB_TOKEN	 "tapwall-lab:"
#define TW_LAB_TOKEN_LEN (sizeof(TW_LAB_TOKEN) - 1 + 4)

enum tw_lab_kind {
	TW_LAB_TCP,
	TW_LAB_UDP,
	TW_LAB_ECHO, /* ICMP or ICMPv6 echo request; sport is the identifier */
	TW_LAB_ECHO_REPLY,
	TW_LAB_ARP,	      /* gratuitous reply: `src` is at `src_mac` */
	TW_LAB_ND,	      /* unsolicited neighbour advertisement of `src` at `src_mac` */
	TW_LAB_ROUTER_ADVERT, /* from the link-local address of `src_mac` */
	TW_LAB_DHCP_OFFER,
	TW_LAB__MAX
};

/* Description of a frame. Addresses are both IPv4 (mapped) or both IPv6. */
struct tw_lab_spec {
	enum tw_lab_kind kind;
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
	struct tw_addr src;
	struct tw_addr dst;
	uint16_t sport;
	uint16_t dport;
	uint8_t tcp_flags; /* as in the header: SYN 0x02, ACK 0x10, … */
	uint32_t seq;
	uint32_t ack;
	bool plain;	 /* without the token */
	uint16_t number; /* number of the token */
};

struct tw_lab_frame {
	uint8_t data[TW_LAB_FRAME_MAX];
	size_t len;
};

/* Returns the name of a kind, as the plan and `probe send` write it. */
const char *tw_lab_kind_name(enum tw_lab_kind kind);

#define TW_LAB_FIN 0x01
#define TW_LAB_SYN 0x02
#define TW_LAB_RST 0x04
#define TW_LAB_ACK 0x10

/* Builds the frame. Never fails, because the largest kind fits. */
void tw_lab_frame_build(const struct tw_lab_spec *spec, struct tw_lab_frame *ret);

/* Returns the number of the token at the end of `data`, or -1. Trailing zero padding is ignored. */
int tw_lab_frame_token(const uint8_t *data, size_t len);
