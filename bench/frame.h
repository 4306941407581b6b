/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* frame.h: frames of the two guests behind the taps.
 *
 * A frame is as sent by a virtio guest: a virtio header, then Ethernet, IPv4 and TCP or UDP. The
 * checksum field has only the pseudo-header's sum; a receiver that needs the checksum completes
 * it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/net.h"

#define TW_BENCH_ADDRESS_A 0x0a00000bu /* 10.0.0.11 */
#define TW_BENCH_ADDRESS_B 0x0a000015u /* 10.0.0.21 */
#define TW_BENCH_VNET_LEN  10	       /* struct virtio_net_hdr */
#define TW_BENCH_FRAME_MAX 65664
#define TW_BENCH_GSO_SIZE  1460
/* Longest IPv4 packet of whole segments: 44 of them. */
#define TW_BENCH_SUPER_LEN (54 + 44 * TW_BENCH_GSO_SIZE)

struct tw_bench_frame {
	size_t len; /* including the virtio header */
	uint8_t data[TW_BENCH_FRAME_MAX];
};

/* The fields of a frame. `len` counts from the Ethernet header. */
struct tw_bench_packet {
	enum tw_bench_end from;
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t sport;
	uint16_t dport;
	uint8_t flags; /* TH_*; only for TCP, as are seq, ack and gso_size */
	uint32_t seq;
	uint32_t ack;
	size_t len;
	uint16_t gso_size; /* 0: not a super-frame */
};

void tw_bench_frame_make(struct tw_bench_frame *frame, const struct tw_bench_packet *packet);
/* Completes the checksum, for paths on which nothing else does. */
void tw_bench_frame_finish(struct tw_bench_frame *frame);
/* True if a frame read from a tap (with virtio header) was sent by the benchmark, not by the
 * bridge. */
bool tw_bench_frame_is_ours(const uint8_t *data, size_t len);
