/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/queue.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

int tw_queue_init(struct tw_queue *queue, size_t n)
{
	queue->slots = tw_alloc_array(n, sizeof(*queue->slots));
	queue->n = n;
	queue->begin = 0;
	atomic_init(&queue->added, 0);
	atomic_init(&queue->taken, 0);
	return queue->slots ? 0 : -ENOMEM;
}

void tw_queue_done(struct tw_queue *queue)
{
	free(queue->slots);
	queue->slots = NULL;
}
