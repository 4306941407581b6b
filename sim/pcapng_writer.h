/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* pcapng_writer.h: writes packets with comments as pcapng.
 *
 * Why:        libpcap of Debian 12 cannot write pcapng, and pcap cannot hold comments.
 * Invariants: the file always ends with a complete block, so it can be read while it grows and
 *             after its writer was killed.
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
	const char *interface;	 /* interface name; described in the file at its first packet */
	const char *description; /* description of the interface, used at its first packet */
	enum tw_dir dir;	 /* seen from the workload: out is outbound, in inbound */
	const char *comment;
	const char
		*gap; /* a second comment, about what is missing before this packet; NULL: none */
	const uint8_t *data;
	uint32_t len;
	uint32_t wire_len;
	uint64_t lost; /* number of packets lost before this one */
};

/* Begins a section on `fd`, which the caller keeps open and closes. `place` is its name for
 * errors, `snap_len` that of every interface. Returns 0, or a negative errno with `err` filled. */
int tw_pcapng_writer_new(int fd, const char *place, uint32_t snap_len,
	struct tw_pcapng_writer **ret, struct tw_err *err);
void tw_pcapng_writer_free(struct tw_pcapng_writer *writer); /* writes nothing; NULL is fine */
TW_DEFINE_AUTO(tw_pcapng_writer)

/* Adds a packet, which the next flush writes; a full buffer is written at once. Returns 0, or a
 * negative errno with `err` filled, after which the writer must not be used. */
int tw_pcapng_writer_add(
	struct tw_pcapng_writer *writer, const struct tw_pcapng_note *note, struct tw_err *err);
int tw_pcapng_writer_flush(struct tw_pcapng_writer *writer, struct tw_err *err);
