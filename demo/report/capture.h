/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.h: writes the frames of the paths as a capture, for hosts where BPF may not be loaded. */
#pragma once

#include "demo/report/paths.h"

/* Writes the frames of the paths, 1 ms apart: the whole exchange of a path that should be answered,
 * and the first frame of others. For each frame, `index_file` gets a line with its number and the
 * id of its path. If `guest` is NULL, these are the requests of all guests' own stacks; otherwise
 * the frames that this guest builds itself. Prints errors. Returns an exit code. */
int tw_lab_capture_write(const struct tw_lab_paths *paths, const char *pcap_file,
	const char *index_file, const char *guest);
