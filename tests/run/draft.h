/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* draft.h: frames for tests, described layer by layer and then built.
 *
 * Why:        tests of a firewall need frames that no proper network stack sends. Every header
 *             field (lengths, checksums, next header, MACs) has the correct value by default and
 *             can be set to any other.
 * Invariants: 1. The same description always gives the same bytes.
 *             2. A field that was set is written unchanged; defaults never replace it.
 * Callers:    the case players, tests/diff, tests/fuzz.
 * Source:     IEEE 802.3, 802.1Q; RFC 791, 792, 826, 768, 1042, 2131, 4302, 4443, 4861, 8200, 9293.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fastpath/abi/types.h"

#define TW_DRAFT_LAYERS_MAX 32
#define TW_DRAFT_BLOB_MAX   8192  /* literal bytes in one description */
#define TW_DRAFT_BYTES_MAX  70000 /* larger than any IP packet, smaller than super-frames can be */

enum tw_layer_kind {
	TW_L_ETH,
	TW_L_VLAN,
	TW_L_LLC,
	TW_L_SNAP,
	TW_L_ARP,
	TW_L_IP,
	TW_L_IP6,
	TW_L_EXT,  /* IPv6 hop-by-hop, destination options, routing and similar headers */
	TW_L_FRAG, /* IPv6 fragment header */
	TW_L_AH,
	TW_L_TCP,
	TW_L_UDP,
	TW_L_ICMP,
	TW_L_ICMP6, /* including neighbour discovery */
	TW_L_DHCP,
	TW_L_DHCP6,
	TW_L_DATA, /* literal bytes, followed by a pattern */
	TW_L__MAX
};

/* Fields of all layers. In each layer a field has the meaning of that name in the layer's
 * standard. */
enum tw_field {
	TW_F_TYPE, /* ethertype of ETH, VLAN, SNAP; message type of ICMP, DHCP; routing type of EXT */
	TW_F_CODE,
	TW_F_ID,
	TW_F_PCP,
	TW_F_DEI,
	TW_F_TPID,
	TW_F_DSAP,
	TW_F_SSAP,
	TW_F_CTL,
	TW_F_OUI,
	TW_F_VERSION,
	TW_F_IHL,
	TW_F_TOS,
	TW_F_FLOW,
	TW_F_LEN, /* the length field */
	TW_F_DF,
	TW_F_MF,
	TW_F_RF,    /* IPv4's reserved flag */
	TW_F_OFF,   /* fragment offset in bytes */
	TW_F_TTL,   /* TTL or hop limit */
	TW_F_PROTO, /* protocol or next header */
	TW_F_SUM,
	TW_F_SPORT,
	TW_F_DPORT,
	TW_F_SEQ,
	TW_F_ACK,
	TW_F_DOFF, /* TCP data offset, in words */
	TW_F_FLAGS,
	TW_F_WIN,
	TW_F_URG,
	TW_F_REST, /* the word after an ICMP checksum, for types without an identifier */
	TW_F_KIND, /* protocol number of an EXT */
	TW_F_SIZE, /* bytes of an EXT or DATA */
	TW_F_LEFT,
	TW_F_OP,
	TW_F_HTYPE,
	TW_F_PTYPE,
	TW_F_HLEN,
	TW_F_PLEN,
	TW_F_OPTLEN, /* length field of a neighbour discovery option */
	TW_F_XID,
	TW_F_LEASE, /* DHCP: option 51 */
	/* Fields that are not numbers; listed here so that `set` has a bit for them. */
	TW_F_A,	    /* source address, ARP sender, ND target, ciaddr */
	TW_F_B,	    /* destination address, ARP target, redirect destination */
	TW_F_MAC_A, /* source MAC, ARP sender, ND source option, DHCP chaddr */
	TW_F_MAC_B, /* destination MAC, ARP target, ND target option */
	TW_F_BLOB,  /* literal bytes: options of IP and TCP, DATA */
	TW_F__MAX
};

#define TW_TCP_FIN 0x01
#define TW_TCP_SYN 0x02
#define TW_TCP_RST 0x04
#define TW_TCP_PSH 0x08
#define TW_TCP_ACK 0x10
#define TW_TCP_URG 0x20
#define TW_TCP_ECE 0x40
#define TW_TCP_CWR 0x80

struct tw_layer {
	enum tw_layer_kind kind;
	uint64_t set; /* one bit per enum tw_field */
	uint32_t field[TW_F__MAX];
	struct tw_addr a;
	struct tw_addr b;
	uint8_t mac_a[6];
	uint8_t mac_b[6];
	size_t blob;
	size_t blob_len;
};

/* One end of the frame's path: the default values of header fields. */
struct tw_draft_end {
	bool has_mac;
	bool has_v4;
	bool has_v6;
	uint8_t mac[6];
	struct tw_addr v4;
	struct tw_addr v6;
};

struct tw_draft {
	struct tw_draft_end from;
	struct tw_draft_end to;
	struct tw_layer layer[TW_DRAFT_LAYERS_MAX];
	size_t n_layers;
	uint8_t blob[TW_DRAFT_BLOB_MAX];
	size_t blob_len;
	/* Properties of the frame that are not bytes in it. */
	size_t cut;	 /* truncate the frame to this length; 0: do not */
	size_t pad;	 /* pad the frame with zeros to this length */
	size_t wire_len; /* length on the wire if a capture truncated the frame; 0: complete */
	uint16_t gso_size;
	struct tw_offload offload;
	bool goes_on; /* keeps the metadata of the previous frame after its judgement */
	char via[32]; /* port where the frame entered the host; "": the host made it */
	uint32_t mark;
	bool has_outside_tag; /* a VLAN tag that the NIC removed from the frame */
	uint16_t outside_tag;
};

/* Adds a layer; NULL if there is no space. */
struct tw_layer *tw_draft_add(struct tw_draft *draft, enum tw_layer_kind kind);
void tw_layer_set(struct tw_layer *layer, enum tw_field field, uint32_t value);
void tw_layer_set_addr(struct tw_layer *layer, enum tw_field field, const struct tw_addr *addr);
void tw_layer_set_mac(struct tw_layer *layer, enum tw_field field, const uint8_t mac[6]);
/* Copies literal bytes into the frame's store; false if there is no space. */
bool tw_layer_set_blob(
	struct tw_draft *draft, struct tw_layer *layer, const uint8_t *bytes, size_t len);

static inline bool tw_layer_has(const struct tw_layer *layer, enum tw_field field)
{
	return layer->set >> field & 1;
}

static inline uint32_t tw_layer_get(
	const struct tw_layer *layer, enum tw_field field, uint32_t otherwise)
{
	return tw_layer_has(layer, field) ? layer->field[field] : otherwise;
}

/* Appends the frame's bytes to `out`. 0; -EINVAL if the frame would exceed TW_DRAFT_BYTES_MAX;
 * -ENOMEM. */
int tw_draft_build(const struct tw_draft *draft, struct tw_buf *out);
