/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.h: one captured frame, printed as a line of text or of JSON. */
#pragma once

#include "link/link.h"

/* `gap_ns` is the time before the frame during which the agent was gone and frames were not captured; 0: none.
 * Prints a line of text to stdout. */
void tw_capture_print(const Tapwall__V1__CapturedFrame *frame, uint64_t gap_ns);
/* Prints one JSON object without the frame's payload to stdout. Returns an exit code. */
int tw_capture_print_json(const Tapwall__V1__CapturedFrame *frame, uint64_t gap_ns);

#define TW_CAPTURE_COMMENT_MAX 512
/* Writes the verdict and its cause for a capture file, "verdict=deny reason=policy rule=…", and
 * returns `text`. */
const char *tw_capture_comment(const Tapwall__V1__CapturedFrame *frame, char *text);

#define TW_CAPTURE_GAP_MAX 96
/* Writes what a gap means for the frames before it, and returns `text`, or NULL if there is no gap. */
const char *tw_capture_gap(uint64_t gap_ns, char *text);
