/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* held.h: makes the copy of a frame whole, so that it can be sent again.
 *
 * Why:        a copy loses what travels beside a frame: a checksum that the sender left to be completed, and
 *             a tag that the kernel keeps outside the frame.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/ask.h"

#define TW_HELD_MAX (TW_ASK_FRAME_MAX + 4) /* a frame and its tag */

/* Writes the frame of a question, of asked->cap_len bytes at `data`, to `out`: its checksum complete, its tag
 * in place. Returns its length; 0 if its checksum is not within it. */
size_t tw_held_finish(const struct tw_asked *asked, const uint8_t *data, uint8_t out[TW_HELD_MAX]);
