/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* offload.h: work on a frame that its sender left to the kernel.
 *
 * Callers:    types.h, which includes it.
 */
#pragma once

#include <linux/types.h>

/* SKB_GSO_* of include/linux/skbuff.h. */
#define TW_GSO_TCPV4	      (1u << 0)
#define TW_GSO_DODGY	      (1u << 1) /* requested by a guest */
#define TW_GSO_TCPV6	      (1u << 4)
#define TW_GSO_GRE	      (1u << 6)
#define TW_GSO_GRE_CSUM	      (1u << 7)
#define TW_GSO_IPXIP4	      (1u << 8)
#define TW_GSO_IPXIP6	      (1u << 9)
#define TW_GSO_UDP_TUNNEL     (1u << 10)
#define TW_GSO_UDP_TUNNEL_SUM (1u << 11)
#define TW_GSO_REMCSUM	      (1u << 13)
#define TW_GSO_SCTP	      (1u << 14)
#define TW_GSO_ESP	      (1u << 15)
#define TW_GSO_UDP_L4	      (1u << 17)

/* State of a frame's checksum: CHECKSUM_* of include/linux/skbuff.h. */
enum tw_summed {
	TW_SUMMED_NOT,	    /* nothing is known */
	TW_SUMMED_CHECKED,  /* a NIC has verified the checksum */
	TW_SUMMED_COMPLETE, /* a NIC has computed the frame's sum */
	TW_SUMMED_PARTIAL   /* the checksum is still to be completed */
};

/* Work on a frame that its sender left to the kernel after the programs. */
struct tw_offload {
	__u8 summed; /* enum tw_summed */
	__u8 pad;
	__u16 csum_start;  /* frame offset from which bytes are summed */
	__u16 csum_offset; /* offset of the checksum from there */
	__u16 inner;	   /* frame offset of the packet in a UDP tunnel */
	__u32 gso_type;	   /* TW_GSO_*; 0: not known, or not segmented */
};
