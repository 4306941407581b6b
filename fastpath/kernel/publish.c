/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>

#include "fastpath/kernel/kernel.h"
#include "fastpath/path/bytes.h"

#define BATCH_LINES 4096

/* Fills a new map with the image, in batches of lines. */
static int write_lines(int fd, const struct tw_image_line *lines, size_t n_lines)
{
	tw_autofree __u32 *keys = calloc(BATCH_LINES, sizeof(*keys));
	size_t done = 0;

	if (!keys)
		return -ENOMEM;
	while (done < n_lines) {
		DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = 0);
		__u32 count = (__u32)(n_lines - done < BATCH_LINES ? n_lines - done : BATCH_LINES);

		for (__u32 i = 0; i < count; i++)
			keys[i] = (__u32)done + i;
		if (bpf_map_update_batch(fd, keys, lines + done, &count, &opts))
			return -errno;
		done += count;
	}
	return 0;
}

int tw_kernel_put_image(struct tw_kernel *kernel, uint32_t slot, const struct tw_image_line *lines,
	size_t n_lines, struct tw_err *err)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	tw_autofd int fd = -1;
	int code;

	fd = bpf_map_create(
		BPF_MAP_TYPE_ARRAY, "image", sizeof(__u32), TW_IMAGE_LINE, (__u32)n_lines, &opts);
	if (fd < 0)
		return tw_err_set(err, -errno, "image", NULL, "cannot make a map of %zu lines: %s",
			n_lines, strerror(errno));
	code = write_lines(fd, lines, n_lines);
	if (!code && bpf_map_update_elem(kernel->map_fd[TW_MAP_images], &slot, &fd, BPF_ANY))
		code = -errno;
	return code ? tw_err_set(err, code, "image", NULL, "cannot publish slot %u: %s", slot,
			      strerror(-code))
		    : 0;
}

int tw_kernel_drop_image(struct tw_kernel *kernel, uint32_t slot)
{
	return bpf_map_delete_elem(kernel->map_fd[TW_MAP_images], &slot) ? -errno : 0;
}

int tw_kernel_add_addr(
	struct tw_kernel *kernel, uint32_t zone, const struct tw_addr *addr, uint8_t len)
{
	const struct tw_addr_key key = {
		.prefixlen = 32u + len, .zone = tw_be32(zone), .addr = *addr};
	const __u32 present = 1;

	return bpf_map_update_elem(kernel->map_fd[TW_MAP_addrs], &key, &present, BPF_ANY) ? -errno
											  : 0;
}

int tw_kernel_clear_addrs(struct tw_kernel *kernel, uint32_t zone)
{
	int fd = kernel->map_fd[TW_MAP_addrs], more;
	struct tw_addr_key key, next;

	more = !bpf_map_get_next_key(fd, NULL, &next);
	while (more) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (key.zone == tw_be32(zone) && bpf_map_delete_elem(fd, &key))
			return -errno;
	}
	return 0;
}

int tw_kernel_get_config(struct tw_kernel *kernel, struct tw_config *ret)
{
	const __u32 zero = 0;
	struct tw_config config;

	if (bpf_map_lookup_elem(kernel->map_fd[TW_MAP_config], &zero, &config))
		return -errno;
	*ret = config;
	return 0;
}

int tw_kernel_set_config(struct tw_kernel *kernel, const struct tw_config *config)
{
	const __u32 zero = 0;

	return bpf_map_update_elem(kernel->map_fd[TW_MAP_config], &zero, config, BPF_ANY) ? -errno
											  : 0;
}

/* An update of an array of maps returns only when every program that ran before it has ended
 * (maybe_wait_bpf_programs() in kernel/bpf/syscall.c); slot 0 is never looked at. */
static int wait_for_packets(struct tw_kernel *kernel)
{
	const struct tw_image_line none = {0};
	int code = tw_kernel_put_image(kernel, 0, &none, 1, NULL);

	return code ? code : tw_kernel_drop_image(kernel, 0);
}

/* One store of one aligned word: an update by the system call would copy bytes. */
int tw_kernel_flip(struct tw_kernel *kernel, uint32_t epoch)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct tw_config *config;

	config = mmap(
		NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, kernel->map_fd[TW_MAP_config], 0);
	if (config == MAP_FAILED)
		return -errno;
	__atomic_store_n(&config->epoch, epoch, __ATOMIC_SEQ_CST);
	munmap(config, page);
	return wait_for_packets(kernel);
}
