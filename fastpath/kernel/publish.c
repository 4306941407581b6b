/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fastpath/kernel/kernel.h"
#include "fastpath/path/bytes.h"

#define NO_BATCH 524 /* ENOTSUPP, which the kernel returns and no header defines */

int tw_kernel_make_image(const uint32_t *words, size_t n_words, int *ret_fd, struct tw_err *err)
{
	DECLARE_LIBBPF_OPTS(
		bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	const size_t n_chunks = (n_words + TW_IMAGE_CHUNK_WORDS - 1) / TW_IMAGE_CHUNK_WORDS;
	const size_t bytes = n_chunks * TW_IMAGE_CHUNK_BYTES;
	tw_autofd int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "image", sizeof(__u32),
		TW_IMAGE_CHUNK_BYTES, (__u32)n_chunks, &opts);
	void *table;

	if (fd < 0)
		return tw_err_set(err, -errno, "image", NULL, "cannot make a map of %zu bytes: %s",
			bytes, strerror(errno));
	table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED)
		return tw_err_set(err, -errno, "image", NULL, "cannot map it: %s", strerror(errno));
	memcpy(table, words, n_words * sizeof(*words));
	munmap(table, bytes);
	*ret_fd = TW_TAKE_FD(fd);
	return 0;
}

int tw_kernel_put_images(struct tw_kernel *kernel, const uint32_t *slots, const int *fds, size_t n,
	struct tw_err *err)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_ANY);
	int images = kernel->map_fd[TW_MAP_images], code = 0;
	__u32 count = (__u32)n;

	if (!n)
		return 0;
	tw_expedite_begin(&kernel->expedite);
	if (!bpf_map_update_batch(images, slots, fds, &count, &opts))
		return 0;
	code = -errno;
	/* Before Linux 5.19 an array of maps accepts only single updates. */
	if (code == -EOPNOTSUPP || code == -NO_BATCH)
		code = 0;
	for (size_t i = 0; i < n && !code; i++)
		code = bpf_map_update_elem(images, &slots[i], &fds[i], BPF_ANY) ? -errno : 0;
	return code ? tw_err_set(err, code, "image", NULL, "cannot publish %zu slots: %s", n,
			      strerror(-code))
		    : 0;
}

int tw_kernel_put_image(struct tw_kernel *kernel, uint32_t slot, const uint32_t *words,
	size_t n_words, struct tw_err *err)
{
	tw_autofd int fd = -1;
	int code = tw_kernel_make_image(words, n_words, &fd, err);

	return code ? code : tw_kernel_put_images(kernel, &slot, &fd, 1, err);
}

int tw_kernel_drop_image(struct tw_kernel *kernel, uint32_t slot)
{
	tw_expedite_begin(&kernel->expedite);
	return bpf_map_delete_elem(kernel->map_fd[TW_MAP_images], &slot) ? -errno : 0;
}

bool tw_kernel_has_image(struct tw_kernel *kernel, uint32_t slot)
{
	__u32 id = 0;

	return !bpf_map_lookup_elem(kernel->map_fd[TW_MAP_images], &slot, &id) && id;
}

/* Deletion has no batch form: one word of zeros, which is no valid image, replaces them. */
int tw_kernel_drop_images(struct tw_kernel *kernel, const uint32_t *slots, size_t n)
{
	static const uint32_t none;
	tw_autofree int *fds = calloc(n, sizeof(*fds));
	tw_autofd int fd = -1;
	int code;

	if (!fds)
		return -ENOMEM;
	code = tw_kernel_make_image(&none, 1, &fd, NULL);
	for (size_t i = 0; i < n; i++)
		fds[i] = fd;
	return code ? code : tw_kernel_put_images(kernel, slots, fds, n, NULL);
}

int tw_kernel_add_addr(struct tw_kernel *kernel, uint32_t zone, const struct tw_addr *addr,
	uint8_t len, uint32_t kind)
{
	const struct tw_addr_key key = {
		.prefixlen = 32u + len, .zone = tw_be32(zone), .addr = *addr};
	const __u32 value = kind;

	return bpf_map_update_elem(kernel->map_fd[TW_MAP_addrs], &key, &value, BPF_ANY) ? -errno
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

int tw_kernel_put_member(struct tw_kernel *kernel, const struct tw_addr *addr,
	const struct tw_membership *membership)
{
	int fd = kernel->map_fd[TW_MAP_members];

	if (membership->in[0].number[0] || membership->in[1].number[0])
		return bpf_map_update_elem(fd, addr, membership, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(fd, addr) && errno != ENOENT ? -errno : 0;
}

int tw_kernel_put_members(struct tw_kernel *kernel, const struct tw_addr *addrs,
	const struct tw_membership *memberships, size_t n, size_t *ret_n)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_ANY);
	__u32 count = (__u32)n;
	int code = bpf_map_update_batch(
			   kernel->map_fd[TW_MAP_members], addrs, memberships, &count, &opts)
			   ? -errno
			   : 0;

	/* The kernel does not set the count if it refuses the arguments. */
	*ret_n = !code ? n : count < n ? count : 0;
	return code;
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

/* membarrier's global command is synchronize_rcu(). A kernel with tick-free CPUs refuses it. There,
 * an update of an array of maps returns only when every program that ran before it has ended
 * (maybe_wait_bpf_programs() in kernel/bpf/syscall.c). Slot 0 is never read, and keeps its content:
 * emptying it would wait again. */
int tw_kernel_wait(struct tw_kernel *kernel)
{
	const uint32_t none = 0;

	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		return 0;
	return tw_kernel_put_image(kernel, 0, &none, 1, NULL);
}

/* One store of one aligned word: an update by the system call would copy bytes. */
int tw_kernel_store_setting(struct tw_kernel *kernel, size_t offset, uint32_t value)
{
	__atomic_store_n((uint32_t *)((char *)kernel->config + offset), value, __ATOMIC_SEQ_CST);
	return 0;
}

void tw_kernel_set_cut(struct tw_kernel *kernel, uint64_t until_ns)
{
	__atomic_store_n(&kernel->config->cut_until_ns, until_ns, __ATOMIC_SEQ_CST);
}

void tw_kernel_note_policy(
	struct tw_kernel *kernel, uint32_t epoch, const struct tw_policy_note *note)
{
	struct tw_config *config = kernel->config;
	uint32_t at = epoch & 1;

	/* If the agent is killed in between, no text is paired with the number of another
	 * policy. */
	__atomic_store_n(&config->policy_text[at], 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&config->policy_number[at], note->number, __ATOMIC_SEQ_CST);
	__atomic_store_n(&config->policy_since_ns[at], note->since_ns, __ATOMIC_SEQ_CST);
	__atomic_store_n(&config->policy_text[at], note->text, __ATOMIC_SEQ_CST);
}

int tw_kernel_flip(struct tw_kernel *kernel, uint32_t epoch)
{
	int code = tw_kernel_store_setting(kernel, offsetof(struct tw_config, epoch), epoch);

	return code ? code : tw_kernel_wait(kernel);
}
