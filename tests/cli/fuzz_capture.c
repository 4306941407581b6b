/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: any bytes as a capture file. Frames are complete, their times do not go back, and every
 * byte can be read. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/capture.h"
#include "sim/glance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check_frame(const struct tw_capture_frame *frame, uint64_t before_ns)
{
	char text[TW_GLANCE_TEXT_MAX];
	struct tw_glance glance;
	uint8_t *copy;

	require(frame->time_ns >= before_ns && frame->link);
	if (frame->unsupported) {
		require(!frame->data);
		return;
	}
	require(frame->len <= frame->max && frame->wire_len >= frame->len);
	/* A copy of exactly the frame's size, so that the sanitizer detects reads beyond it. */
	copy = malloc(frame->len ? frame->len : 1);
	require(copy != NULL);
	memcpy(copy, frame->data, frame->len);
	tw_glance_read(copy, frame->len, &glance);
	require(strlen(tw_glance_text(&glance, "->", text)) < TW_GLANCE_TEXT_MAX);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	tw_auto(tw_capture) struct tw_capture *capture = NULL;
	struct tw_capture_frame frame;
	struct tw_err err = {0};
	uint64_t before_ns = 0;
	int code = 0;
	FILE *file;

	if (!len)
		return 0;
	file = fmemopen((void *)data, len, "rb");
	require(file != NULL);
	if (tw_capture_take(file, "fuzz", &capture, &err) == 0)
		while ((code = tw_capture_next(capture, &frame, &err)) > 0) {
			check_frame(&frame, before_ns);
			before_ns = frame.time_ns;
		}
	require(!code || err.text[0]);
	return 0;
}
