/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/walk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

int tw_walk_init(struct tw_walk *walk, const struct tw_kernel *kernel)
{
	int ret;

	*walk = (struct tw_walk){0};
	ret = tw_conns_open(&walk->table, kernel);
	walk->keys = tw_alloc_array(TW_WALK_STEP, sizeof(*walk->keys));
	walk->conns = tw_alloc_array(TW_WALK_STEP, sizeof(*walk->conns));
	if (!ret && (!walk->keys || !walk->conns))
		ret = -ENOMEM;
	if (ret)
		tw_walk_done(walk);
	return ret;
}

void tw_walk_done(struct tw_walk *walk)
{
	tw_conns_close(&walk->table);
	free(walk->keys);
	free(walk->conns);
	walk->keys = NULL;
	walk->conns = NULL;
}

void tw_walk_rewind(struct tw_walk *walk)
{
	walk->bucket = 0;
	walk->ended = false;
}

size_t tw_walk_step(struct tw_walk *walk)
{
	size_t n = 0;

	for (int i = 0; i < TW_WALK_STEP_BUCKETS && n + TW_BUCKET_SLOTS <= TW_WALK_STEP; i++) {
		if (walk->bucket == walk->table.n_buckets) {
			walk->ended = true;
			break;
		}
		n += tw_conns_read(&walk->table, walk->bucket++, walk->keys + n, walk->conns + n);
	}
	return n;
}
