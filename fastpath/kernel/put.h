/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* put.h: fills image slots without waiting for packets that read the old content.
 *
 * Why:        an update of an array of maps is visible at once, but returns only when every program
 *             that ran before it has ended, some 10 ms later. No packet reads a free slot, so
 *             nothing depends on that.
 * How:        a thread makes the update and waits in it. The caller sees the update in the table
 *             and goes on. Nothing else is shared with the thread.
 * Callers:    agent/state/images.c: start, then finish, before the images are freed.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "fastpath/kernel/load.h"

struct tw_kernel_put {
	struct tw_kernel *kernel;
	const uint32_t *slots; /* kept by the caller until tw_kernel_put_finish() */
	const int *fds;
	size_t n;
	pthread_t thread;
	bool running;
	int done; /* 1: the thread has ended; accessed atomically */
	int code;
	struct tw_err err;
};

/* Returns 0 once all slots are filled, or a negative errno with `err` filled in and no thread
 * running. */
int tw_kernel_put_start(struct tw_kernel_put *put, struct tw_kernel *kernel, const uint32_t *slots,
	const int *fds, size_t n, struct tw_err *err);
/* Waits for the thread, if it is still running. */
void tw_kernel_put_finish(struct tw_kernel_put *put);
