/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* pcapng.h: reads the packets of a pcapng file one by one.
 *
 * Why:        libpcap reads pcapng, but refuses files whose interfaces differ in snap length, link
 *             type or clock. Captures on several interfaces often make such files.
 * Invariants: accepts any bytes, and never reads beyond the data.
 * Bounds:     one packet of at most TW_PCAPNG_PACKET_MAX bytes and TW_PCAPNG_INTERFACES_MAX
 *             interfaces in memory; other blocks are skipped, whatever their size.
 * Source:     draft-ietf-opsawg-pcapng.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/err.h"

#define TW_PCAPNG_PACKET_MAX	 262144 /* as libpcap's MAXIMUM_SNAPLEN */
#define TW_PCAPNG_INTERFACES_MAX 65536
#define TW_PCAPNG_COMMENT_MAX	 1024

struct tw_pcapng;

struct tw_pcapng_packet {
	int link;	     /* LINKTYPE_… of its interface */
	uint64_t time_ns;    /* since 1970; 0 if the block has no time */
	const uint8_t *data; /* owned by the reader, valid until the next call */
	uint32_t len;
	uint32_t wire_len;
	const char *interface; /* name of the interface; "" if the file has none */
	const char *comment;   /* first comment, "" if none; cut at TW_PCAPNG_COMMENT_MAX */
	uint32_t flags;	       /* epb_flags: the low two bits are 1 inbound, 2 outbound */
	uint64_t lost;	       /* epb_dropcount */
};

/* Reads from `file`, which must begin with a section. The caller keeps the file open and closes
 * it. Returns 0 or -ENOMEM. */
int tw_pcapng_new(FILE *file, struct tw_pcapng **ret);
void tw_pcapng_free(struct tw_pcapng *reader); /* NULL is fine */
TW_DEFINE_AUTO(tw_pcapng)

/* Reads the next packet. Returns 1, or 0 at the end, or a negative errno with `err` filled if the
 * rest of the file is broken. */
int tw_pcapng_next(struct tw_pcapng *reader, struct tw_pcapng_packet *ret, struct tw_err *err);
