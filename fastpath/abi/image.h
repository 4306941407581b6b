/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* image.h: a port's policy as the fast path reads it, in lines of 64 bytes.
 *
 * An image answers, for each direction, one question: which is the first entry that matches
 * (remote address, local address, protocol and destination port, source port)? Each dimension is a
 * sorted list of keys that cut its space into intervals; each interval belongs to a class; each
 * class is a bit vector over the entries. The first bit set in all four vectors is the answer, and
 * its decision word is in `entries`; no bit: the default. This is the bit-vector scheme of
 * Lakshman & Stiliadis (SIGCOMM 1998), exact and bounded: no rule is looked at one by one.
 *
 * Layout:     line 0  struct tw_image_head
 *             line 1  struct tw_image_dir for TW_DIR_OUT     line 2  for TW_DIR_IN
 *             rest    sections, each starting on a line of its own
 * A dimension's keys: addresses as two host-order __u64 (high, low), 4 a line; others as __u32, 16 a
 * line, sorted ascending, strictly; key[0] is 0, and interval i is [key[i], key[i+1]).
 * Its classes: one __u32 an interval, 16 a line, in the lines right after the keys.
 * Its vectors: class c has dir.vector_lines lines starting at vectors + c * vector_lines; entry e is
 * bit e % 64 of __u64 number e / 64.
 * Entries:     one decision word each (tw_decision()), 16 a line, in order of match.
 *
 * The protocol dimension's key is proto << 16 | destination port; ICMP and ICMPv6 put
 * type << 8 | code in the port's place, protocols without ports put 0. The source port dimension's
 * key is the source port in host order; 0 where there is none. Ports are those of the
 * connection's first packet. In TW_DIR_OUT local is the source, in TW_DIR_IN the destination.
 */
#pragma once

#include "fastpath/abi/types.h"

#define TW_IMAGE_MAGIC		    0x54574931 /* "TWI1" */
#define TW_IMAGE_LINE		    64
#define TW_IMAGE_ENTRIES_MAX	    8192 /* per direction */
#define TW_IMAGE_VECTOR_LINES_MAX   (TW_IMAGE_ENTRIES_MAX / 512)
#define TW_IMAGE_KEYS_MAX	    (1 << 17) /* per dimension */
#define TW_IMAGE_ADDR_KEYS_PER_LINE 4
#define TW_IMAGE_WORD_KEYS_PER_LINE 16

struct tw_image_line {
	union {
		__u64 d[8];
		__u32 w[16];
	};
};

struct tw_image_head {
	__u32 magic;
	__u32 n_lines;
	__u32 pad[14];
};

enum tw_image_dim { TW_DIM_REMOTE, TW_DIM_LOCAL, TW_DIM_PROTO, TW_DIM_SPORT, TW_DIM__MAX };

struct tw_image_dim_ref {
	__u32 keys;    /* first line */
	__u32 n_keys;  /* >= 1 */
	__u32 vectors; /* first line */
};

struct tw_image_dir {
	__u32 fallback;	    /* decision word when no entry matches */
	__u32 n_entries;    /* 0: always the fallback, and no sections */
	__u32 vector_lines; /* lines per vector: ceil(n_entries / 512) */
	__u32 entries;	    /* first line */
	struct tw_image_dim_ref dim[TW_DIM__MAX];
};

_Static_assert(sizeof(struct tw_image_line) == TW_IMAGE_LINE, "one line");
_Static_assert(sizeof(struct tw_image_head) == TW_IMAGE_LINE, "one line");
_Static_assert(sizeof(struct tw_image_dir) == TW_IMAGE_LINE, "one line");
