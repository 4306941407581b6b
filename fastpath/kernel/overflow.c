/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "fastpath/kernel/conns.h"
#include "fastpath/kernel/kernel.h"

static bool is_live(const struct tw_overflow *entry, uint32_t now)
{
	return entry->stage && (int32_t)(now - (entry->seen + TW_OVERFLOW_TICKS)) <= 0;
}

/* Counts and returns the valid entries of a set. */
static uint32_t count_live(struct tw_overflow_walk *walk, uint32_t key,
	const struct tw_overflow_set *set, uint32_t now)
{
	uint32_t class = key / TW_OVERFLOW_SETS % TW_OVERFLOW__MAX, n = 0;
	uint32_t port_id = key / TW_OVERFLOW_SETS / TW_OVERFLOW__MAX;

	for (size_t i = 0; i < TW_OVERFLOW_WAYS; i++)
		n += is_live(&set->way_of[i], now);
	/* The other classes are counted at the ports that pay for them, or have no port that
	 * pays. */
	if (port_id < TW_PORTS_MAX && (class == TW_OVERFLOW_OWN || class == TW_OVERFLOW_OUTSIDE))
		walk->counting[port_id] += n;
	return n;
}

static void end_map(struct tw_overflow_walk *walk, uint32_t now)
{
	walk->begun = false;
	walk->map = !walk->map;
	if (walk->map)
		return;
	walk->ended = now;
	walk->found = walk->finding;
	walk->finding = false;
	memcpy(walk->untracked, walk->counting, sizeof(walk->untracked));
	memset(walk->counting, 0, sizeof(walk->counting));
}

bool tw_overflow_walk_due(const struct tw_overflow_walk *walk, bool in_use, uint32_t now)
{
	return walk->begun || walk->map || walk->found || in_use ||
	       now - walk->ended >= TW_OVERFLOW_TICKS;
}

int tw_kernel_sweep_overflows(
	struct tw_kernel *kernel, struct tw_overflow_walk *walk, uint32_t n, uint32_t now)
{
	static const enum tw_map maps[] = {TW_MAP_overflows, TW_MAP_overflow_few};
	int fd = kernel->map_fd[maps[walk->map]];
	struct tw_overflow_set set;
	bool last = false;

	if (!walk->begun && bpf_map_get_next_key(fd, NULL, &walk->key) < 0)
		last = true;
	walk->begun = !last;
	walk->finding |= !last;
	for (uint32_t i = 0; i < n && !last; i++) {
		uint32_t key = walk->key;

		/* Read the next key before deleting this one: after a deleted key, the first key
		 * follows. */
		last = bpf_map_get_next_key(fd, &key, &walk->key) < 0;
		if (!bpf_map_lookup_elem(fd, &key, &set) && !count_live(walk, key, &set, now) &&
			bpf_map_delete_elem(fd, &key) < 0 && errno != ENOENT)
			return -errno;
	}
	if (last)
		end_map(walk, now);
	return 0;
}
