/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* classify.h: finds the first rule of a port's image that matches a connection.
 *
 * Why:        the cost must not depend on the number of rules, and the result must be exact. The
 *             image (abi/image.h) maps each field to a class, and the classes together to the
 *             decision.
 * In:         the connection's tuple in its original direction, and the end to decide for.
 * Out:        a decision word; 0 if the image is inconsistent.
 * Bounds:     4 trees of TW_NODE_STEPS steps, usually 1 to 3 each. Then, for cells, 4 loads. If
 *             rules name groups, 3 more tell whether any group matters; then one lookup of the
 *             remote address, 4 loads for each of its groups, and one for the decision. For
 *             vectors, a loop over TW_IMAGE_BLOCKS_MAX blocks of 512 entries that skips blocks of
 *             zeros. If images are not flat (port.h), a load beyond the first chunk is a map
 *             lookup.
 * Source:     P. Gupta, N. McKeown, SIGCOMM 1999; F. Baboescu, G. Varghese, SIGCOMM 2001.
 */
#pragma once

#include "fastpath/path/packet.h"

/* Input of a classification: a connection's tuple, seen from the end to decide for. */
struct tw_question {
	const struct tw_tuple *tuple;
	const struct tw_addr *local;
	const struct tw_addr *remote;
	__u32 code;   /* TW_LOCAL_* of `local` */
	__u32 key;    /* protocol and port, as in abi/image.h */
	__u32 parity; /* parity of the image's epoch */
};

tw_inline int tw_is_icmp(const struct tw_tuple *t)
{
	return t->proto == TW_IPPROTO_ICMP || t->proto == TW_IPPROTO_ICMPV6;
}

/* True if the word at an offset is read by its address. Words of the first chunk never are. */
tw_inline int tw_is_far(const struct tw_frame *f, __u32 at)
{
	return tw_image_flat(f) && at >= TW_IMAGE_CHUNK_WORDS;
}

tw_inline const struct tw_image_chunk *tw_chunk(
	const struct tw_frame *f, const struct tw_image_ref *ref, __u32 at)
{
	return at < TW_IMAGE_CHUNK_WORDS
		       ? ref->first
		       : tw_image_chunk(f, ref->image, at >> TW_IMAGE_CHUNK_SHIFT);
}

/* Returns the word at an offset of a flat image; 0 beyond its end. */
tw_inline __u32 tw_far_word(const struct tw_frame *f, const struct tw_image_ref *ref, __u32 at)
{
	__u32 word = at < ref->n_words ? *tw_image_words(f, ref, at) : 0;

	/* Makes the load an instruction of its own, so that the verifier sees only one kind of
	 * pointer for it. */
	TW_OPAQUE(word);
	return word;
}

/* Returns the word at an offset; 0 beyond the end, and at offset 0, where there is no table. */
tw_inline __u32 tw_word(const struct tw_frame *f, const struct tw_image_ref *ref, __u32 at)
{
	const struct tw_image_chunk *chunk;

	if (tw_is_far(f, at))
		return tw_far_word(f, ref, at);
	chunk = at ? tw_chunk(f, ref, at) : 0;
	return chunk ? chunk->w[at & (TW_IMAGE_CHUNK_WORDS - 1)] : 0;
}

/* Loads two words at once; the first is the lower half. */
tw_inline __u64 tw_two_words(const __u32 *words)
{
	__u64 pair = *(const __u64 *)words;

	return TW_LITTLE ? pair : pair << 32 | pair >> 32;
}

/* Returns 1 if a < b, without a branch: the borrow of a - b (Warren, Hacker's Delight, §2-12). */
tw_inline __u64 tw_below(__u64 a, __u64 b)
{
	return ((~a & b) | ((~a | b) & (a - b))) >> 63;
}

/* Returns the number of keys that are not above a value. `wide`: keys use all 64 bits; otherwise
 * the sign of the difference decides. */
tw_inline __u32 tw_search(const struct tw_image_search *search, __u64 value, const int wide)
{
	__u64 n = TW_NODE_KEYS;
	__u32 i;

	for (i = 0; i < TW_NODE_KEYS; i++)
		n -= wide ? tw_below(value, search->key[i]) : (value - search->key[i]) >> 63;
	return (__u32)n;
}

/* Returns the branch of a value at a table node, whose first two words are `head`. */
tw_inline __u32 tw_table_slot(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_node *node, __u64 head, __u64 value, const int far)
{
	__u64 at = value - node->base;

	if (value < node->base)
		return node->below;
	at >>= head & TW_NODE_SHIFT;
	if (at >= head >> 32)
		return node->beyond;
	at += node->table;
	return far ? tw_far_word(f, ref, (__u32)at) : tw_word(f, ref, (__u32)at);
}

/* tw_step() at a node beyond the first chunk. */
tw_inline __u32 tw_far_step(const struct tw_frame *f, const struct tw_image_ref *ref, __u32 branch,
	__u64 *value, __u64 low, const int wide)
{
	const struct tw_image_search *search = (const void *)tw_image_words(f, ref, branch & ~7u);
	__u64 head = tw_two_words(&search->node.kind);
	const __u32 to_at = branch + (__u32) __builtin_offsetof(struct tw_image_search, to) / 4;
	__u32 n, to;

	if (branch >= ref->n_words)
		return 0;
	if (wide && head & TW_NODE_LOW)
		*value = low;
	if (head & TW_NODE_SEARCH) {
		n = tw_search(search, *value, wide);
		to = n ? *tw_image_words(f, ref, to_at + n - 1) : search->node.below;
	} else {
		to = tw_table_slot(f, ref, &search->node, head, *value, 1);
	}
	TW_OPAQUE(to);
	return to;
}

/* Returns the branch of a value at the node that `branch` refers to. `low` replaces `*value` below
 * TW_NODE_LOW, in a tree of `wide` numbers. 0: the image is inconsistent. */
tw_inline __u32 tw_step(const struct tw_frame *f, const struct tw_image_ref *ref, __u32 branch,
	__u64 *value, __u64 low, const int wide)
{
	const struct tw_image_search *search;
	const struct tw_image_chunk *chunk;
	const struct tw_image_node *node;
	__u32 n;

	if (tw_is_far(f, branch))
		return tw_far_step(f, ref, branch, value, low, wide);
	chunk = tw_chunk(f, ref, branch);
	if (!chunk)
		return 0;
	node = (const void *)&chunk->w[branch & (TW_IMAGE_CHUNK_WORDS - 8)];
	if (wide && node->kind & TW_NODE_LOW)
		*value = low;
	if (!(node->kind & TW_NODE_SEARCH))
		return tw_table_slot(f, ref, node, tw_two_words(&node->kind), *value, 0);
	search = (const void *)&chunk->w[branch & (TW_IMAGE_CHUNK_WORDS - 32)];
	n = tw_search(search, *value, wide);
	return n ? search->to[(n - 1) & (TW_NODE_KEYS - 1)] : node->below;
}

/* Descends a tree of numbers below 2^32. The result is no leaf if the image is inconsistent. */
tw_inline __u32 tw_descend(
	const struct tw_frame *f, const struct tw_image_ref *ref, __u32 branch, __u64 value)
{
	__u32 i;

	for (i = 0; i < TW_NODE_STEPS && !(branch & TW_IMAGE_LEAF); i++)
		branch = tw_step(f, ref, branch, &value, 0, 0);
	return branch;
}

/* State of a descent in a tree of IPv6 addresses. */
struct tw_descent {
	const struct tw_frame *f;
	const struct tw_image_ref *ref;
	__u64 value;
	__u64 low;
	__u32 branch;
};

static long tw_descent_step(__u32 i, void *context)
{
	struct tw_descent *d = context;

	if (d->branch & TW_IMAGE_LEAF)
		return 1;
	d->branch = tw_step(d->f, d->ref, d->branch, &d->value, d->low, 1);
	return 0;
}

/* Descends a tree of addresses. */
tw_inline __u32 tw_descend_addr(const struct tw_frame *f, const struct tw_image_ref *ref,
	__u32 branch, const struct tw_addr *addr)
{
	struct tw_descent d = {f, ref, tw_host64(addr->d[0]), tw_host64(addr->d[1]), branch};

	if (tw_addr_is_v4(addr))
		return tw_descend(f, ref, branch, tw_host32(addr->w[3]));
	tw_repeat(TW_NODE_STEPS_V6, tw_descent_step, &d);
	return d.branch;
}

/* Returns the number of the lowest bit set; `word` is not 0. Counts the bits below it without a
 * branch, as eBPF has no instruction for either (Warren, Hacker's Delight, §5-1, §5-4). */
tw_inline __u32 tw_lowest_bit(__u64 word)
{
	__u64 below = (word & -word) - 1;

	below -= below >> 1 & 0x5555555555555555;
	below = (below & 0x3333333333333333) + (below >> 2 & 0x3333333333333333);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (__u32)(below * 0x0101010101010101 >> 56);
}

/* Returns TW_LOCAL_BROADCAST plus the number of differing low bits if an address is the broadcast
 * address of a subnet, /8 to /30, around an IPv4 address; else TW_LOCAL_OTHER. */
tw_inline __u32 tw_local_broadcast(__u32 own, const struct tw_addr *addr)
{
	__u32 number = tw_host32(addr->w[3]), bits = own ^ number;

	bits |= bits >> 1;
	bits |= bits >> 2;
	bits |= bits >> 4;
	bits |= bits >> 8;
	bits |= bits >> 16;
	if (!own || !tw_addr_is_v4(addr) || bits >> TW_LOCAL_BITS_MAX ||
		(number & (bits | 3)) != (bits | 3))
		return TW_LOCAL_OTHER;
	return TW_LOCAL_BROADCAST + tw_lowest_bit((__u64)bits + 1);
}

/* Returns what classify needs of a port: whether an address is the port's own, its first own IPv4
 * address, the parity of the entry's epoch, and its mode. */
tw_inline struct tw_home tw_home_of(
	const struct tw_port *port, const struct tw_addr *addr, __u32 epoch)
{
	struct tw_home home = {.parity = epoch & 1,
		.observed = !!(port->flags & TW_PORT_F_OBSERVED),
		.looks = !!(port->flags & TW_PORT_F_LOOKS)};
	__u32 i;

	for (i = 0; i < TW_PORT_ADDRS; i++) {
		if (i >= port->n_addrs)
			continue;
		home.own |= tw_addr_equal(&port->addr[i], addr);
		if (!home.v4 && tw_addr_is_v4(&port->addr[i]))
			home.v4 = tw_host32(port->addr[i].w[3]);
	}
	return home;
}

/* Returns the number of the view for a local address; an invalid number if the image is
 * inconsistent. */
tw_inline __u32 tw_view_of(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_dir *dir, __u32 code, const struct tw_addr *local)
{
	__u32 v6 = !tw_addr_is_v4(local), view = 0;

	if (code == TW_LOCAL_OWN)
		view = v6 ? dir->own[1] : dir->own[0];
	else if (code >= TW_LOCAL_BROADCAST)
		view = dir->broadcast[(code - TW_LOCAL_BROADCAST) & 31];
	if (view)
		return view;
	return tw_descend_addr(f, ref, v6 ? dir->local[1] : dir->local[0], local) ^ TW_IMAGE_LEAF;
}

/* Returns the number of a row's span. */
tw_inline __u32 tw_span(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_rows *rows, __u32 row, __u32 n)
{
	return rows->rows ? tw_word(f, ref, rows->rows + row * rows->n_spans + n) : row;
}

/* Returns the cell of a row and a service class. */
tw_inline __u32 tw_cell(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_view *view, __u32 row, __u32 service)
{
	const struct tw_image_rows *rows = &view->cells.rows;
	__u32 at = tw_span(f, ref, rows, row, service >> 8);

	at = tw_word(f, ref, rows->blocks + at * 16 + (service >> 4 & 15));
	return tw_word(f, ref, rows->blocks + at * 16 + (service & 15));
}

/* State of the loop over the groups of an address. */
struct tw_groups {
	const struct tw_frame *f;
	const struct tw_image_ref *ref;
	const struct tw_image_view *view;
	const struct tw_group_set *set;
	__u32 service;
	__u32 rank; /* lowest rank so far */
};

/* Returns the lower of `rank` and the rank of the rules about a group. */
tw_inline __u32 tw_group_rank(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_view *view, __u32 number, __u32 service, __u32 rank)
{
	__u32 row = number > view->cells.n_groups ? 0
						  : tw_word(f, ref, view->cells.groups + number);
	__u32 more = row ? tw_cell(f, ref, view, row - 1, service) : rank;

	return more < rank ? more : rank;
}

static long tw_group_step(__u32 i, void *context)
{
	struct tw_groups *g = context;
	__u32 number = g->set->number[(i + 1) & (TW_GROUP_SET_MAX - 1)];

	if (number)
		g->rank = tw_group_rank(g->f, g->ref, g->view, number, g->service, g->rank);
	return !number;
}

/* Returns the decision of the lowest rank that the address has by itself and by its groups. Most
 * addresses are in one group. */
tw_inline __u32 tw_lowest_rank(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_view *view, const struct tw_question *q, __u32 service, __u32 rank)
{
	struct tw_groups g = {f, ref, view, 0, service, rank};
	const struct tw_membership *member = 0;

	if (tw_cell(f, ref, view, view->cells.some, service) < rank)
		member = tw_members_lookup(f, q->remote);
	if (member) {
		g.set = &member->in[q->parity & 1];
		g.rank = tw_group_rank(f, ref, view, g.set->number[0], service, rank);
		if (g.set->number[1])
			tw_repeat(TW_GROUP_SET_MAX - 1, tw_group_step, &g);
	}
	return tw_word(f, ref, view->cells.ranks + g.rank);
}

tw_inline __u32 tw_cells(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_view *view, const struct tw_question *q,
	const __u32 class[TW_DIM__MAX])
{
	__u32 service = class[TW_DIM_PROTO], cell;

	if (view->cells.services)
		service = tw_word(f, ref,
			view->cells.services + service * view->cells.n_sports +
				class[TW_DIM_SPORT]);
	cell = tw_cell(f, ref, view, class[TW_DIM_REMOTE], service);
	return view->cells.ranks ? tw_lowest_rank(f, ref, view, q, service, cell) : cell;
}

/* State of the loop over blocks of vectors. */
struct tw_match {
	const struct tw_frame *f;
	const struct tw_image_ref *ref;
	const struct tw_image_view *view;
	__u32 row[TW_DIM__MAX];
	__u32 span[TW_DIM__MAX]; /* current span of 16 blocks */
	__u32 decision;
	__u32 block; /* current block */
};

/* Returns the words of block n of a dimension. NULL: the block is all zeros. */
tw_inline const void *tw_block(const struct tw_match *m, __u32 dim, __u32 n)
{
	__u32 at = m->view->vectors.rows[dim].blocks + n * 16;
	const struct tw_image_chunk *chunk;

	if (!n)
		return 0;
	if (tw_image_flat(m->f))
		return at < m->ref->n_words ? tw_image_words(m->f, m->ref, at & ~15u) : 0;
	chunk = tw_chunk(m->f, m->ref, at);
	if (!chunk)
		return 0;
	/* TW_OPAQUE stands after the check, as otherwise the compiler adds to a pointer that may
	 * be NULL. */
	TW_OPAQUE(at);
	return &chunk->w[at & (TW_IMAGE_CHUNK_WORDS - 16)];
}

/* Tests one block of 512 entries. Returns 1 to end the loop. */
static long tw_match_step(__u32 i, void *context)
{
	struct tw_match *m = context;
	const __u64 *bits[TW_DIM__MAX];
	__u32 dim, n, entry;
	__u64 word;

	/* The block number is kept in memory, as a callback has little stack. */
	m->block = i;
	if (!(i & 15))
		for (dim = 0; dim < TW_DIM__MAX; dim++)
			m->span[dim] = tw_span(
				m->f, m->ref, &m->view->vectors.rows[dim], m->row[dim], i / 16);
	for (dim = 0; dim < TW_DIM__MAX; dim++) {
		n = m->span[dim] * 16 + (TW_MEMORY(m->block) & 15);
		n = n > 15 ? tw_word(m->f, m->ref, m->view->vectors.rows[dim].blocks + n) : 0;
		bits[dim] = tw_block(m, dim, n);
		if (!bits[dim])
			return 0;
	}
	for (n = 0; n < TW_IMAGE_GROUP / 64; n++) {
		word = bits[0][n] & bits[1][n] & bits[2][n] & bits[3][n];
		if (!word)
			continue;
		entry = TW_MEMORY(m->block) * TW_IMAGE_GROUP + n * 64 + tw_lowest_bit(word);
		m->decision = tw_word(m->f, m->ref, m->view->vectors.entries + entry);
		return 1;
	}
	return 0;
}

/* Returns the decision of the first entry that all four classes match, else the fallback. */
tw_inline __u32 tw_first_match(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_view *view, const __u32 class[TW_DIM__MAX], __u32 fallback)
{
	struct tw_match m = {.f = f, .ref = ref, .view = view, .decision = fallback};
	__u32 n = view->vectors.rows[TW_DIM_REMOTE].n_spans * 16, dim;

	for (dim = 0; dim < TW_DIM__MAX; dim++)
		m.row[dim] = class[dim];

	tw_repeat(n < TW_IMAGE_BLOCKS_MAX ? n : TW_IMAGE_BLOCKS_MAX, tw_match_step, &m);
	return m.decision;
}

/* Maps the fields to their classes. Returns 0 if the image is inconsistent. */
tw_inline int tw_classes(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_view *view, const struct tw_question *q, __u32 class[TW_DIM__MAX])
{
	__u32 leaves = TW_IMAGE_LEAF, dim;

	class[TW_DIM_REMOTE] = tw_descend_addr(f, ref, view->branch[TW_DIM_REMOTE], q->remote);
	class[TW_DIM_LOCAL] = view->branch[TW_DIM_LOCAL];
	if (view->engine == TW_ENGINE_VECTORS)
		class[TW_DIM_LOCAL] = tw_descend_addr(f, ref, class[TW_DIM_LOCAL], q -> local);
	class[TW_DIM_PROTO] = tw_descend(f, ref, view->branch[TW_DIM_PROTO], q->key);
	class[TW_DIM_SPORT] = tw_descend(f, ref, view->branch[TW_DIM_SPORT],
		tw_is_icmp(q->tuple) ? 0 : tw_host16(q->tuple->sport));
	for (dim = 0; dim < TW_DIM__MAX; dim++) {
		leaves &= class[dim];
		class[dim] &= ~TW_IMAGE_LEAF;
	}
	return leaves != 0;
}

tw_inline __u32 tw_image_decide(const struct tw_frame *f, const struct tw_image_ref *ref,
	const struct tw_image_dir *dir, const struct tw_question *q)
{
	__u32 number = tw_view_of(f, ref, dir, q->code, q->local), at, class[TW_DIM__MAX];
	const struct tw_image_view *view;

	if (number >= dir->n_views)
		return 0;
	at = dir->views + number * 32;
	view = (const void *)&ref->first->w[at & (TW_IMAGE_CHUNK_WORDS - 32)];
	if (view->engine == TW_ENGINE_NONE)
		return dir->fallback;
	if (!tw_classes(f, ref, view, q, class))
		return 0;
	if (view->engine == TW_ENGINE_CELLS)
		return tw_cells(f, ref, view, q, class);
	return tw_first_match(f, ref, view, class, dir->fallback);
}

/* Returns the decision of image `slot` for one end (TW_DIR_OUT: the source's) of a connection with
 * first packet `t`; `icmp` is type << 8 | code, where it applies. */
tw_inline __u32 tw_classify(const struct tw_frame *f, __u32 slot, enum tw_dir end,
	struct tw_home home, const struct tw_tuple *t, __u16 icmp)
{
	struct tw_image_ref ref = {.image = tw_image_at(f, slot)};
	struct tw_question q = {.tuple = t, .code = TW_LOCAL_OWN, .parity = home.parity};
	__u32 at = end == TW_DIR_IN;

	ref.first = ref.image ? tw_image_chunk(f, ref.image, 0) : 0;
	if (!ref.first)
		return 0;
	if (tw_image_flat(f)) {
		ref.address = tw_image_address(f, ref.image, ref.first);
		ref.n_words = ref.first->w[1];
	}
	_Static_assert(__builtin_offsetof(struct tw_tuple, dst) == sizeof(t->src), "side by side");

	/* One code path for both ends, so that the verifier walks it once. */
	TW_OPAQUE(at);
	at &= 1;
	q.local = &t->src + at;
	q.remote = &t->src + (at ^ 1);
	if (!home.own)
		q.code = tw_local_broadcast(home.v4, q.local);
	q.key = (__u32)t->proto << 16 | (tw_is_icmp(t) ? icmp : tw_host16(t->dport));
	return tw_image_decide(f, &ref, (const void *)&ref.first->w[16 + 32 * at], &q);
}
