/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.h: the paths as a capture, for hosts on which BPF may not be loaded. */
#pragma once

#include "demo/report/paths.h"

/* Writes the frames that trying the paths would put on the wire, 1 ms apart: for a path that is to
 * be answered the whole exchange, for others the first frame. `index_file` gets a line per frame:
 * its number and the id of its path. Without `guest`: the services that guests ask
 * for; with it: the frames made by hand in that guest. Speaks of errors on stderr. Returns an exit code. */
int tw_lab_capture_write(const struct tw_lab_paths *paths, const char *pcap_file,
	const char *index_file, const char *guest);
