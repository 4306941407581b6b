/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "image_eval.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

static const void *at(const struct tw_image *image, uint32_t offset, size_t n_words)
{
	assert(offset && offset + n_words <= image->n_words);
	assert(offset / TW_IMAGE_CHUNK_WORDS == (offset + n_words - 1) / TW_IMAGE_CHUNK_WORDS);
	return image->words + offset;
}

static uint32_t word(const struct tw_image *image, uint32_t offset)
{
	return *(const uint32_t *)at(image, offset, 1);
}

/* Returns the class that a tree gives for a value; `steps_max` is the tree's permitted depth. */
static uint32_t descend(const struct tw_image *image, uint32_t branch, uint64_t value, uint64_t low,
	unsigned int steps_max)
{
	for (unsigned int steps = 0; !(branch & TW_IMAGE_LEAF); steps++) {
		const struct tw_image_node *node = at(image, branch, sizeof(*node) / 4);
		const struct tw_image_search *search = (const void *)node;

		assert(steps < steps_max);
		if (node->kind & TW_NODE_LOW)
			value = low;
		if (node->kind & TW_NODE_SEARCH) {
			at(image, branch, sizeof(*search) / 4);
			branch = node->below;
			for (unsigned int i = 0; i < TW_NODE_KEYS; i++) {
				assert(!i || search->key[i] >= search->key[i - 1]);
				if (search->key[i] <= value)
					branch = search->to[i];
			}
		} else if (value < node->base) {
			branch = node->below;
		} else if ((value - node->base) >> (node->kind & TW_NODE_SHIFT) >= node->n) {
			branch = node->beyond;
		} else {
			branch = word(
				image, node->table + (uint32_t)((value - node->base) >>
								(node->kind & TW_NODE_SHIFT)));
		}
	}
	return branch & ~TW_IMAGE_LEAF;
}

static bool is_v4(const struct tw_addr *addr)
{
	return !addr->d[0] && addr->w[2] == htobe32(0xffff);
}

static uint32_t v4(const struct tw_addr *addr)
{
	return be32toh(addr->w[3]);
}

static uint32_t descend_addr(
	const struct tw_image *image, uint32_t branch, const struct tw_addr *addr)
{
	if (is_v4(addr))
		return descend(image, branch, v4(addr), 0, TW_NODE_STEPS);
	return descend(image, branch, be64toh(addr->d[0]), be64toh(addr->d[1]), TW_NODE_STEPS_V6);
}

/* Returns the code by which the fast path identifies one of the port's addresses. */
static unsigned int code_of(const struct tw_vnic *vnic, const struct tw_addr *addr)
{
	struct tw_port port = {0};

	tw_policy_fill_port(vnic, &port);
	for (unsigned int i = 0; i < port.n_addrs; i++)
		if (!memcmp(&port.addr[i], addr, sizeof(*addr)))
			return TW_LOCAL_OWN;
	for (unsigned int i = 0; i < port.n_addrs && is_v4(addr); i++) {
		uint32_t own = v4(&port.addr[i]), differ = 0;

		if (!is_v4(&port.addr[i]))
			continue;
		/* Only the first address is compared. */
		i = port.n_addrs;
		while (differ < 32 && own >> differ != v4(addr) >> differ)
			differ++;
		for (unsigned int bits = 2; bits <= TW_LOCAL_BITS_MAX; bits++)
			if (v4(addr) == (own | ((1u << bits) - 1)))
				return TW_LOCAL_BROADCAST + differ;
	}
	return TW_LOCAL_OTHER;
}

static const struct tw_image_dir *dir_of(const struct tw_image *image, enum tw_dir dir)
{
	return at(image, dir == TW_DIR_OUT ? 16 : 48, sizeof(struct tw_image_dir) / 4);
}

static const struct tw_image_view *view_of(
	const struct tw_image *image, enum tw_dir dir, const struct image_question *q)
{
	const struct tw_image_dir *d = dir_of(image, dir);
	unsigned int code = code_of(q->vnic, &q->local);
	uint32_t view = 0;

	if (code == TW_LOCAL_OWN)
		view = d->own[!is_v4(&q->local)];
	else if (code >= TW_LOCAL_BROADCAST)
		view = d->broadcast[code - TW_LOCAL_BROADCAST];
	if (!view)
		view = descend_addr(image, d->local[!is_v4(&q->local)], &q->local);
	assert(view < d->n_views && d->n_views <= TW_IMAGE_VIEWS_MAX);
	return at(image, d->views + view * 32, sizeof(struct tw_image_view) / 4);
}

enum tw_image_engine image_engine(
	const struct tw_image *image, enum tw_dir dir, const struct image_question *q)
{
	return view_of(image, dir, q)->engine;
}

/* Returns word n of a row. */
static uint32_t row_word(
	const struct tw_image *image, const struct tw_image_rows *rows, uint32_t row, uint32_t n)
{
	uint32_t span = rows->rows ? word(image, rows->rows + row * rows->n_spans + n / 256) : row;
	uint32_t block = word(image, rows->blocks + span * 16 + n / 16 % 16);

	assert(n / 256 < rows->n_spans && rows->blocks % 16 == 0);
	return word(image, rows->blocks + block * 16 + n % 16);
}

/* Returns the groups of an address from the table of members. */
static const struct tw_group_set *groups_of(
	const struct tw_members *members, const struct tw_addr *addr)
{
	for (size_t i = 0; members && i < members->all.n; i++)
		if (!memcmp(&members->all.at[i].addr, addr, sizeof(*addr)))
			return &members->all.at[i].in;
	return NULL;
}

/* Returns the lowest rank of the remote class and of the remote address's groups. */
static uint32_t lowest(const struct tw_image *image, const struct tw_image_view *view,
	const struct image_question *q, uint32_t service, uint32_t rank)
{
	const struct tw_group_set *set = groups_of(q->members, &q->remote);

	for (unsigned int i = 0; set && i < TW_GROUP_SET_MAX && set->number[i]; i++) {
		uint32_t number = set->number[i], row, more;

		assert(!i || number > set->number[i - 1]);
		row = number > view->cells.n_groups ? 0 : word(image, view->cells.groups + number);
		more = row ? row_word(image, &view->cells.rows, row - 1, service) : rank;
		assert(!row ||
			row_word(image, &view->cells.rows, view->cells.some, service) <= more);
		rank = more < rank ? more : rank;
	}
	return word(image, view->cells.ranks + rank);
}

static uint32_t cell(const struct tw_image *image, const struct tw_image_view *view,
	const struct image_question *q, const uint32_t class[TW_DIM__MAX])
{
	uint32_t service = class[TW_DIM_PROTO], found;

	if (view->cells.services)
		service = word(image, view->cells.services + service * view->cells.n_sports +
					      class[TW_DIM_SPORT]);
	found = row_word(image, &view->cells.rows, class[TW_DIM_REMOTE], service);
	return view->cells.ranks ? lowest(image, view, q, service, found) : found;
}

static bool has_entry(const struct tw_image *image, const struct tw_image_view *view, int dim,
	uint32_t class, uint32_t entry)
{
	return row_word(image, &view->vectors.rows[dim], class, entry / 32) >> entry % 32 & 1;
}

uint32_t image_eval(const struct tw_image *image, enum tw_dir dir, const struct image_question *q)
{
	const struct tw_image_view *view = view_of(image, dir, q);
	uint32_t class[TW_DIM__MAX];

	if (view->engine == TW_ENGINE_NONE)
		return dir_of(image, dir)->fallback;
	class[TW_DIM_REMOTE] = descend_addr(image, view->branch[TW_DIM_REMOTE], &q->remote);
	class[TW_DIM_LOCAL] = descend_addr(image, view->branch[TW_DIM_LOCAL], &q->local);
	class[TW_DIM_PROTO] = descend(image, view->branch[TW_DIM_PROTO], q->key, 0, TW_NODE_STEPS);
	class[TW_DIM_SPORT] = descend(
		image, view->branch[TW_DIM_SPORT], q->sport, 0, TW_NODE_STEPS);
	if (view->engine == TW_ENGINE_CELLS)
		return cell(image, view, q, class);
	for (uint32_t entry = 0; entry < view->n_entries; entry++) {
		bool all = true;

		for (int dim = 0; dim < TW_DIM__MAX && all; dim++)
			all = has_entry(image, view, dim, class[dim], entry);
		if (all)
			return word(image, view->vectors.entries + entry);
	}
	return dir_of(image, dir)->fallback;
}
