/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* frame.h: the first frame of a connection, as a guest's stack would send it.
 *
 * TCP is a SYN. ICMP and ICMPv6 carry the payload of their type, other protocols eight zero
 * bytes. Lengths and checksums are correct. If an end is not in the policy, or has no MAC there,
 * it gets a locally administered MAC.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/tuple.h"

#define TW_FRAME_MAX 128 /* limit of the bytes that tw_frame_build() writes */

/* Writes the frame to data[0 … TW_FRAME_MAX) and returns its length. */
size_t tw_frame_build(const struct tw_query *tuple, uint8_t *data);

/* Writes the MAC of an end: the group MAC of a multicast or broadcast destination, the vNIC's
 * MAC, or a made-up one. `vnic` may be NULL. */
void tw_frame_mac(
	enum tw_dir end, const struct tw_addr *addr, const struct tw_vnic *vnic, uint8_t mac[6]);
