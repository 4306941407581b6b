/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.h: one captured frame, printed as a line of text or of JSON. */
#pragma once

#include "link/link.h"

/* Prints a line of text to stdout. */
void tw_capture_print(const Tapwall__V1__CapturedFrame *frame);
/* Prints one JSON object without the frame's payload to stdout. Returns an exit code. */
int tw_capture_print_json(const Tapwall__V1__CapturedFrame *frame);

#define TW_CAPTURE_COMMENT_MAX 512
/* Writes the verdict and its cause for a capture file, "verdict=deny reason=policy rule=…", and
 * returns `text`. */
const char *tw_capture_comment(const Tapwall__V1__CapturedFrame *frame, char *text);
