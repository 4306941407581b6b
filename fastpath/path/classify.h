/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* classify.h: asks a port's image for the first rule that matches a connection.
 *
 * Why:        rule counts must not matter much, and exactness always. The image (abi/image.h) holds
 *             a bit vector over the rules for each interval of each dimension; the first bit that
 *             is set in all four is the rule.
 * In:         the connection's tuple in its original direction, and which end is asked.
 * Out:        a decision word; 0 when the image contradicts itself.
 * Bounds:     4 searches of TW_SEARCH_STEPS lines, then TW_IMAGE_VECTOR_LINES_MAX × 4 lines.
 * Source:     T. V. Lakshman, D. Stiliadis, SIGCOMM 1998.
 */
#pragma once

#include "fastpath/path/packet.h"

#define TW_SEARCH_STEPS 17 /* 2^17 = TW_IMAGE_KEYS_MAX */

/* One value of a dimension: addresses use both words, the others `lo` alone. */
struct tw_point {
	__u64 hi;
	__u64 lo;
};

tw_inline struct tw_point tw_point_addr(const struct tw_addr *addr)
{
	struct tw_point point = {tw_host64(addr->d[0]), tw_host64(addr->d[1])};

	return point;
}

/* Whether key number `i` lies at or before the point. A missing line counts as beyond it. */
tw_inline int tw_key_reached(const struct tw_frame *f, void *image, __u32 keys, __u32 i, int wide,
	const struct tw_point *point)
{
	const struct tw_image_line *line;
	__u64 hi, lo;
	__u32 at;

	if (!wide) {
		line = tw_image_line(f, image, keys + i / TW_IMAGE_WORD_KEYS_PER_LINE);
		return line && line->w[i % TW_IMAGE_WORD_KEYS_PER_LINE] <= point->lo;
	}
	line = tw_image_line(f, image, keys + i / TW_IMAGE_ADDR_KEYS_PER_LINE);
	if (!line)
		return 0;
	at = i % TW_IMAGE_ADDR_KEYS_PER_LINE * 2;
	hi = line->d[at & 7];
	lo = line->d[(at + 1) & 7];
	return hi < point->hi || (hi == point->hi && lo <= point->lo);
}

/* First line of the bit vector of the interval that holds `point`. Line 0 is the image's head and
 * no vector: it stands for a contradiction. */
tw_inline __u32 tw_vector_of(const struct tw_frame *f, void *image,
	const struct tw_image_dim_ref *dim, __u32 vector_lines, int wide,
	const struct tw_point *point)
{
	__u32 low = 0, high = dim->n_keys, per_line, middle, i;
	const struct tw_image_line *line;

	for (i = 0; i < TW_SEARCH_STEPS && high - low > 1; i++) {
		middle = low + (high - low) / 2;
		if (tw_key_reached(f, image, dim->keys, middle, wide, point))
			low = middle;
		else
			high = middle;
	}
	per_line = wide ? TW_IMAGE_ADDR_KEYS_PER_LINE : TW_IMAGE_WORD_KEYS_PER_LINE;
	line = tw_image_line(f, image,
		dim->keys + (dim->n_keys + per_line - 1) / per_line +
			low / TW_IMAGE_WORD_KEYS_PER_LINE);
	if (!line)
		return 0;
	return dim->vectors + line->w[low % TW_IMAGE_WORD_KEYS_PER_LINE] * vector_lines;
}

/* Number of the lowest bit set; `word` is not 0. Counts the bits below it, without a branch, as
 * eBPF has no instruction for either (Warren, Hacker's Delight, §5-1, §5-4). */
tw_inline __u32 tw_lowest_bit(__u64 word)
{
	__u64 below = (word & -word) - 1;

	below -= below >> 1 & 0x5555555555555555;
	below = (below & 0x3333333333333333) + (below >> 2 & 0x3333333333333333);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (__u32)(below * 0x0101010101010101 >> 56);
}

tw_inline __u32 tw_entry(
	const struct tw_frame *f, void *image, const struct tw_image_dir *dir, __u32 n)
{
	const struct tw_image_line *line = tw_image_line(f, image, dir->entries + n / 16);

	return line && n < dir->n_entries ? line->w[n % 16] : 0;
}

/* Decision of the first entry whose bit is set in all four vectors, else the fallback. */
tw_inline __u32 tw_first_match(const struct tw_frame *f, void *image,
	const struct tw_image_dir *dir, const __u32 vector[TW_DIM__MAX])
{
	const struct tw_image_line *remote, *local, *proto, *sport;
	__u32 i, j;
	__u64 word;

	for (i = 0; i < TW_IMAGE_VECTOR_LINES_MAX && i < dir->vector_lines; i++) {
		remote = tw_image_line(f, image, vector[TW_DIM_REMOTE] + i);
		local = tw_image_line(f, image, vector[TW_DIM_LOCAL] + i);
		proto = tw_image_line(f, image, vector[TW_DIM_PROTO] + i);
		sport = tw_image_line(f, image, vector[TW_DIM_SPORT] + i);
		if (!remote || !local || !proto || !sport)
			return 0;
		for (j = 0; j < 8; j++) {
			word = remote->d[j] & local->d[j] & proto->d[j] & sport->d[j];
			if (word)
				return tw_entry(
					f, image, dir, i * 512 + j * 64 + tw_lowest_bit(word));
		}
	}
	return dir->fallback;
}

/* The decision of image `slot` as the `end` (TW_DIR_OUT: the source's) of a connection whose first
 * packet is `t`, with `icmp` (type << 8 | code) where that has a meaning. */
tw_inline __u32 tw_classify(
	const struct tw_frame *f, __u32 slot, enum tw_dir end, const struct tw_tuple *t, __u16 icmp)
{
	int is_icmp = t->proto == TW_IPPROTO_ICMP || t->proto == TW_IPPROTO_ICMPV6;
	struct tw_point src = tw_point_addr(&t->src), dst = tw_point_addr(&t->dst);
	struct tw_point proto = {0, (__u64)t->proto << 16 | (is_icmp ? icmp : tw_host16(t->dport))};
	struct tw_point sport = {0, is_icmp ? 0 : tw_host16(t->sport)};
	const struct tw_image_dir *dir;
	__u32 vector[TW_DIM__MAX], lines;
	void *image;

	image = tw_image_at(f, slot);
	if (!image)
		return 0;
	dir = (const void *)tw_image_line(f, image, end == TW_DIR_OUT ? 1 : 2);
	if (!dir)
		return 0;
	if (!dir->n_entries)
		return dir->fallback;
	lines = dir->vector_lines;
	vector[TW_DIM_REMOTE] = tw_vector_of(
		f, image, &dir->dim[TW_DIM_REMOTE], lines, 1, end == TW_DIR_OUT ? &dst : &src);
	vector[TW_DIM_LOCAL] = tw_vector_of(
		f, image, &dir->dim[TW_DIM_LOCAL], lines, 1, end == TW_DIR_OUT ? &src : &dst);
	vector[TW_DIM_PROTO] = tw_vector_of(f, image, &dir->dim[TW_DIM_PROTO], lines, 0, &proto);
	vector[TW_DIM_SPORT] = tw_vector_of(f, image, &dir->dim[TW_DIM_SPORT], lines, 0, &sport);
	if (!vector[TW_DIM_REMOTE] || !vector[TW_DIM_LOCAL] || !vector[TW_DIM_PROTO] ||
		!vector[TW_DIM_SPORT])
		return 0;
	return tw_first_match(f, image, dir, vector);
}
