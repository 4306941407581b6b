/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* held.h: completes the copy of a held frame, so that it can be sent again.
 *
 * Why:        the copy has only the bytes of the frame. Its checksum may still have to be completed, and its VLAN
 *             tag may be stored outside the frame by the kernel.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/ask.h"

#define TW_HELD_MAX (TW_ASK_FRAME_MAX + 4) /* a frame and its tag */

/* Copies the frame of a question, asked->cap_len bytes at `data`, to `out`, completes its checksum and inserts its
 * tag. Returns the length, or 0 if the frame is too short to have its checksum. */
size_t tw_held_finish(const struct tw_asked *asked, const uint8_t *data, uint8_t out[TW_HELD_MAX]);
