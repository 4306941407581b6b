/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/walk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

int tw_walk_init(struct tw_walk *walk, int conns_fd)
{
	*walk = (struct tw_walk){.map_fd = conns_fd};
	walk->keys = tw_alloc_array(TW_WALK_STEP, sizeof(*walk->keys));
	walk->conns = tw_alloc_array(TW_WALK_STEP, sizeof(*walk->conns));
	if (walk->keys && walk->conns)
		return 0;
	tw_walk_done(walk);
	return -ENOMEM;
}

void tw_walk_done(struct tw_walk *walk)
{
	free(walk->keys);
	free(walk->conns);
	walk->keys = NULL;
	walk->conns = NULL;
}

void tw_walk_rewind(struct tw_walk *walk)
{
	walk->started = walk->ended = false;
}

int tw_walk_step(struct tw_walk *walk, size_t *ret_n)
{
	uint32_t next = 0, n = TW_WALK_STEP;
	int ret;

	if (walk->ended) {
		*ret_n = 0;
		return 0;
	}
	ret = bpf_map_lookup_batch(walk->map_fd, walk->started ? &walk->bucket : NULL, &next,
		walk->keys, walk->conns, &n, NULL);
	if (ret < 0 && errno != ENOENT)
		return -errno;
	walk->ended = ret < 0;
	walk->started = true;
	walk->bucket = next;
	*ret_n = n;
	return 0;
}
