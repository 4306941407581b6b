/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: any bytes as a capture file. Frames are complete, their times do not go back, and every
 * byte can be read. A payload is inside its frame, and a connection keeps its application. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "sim/apps.h"
#include "sim/capture.h"
#include "sim/glance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* Looks at the payload, twice: all frames of a protocol are one connection here, so that its streams get
 * all that is sent. */
static void check_payload(
	struct tw_apps *apps, const struct tw_glance *glance, const uint8_t *data, size_t len)
{
	const struct tw_key key = {.proto = glance->proto};
	enum tw_app app;

	if (!glance->has_payload)
		return;
	require(glance->payload_here <= glance->payload_len);
	require(glance->payload_at <= len && glance->payload_here <= len - glance->payload_at);
	app = tw_apps_see(apps, &key, false, glance, data);
	require(app < TW_APP__MAX && !app == !tw_app_name(app));
	require(!app || tw_apps_see(apps, &key, false, glance, data) == app);
}

static void check_frame(
	struct tw_apps *apps, const struct tw_capture_frame *frame, uint64_t before_ns)
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
	check_payload(apps, &glance, copy, frame->len);
	require(strlen(tw_glance_text(&glance, "->", text)) < TW_GLANCE_TEXT_MAX);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	tw_auto(tw_capture) struct tw_capture *capture = NULL;
	tw_auto(tw_apps) struct tw_apps *apps = NULL;
	struct tw_capture_frame frame;
	struct tw_err err = {0};
	uint64_t before_ns = 0;
	int code = 0;
	FILE *file;

	if (!len)
		return 0;
	file = fmemopen((void *)data, len, "rb");
	require(file != NULL);
	require(tw_apps_new(&apps, 4) == 0);
	if (tw_capture_take(file, "fuzz", &capture, &err) == 0)
		while ((code = tw_capture_next(capture, &frame, &err)) > 0) {
			check_frame(apps, &frame, before_ns);
			before_ns = frame.time_ns;
		}
	require(!code || err.text[0]);
	return 0;
}
