/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* records.h: the encoding of frames with their times as bytes, for the fuzzer of the frame path and
 * its seeds.
 *
 * One record after another, each a head of TW_RECORD_HEAD bytes and then the frame:
 *
 *	byte 0     bits 0–2: port; bit 3: `in` rather than `out`; bit 4: continues to the next
 *	           port with its mark; bit 5: a tag outside the frame; bit 6: a super-frame;
 *	           bit 7: the policy changes before the frame
 *	byte 1     time before the frame: (low 6 bits) << (high 2 bits × 8) milliseconds
 *	bytes 2–3  length of the frame, big-endian; if it exceeds the rest of the input, the
 *	           frame is that rest
 */
#pragma once

#define TW_RECORD_HEAD	 4
#define TW_RECORD_PORT	 0x07
#define TW_RECORD_IN	 0x08
#define TW_RECORD_ON	 0x10
#define TW_RECORD_TAG	 0x20
#define TW_RECORD_SUPER	 0x40
#define TW_RECORD_POLICY 0x80
#define TW_RECORDS_MAX	 64 /* limit of records in one input */
