/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* image.h: a port's compiled policy for the fast path: tables in chunks of 16 KiB.
 *
 * For each direction, an image gives the decision of the first rule that matches (local address,
 * remote address, protocol and destination port, source port). It does not test rules one by one:
 * the number of loads depends little on the number of rules.
 *
 * Views:      the local address, which the guard knows, selects a view: the rules that can concern
 *             it. Most ports have one view for their own address of a family, and one for all other
 *             local addresses. View 0 is the fallback.
 * Maps:       a view maps the remote address, the key (protocol << 16 | destination port, or type
 *             << 8 | code for ICMP and ICMPv6) and the source port to classes: values that no rule
 *             of the view distinguishes share a class.
 * Cells:      the classes of key and source port together have a service class; a row for each
 *             remote class holds the decisions by service class (recursive flow classification; P.
 *             Gupta, N. McKeown, SIGCOMM 1999), in blocks, of which equal ones are kept once.
 * Groups:     members of groups are in a table of their own, `members`, so that joining a group
 *             changes no image. Each group in the view's rules has a row. Rows then hold ranks in
 *             order of match; the lowest rank of the remote class and of the remote address's
 *             groups decides.
 * Vectors:    the engine for views with too many cells, such as one with many local addresses. Each
 *             class is a bit vector over the view's entries in order of match; summaries skip
 *             stretches of zeros (T. Lakshman, D. Stiliadis, SIGCOMM 1998; F. Baboescu, G.
 *             Varghese, SIGCOMM 2001). The first bit set in all vectors decides.
 *
 * Layout:     everything is 32-bit words in host order; an offset counts words from the start.
 *             Structs below never cross a chunk; tables may. Word 0 is no valid offset. The order
 *             is: head, dir[TW_DIR_OUT], dir[TW_DIR_IN], views, then nodes and tables.
 *
 * Branches:   a map from a 64-bit number to a class is a tree. A branch is one word: with
 *             TW_IMAGE_LEAF the rest is the class, else it is the offset of a node. IPv6 addresses
 *             are looked up by their high half, and from a node with TW_NODE_LOW by their low half.
 *             IPv4 addresses, keys and ports are the number itself.
 */
#pragma once

#include "fastpath/abi/types.h"

#define TW_IMAGE_MAGIC	     0x54574933 /* "TWI3" */
#define TW_IMAGE_CHUNK_SHIFT 12		/* words */
#define TW_IMAGE_CHUNK_WORDS (1u << TW_IMAGE_CHUNK_SHIFT)
#define TW_IMAGE_CHUNK_BYTES (TW_IMAGE_CHUNK_WORDS * 4)
#define TW_IMAGE_CHUNKS_MAX  (1u << 14) /* 256 MiB */

#define TW_IMAGE_ENTRIES_MAX 131072 /* entries of one view */
#define TW_IMAGE_GROUP	     512    /* entries in a block of the vector engine */
#define TW_IMAGE_BLOCKS_MAX  (TW_IMAGE_ENTRIES_MAX / TW_IMAGE_GROUP)
#define TW_IMAGE_VIEWS_MAX   56 /* views in one direction, including view 0 */

struct tw_image_chunk {
	__u32 w[TW_IMAGE_CHUNK_WORDS];
};

struct tw_image_head {
	__u32 magic;
	__u32 n_words;
	__u32 pad[14];
};

/* Caller's knowledge of the local address, which is the port's end of a connection. */
#define TW_LOCAL_OTHER 0 /* look it up */
#define TW_LOCAL_OWN   1 /* an address of the port, from struct tw_port */
#define TW_LOCAL_BROADCAST \
	2 /* broadcast address of a subnet around the port's first IPv4 address, plus host bits */
#define TW_LOCAL_BITS_MAX 24 /* the largest subnet considered is a /8 */

#define TW_LOCAL__MAX (TW_LOCAL_BROADCAST + TW_LOCAL_BITS_MAX + 1)

struct tw_image_dir {
	__u32 fallback;	 /* decision if no view, or no rule in it, matches */
	__u32 views;	 /* offset of the views, struct tw_image_view */
	__u32 n_views;	 /* numbers start at 0 */
	__u32 n_entries; /* entries of all views */
	__u32 own[2];	 /* view of the port's own IPv4, IPv6 addresses; 0: look it up */
	__u32 local[2];	 /* branches from other local addresses of a family to views */
	__u8 broadcast[TW_LOCAL_BITS_MAX + 8]; /* view by host bits, 0: look it up */
	__u32 pad[16];
};

enum tw_image_engine { TW_ENGINE_NONE, TW_ENGINE_CELLS, TW_ENGINE_VECTORS, TW_ENGINE__MAX };

enum tw_image_dim { TW_DIM_REMOTE, TW_DIM_LOCAL, TW_DIM_PROTO, TW_DIM_SPORT, TW_DIM__MAX };

/* Rows of words that are largely alike. A row is cut into blocks of 16; each distinct block is kept
 * once, as number n at blocks + 16 n. The numbers of a row's blocks are cut and kept in the same
 * way: these blocks are its spans. The row is a list of n_spans span numbers; if n_spans is 1, that
 * number names the row. Block 0 is all zeros. */
struct tw_image_rows {
	__u32 blocks;
	__u32 rows; /* [row * n_spans + span] */
	__u32 n_spans;
};

struct tw_image_view {
	__u32 engine;		   /* enum tw_image_engine; NONE: use the fallback */
	__u32 n_entries;	   /* rules times their services */
	__u32 branch[TW_DIM__MAX]; /* LOCAL: only for the vector engine */
	union {
		struct {
			__u32 n_sports; /* source port classes */
			__u32 services; /* [key class * n_sports + port class]; 0: key class */
			struct tw_image_rows rows; /* by remote class: decisions by service class */
			__u32 ranks;		   /* decisions by rank; 0: rows hold decisions */
			__u32 groups;	/* [group number]: 1 + its row; 0: no rule uses it */
			__u32 n_groups; /* highest group number */
			__u32 some;	/* row of the lowest rank of all groups */
		} cells;
		struct {
			__u32 entries;				/* decisions, in order of match */
			struct tw_image_rows rows[TW_DIM__MAX]; /* by class: bits of entries */
		} vectors;
	};
	__u32 pad[13];
};

#define TW_IMAGE_LEAF (1u << 31)

#define TW_BLOCK_SHIFT 4
#define TW_BLOCK_WORDS (1u << TW_BLOCK_SHIFT)

#define TW_NODE_LOW    0x100u /* from here on, the low half counts */
#define TW_NODE_SEARCH 0x200u /* keys instead of a table */
#define TW_NODE_SHIFT  0x3fu
#define TW_NODE_KEYS   8

/* Steps down a tree: the builder makes tables that take at least 8 bits each. */
#define TW_NODE_STEPS	 5	 /* for numbers below 2^32: four tables, and keys */
#define TW_NODE_STEPS_V6 (9 * 2) /* eight tables, and keys, for each half */

/* Branches of a node: numbers below `base` take `below`. With a table, number n takes table[(n -
 * base) >> shift], or `beyond` past its end. With keys, n takes the last key that is not above
 * it. */
struct tw_image_node {
	__u32 kind; /* TW_NODE_* */
	__u32 n;    /* entries of the table */
	__u32 below;
	__u32 beyond;
	__u64 base;  /* base of the table; = key[0] */
	__u32 table; /* offset */
	__u32 pad;
};

/* A node with keys; unused ones repeat the last. */
struct tw_image_search {
	struct tw_image_node node;
	__u64 key[TW_NODE_KEYS];
	__u32 to[TW_NODE_KEYS];
};

_Static_assert(sizeof(struct tw_image_head) == 64, "16 words");
_Static_assert(sizeof(struct tw_image_dir) == 128, "32 words");
_Static_assert(sizeof(struct tw_image_view) == 128, "32 words");
_Static_assert(sizeof(struct tw_image_node) == 32, "8 words");
_Static_assert(sizeof(struct tw_image_search) == 128, "32 words");
_Static_assert(96 + 2 * TW_IMAGE_VIEWS_MAX * 32 <= TW_IMAGE_CHUNK_WORDS,
	"head, directions and views are all in the first chunk");
