/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.h: the frames of a capture file, one after another, as Ethernet.
 *
 * What:       pcap through libpcap, pcapng through pcapng.h. Link layers that carry bare IP (raw,
 *             Linux cooked, BSD loopback) get an Ethernet header with zero MACs, for the caller to
 *             fill in.
 * Invariants: accepts any bytes; len <= max, wire_len >= len, and time never goes back.
 * Bounds:     one frame of at most 256 KiB in memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/err.h"

struct tw_capture;

struct tw_capture_frame {
	uint64_t time_ns; /* since 1970; never less than that of the previous frame */
	uint8_t *data;	  /* owned by the capture, valid until the next call; may be modified */
	size_t len;
	size_t wire_len;
	size_t max;
	bool made_up;	  /* the Ethernet header was added; its MACs are zero */
	bool unsupported; /* the link layer is not supported: data is NULL */
	const char *link; /* name of the link layer */
};

/* Opens a file ("-": stdin). Returns 0, or a negative errno with `err` filled; -EINVAL if it is
 * not a capture. */
int tw_capture_open(const char *path, struct tw_capture **ret, struct tw_err *err);
/* Reads an open file and takes ownership of it. `place` is its name for errors. Returns as
 * tw_capture_open() does. */
int tw_capture_take(FILE *file, const char *place, struct tw_capture **ret, struct tw_err *err);
void tw_capture_free(struct tw_capture *capture); /* NULL is fine */
TW_DEFINE_AUTO(tw_capture)

/* Reads the next frame. Returns 1, or 0 at the end, or a negative errno with `err` filled if the
 * rest of the file is broken. */
int tw_capture_next(struct tw_capture *capture, struct tw_capture_frame *ret, struct tw_err *err);
