/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/put.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <time.h>

#include "fastpath/kernel/kernel.h"

#define LOOK_NS 20000

static void *run(void *arg)
{
	struct tw_kernel_put *put = arg;

	put->code = tw_kernel_put_images(put->kernel, put->slots, put->fds, put->n, &put->err);
	__atomic_store_n(&put->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(struct tw_kernel_put *put)
{
	return __atomic_load_n(&put->done, __ATOMIC_ACQUIRE);
}

/* Polls until the slot holds the map, or the thread has ended. */
static void wait_for(struct tw_kernel_put *put, size_t i)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info), id;
	int images = put->kernel->map_fd[TW_MAP_images];

	if (bpf_obj_get_info_by_fd(put->fds[i], &info, &len))
		info.id = 0;
	while (!is_done(put)) {
		if (info.id && !bpf_map_lookup_elem(images, &put->slots[i], &id) && id == info.id)
			return;
		nanosleep(&pause, NULL);
	}
}

int tw_kernel_put_start(struct tw_kernel_put *put, struct tw_kernel *kernel, const uint32_t *slots,
	const int *fds, size_t n, struct tw_err *err)
{
	*put = (struct tw_kernel_put){.kernel = kernel, .slots = slots, .fds = fds, .n = n};
	if (!n)
		return 0;
	if (pthread_create(&put->thread, NULL, run, put))
		return tw_kernel_put_images(kernel, slots, fds, n, err);
	put->running = true;
	for (size_t i = 0; i < n; i++)
		wait_for(put, i);
	if (!is_done(put))
		return 0;
	tw_kernel_put_finish(put);
	if (put->code && err)
		*err = put->err;
	return put->code;
}

void tw_kernel_put_finish(struct tw_kernel_put *put)
{
	if (put->running)
		pthread_join(put->thread, NULL);
	put->running = false;
}
