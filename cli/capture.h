/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.h: one captured frame, told in a line to people and to programs. */
#pragma once

#include "link/link.h"

/* A line of text on stdout. */
void tw_capture_print(const Tapwall__V1__CapturedFrame *frame);
/* One JSON object on stdout, without the frame's payload; an exit code. */
int tw_capture_print_json(const Tapwall__V1__CapturedFrame *frame);

#define TW_CAPTURE_COMMENT_MAX 512
/* The verdict and what led to it, for a capture file: "verdict=deny reason=policy rule=…". */
const char *tw_capture_comment(const Tapwall__V1__CapturedFrame *frame, char *text);
