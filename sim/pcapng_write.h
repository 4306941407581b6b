/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* pcapng_write.h: writes packets with comments as pcapng.
 *
 * Why:        libpcap (of Debian 12) writes no pcapng, and pcap has no room for comments.
 * Invariants: what is written ends with a whole block at every moment, so that the file can be read
 *             while it grows and after its writer was killed.
 * Source:     draft-ietf-opsawg-pcapng.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "fastpath/abi/types.h"

struct tw_pcapng_writer;

struct tw_pcapng_note {
	uint64_t time_ns;	 /* since 1970 */
	const char *interface;	 /* its name; described in the file when it is first met */
	const char *description; /* of the interface, when it is */
	enum tw_dir dir;	 /* seen from the workload: out is outbound, in inbound */
	const char *comment;
	const uint8_t *data;
	uint32_t len;
	uint32_t wire_len;
	uint64_t lost; /* packets before this one that are missing */
};

/* Begins a section on `fd`, which the caller keeps open and closes; `place` is what errors name. 0,
 * or a negative errno with `err` filled. `snap_len` is that of every interface. */
int tw_pcapng_writer_new(int fd, const char *place, uint32_t snap_len,
	struct tw_pcapng_writer **ret, struct tw_err *err);
void tw_pcapng_writer_free(struct tw_pcapng_writer *writer); /* writes nothing; NULL is fine */
TW_DEFINE_AUTO(tw_pcapng_writer)

/* Adds a packet; it is written by the next flush, or at once when much waits. 0, or a negative
 * errno with `err` filled, after which the writer is of no use. */
int tw_pcapng_write(
	struct tw_pcapng_writer *writer, const struct tw_pcapng_note *note, struct tw_err *err);
int tw_pcapng_flush(struct tw_pcapng_writer *writer, struct tw_err *err);
