/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ports.c: stores ports' entries and replaces them under traffic.
 *
 * How:        an entry is written to a slot that no packet reads, then one store into `port_slots`
 *             makes packets find it. Its old slot is reused only after every packet that may have
 *             found it has been judged. Both epochs may share a slot.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "fastpath/kernel/kernel.h"

static void *map_table(const struct tw_kernel *kernel, enum tw_map map, size_t bytes)
{
	void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, kernel->map_fd[map], 0);

	return table == MAP_FAILED ? NULL : table;
}

int tw_kernel_ports_init(struct tw_kernel *kernel)
{
	struct tw_kernel_ports *ports = &kernel->ports;
	tw_autofree unsigned char *used = calloc(TW_PORT_SLOTS, 1);
	int code = 0;

	ports->ids = map_table(kernel, TW_MAP_port_ids, TW_PORT_IDS * sizeof(*ports->ids));
	ports->slots = map_table(
		kernel, TW_MAP_port_slots, 2 * TW_PORTS_MAX * sizeof(*ports->slots));
	if (!ports->ids || !ports->slots || !used)
		return -ENOMEM;
	for (__u32 i = 0; i < 2 * TW_PORTS_MAX; i++)
		used[ports->slots[i].word % TW_PORT_SLOTS] = 1;
	/* Slot 0 means none. */
	for (__u32 slot = TW_PORT_SLOTS - 1; slot > 0 && !code; slot--)
		if (!used[slot])
			code = tw_vec_push(&ports->free, slot);
	return code;
}

void tw_kernel_ports_done(struct tw_kernel_ports *ports)
{
	if (ports->ids)
		munmap(ports->ids, TW_PORT_IDS * sizeof(*ports->ids));
	if (ports->slots)
		munmap(ports->slots, 2 * TW_PORTS_MAX * sizeof(*ports->slots));
	tw_vec_done(&ports->free);
	tw_vec_done(&ports->retired);
}

/* Takes a slot that no packet can be reading. If only retired ones are left, waits until every
 * running program has ended (membarrier's global command is synchronize_rcu()). */
static int take_slot(struct tw_kernel_ports *ports, __u32 *ret)
{
	int code = 0;

	if (!ports->free.n && ports->retired.n) {
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
		tw_vec_foreach (&ports->retired, slot)
			code = code ? code : tw_vec_push(&ports->free, *slot);
		ports->retired.n = 0;
	}
	if (code || !ports->free.n)
		return code ? code : -ENOSPC;
	*ret = ports->free.at[--ports->free.n];
	return 0;
}

/* Makes `slot` the place of an entry. Its old slot is retired, unless the other epoch uses it
 * too. */
static int put_slot(struct tw_kernel_ports *ports, uint32_t id, uint32_t epoch, __u32 slot)
{
	__u32 *at = &ports->slots[tw_port_key(id, epoch)].word, old = *at;
	bool shared = old == ports->slots[tw_port_key(id, epoch + 1)].word;
	int code = old && !shared ? tw_vec_push(&ports->retired, old) : 0;

	if (!code)
		__atomic_store_n(at, slot, __ATOMIC_SEQ_CST);
	return code;
}

static uint32_t get_id(const struct tw_kernel *kernel, uint32_t ifindex)
{
	__u32 id = 0;

	if (ifindex < TW_PORT_IDS)
		return kernel->ports.ids[ifindex].word;
	bpf_map_lookup_elem(kernel->map_fd[TW_MAP_port_ids_hi], &ifindex, &id);
	return id;
}

static int put_id(struct tw_kernel *kernel, uint32_t ifindex, __u32 id)
{
	int fd = kernel->map_fd[TW_MAP_port_ids_hi];

	if (ifindex < TW_PORT_IDS) {
		__atomic_store_n(&kernel->ports.ids[ifindex].word, id, __ATOMIC_SEQ_CST);
		return 0;
	}
	if (id)
		return bpf_map_update_elem(fd, &ifindex, &id, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(fd, &ifindex) && errno != ENOENT ? -errno : 0;
}

/* True if the entry of an id in an epoch was written for this interface. */
static bool has_entry(const struct tw_kernel *kernel, uint32_t id, uint32_t epoch, uint32_t ifindex)
{
	__u32 slot = kernel->ports.slots[tw_port_key(id, epoch)].word;
	struct tw_port entry;

	return slot && !bpf_map_lookup_elem(kernel->map_fd[TW_MAP_ports], &slot, &entry) &&
	       entry.ifindex == ifindex;
}

int tw_kernel_put_grants(
	struct tw_kernel *kernel, uint32_t id, uint32_t epoch, const struct tw_grants *grants)
{
	const __u32 key = tw_port_key(id, epoch);
	int fd = kernel->map_fd[TW_MAP_grants];

	if (grants)
		return bpf_map_update_elem(fd, &key, grants, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(fd, &key) && errno != ENOENT ? -errno : 0;
}

/* Hides an entry from packets, then removes its rights. */
static int drop_entry(struct tw_kernel *kernel, uint32_t id, uint32_t epoch)
{
	int code = put_slot(&kernel->ports, id, epoch, 0);

	return code ? code : tw_kernel_put_grants(kernel, id, epoch, NULL);
}

/* Does not touch an id that another interface has now. */
static int remove_port(struct tw_kernel *kernel, uint32_t ifindex, uint32_t epoch)
{
	uint32_t id = get_id(kernel, ifindex);
	int code = 0;

	if (!id || id >= TW_PORTS_MAX)
		return 0;
	if (has_entry(kernel, id, epoch, ifindex))
		code = drop_entry(kernel, id, epoch);
	if (code || has_entry(kernel, id, epoch + 1, ifindex))
		return code;
	return put_id(kernel, ifindex, 0);
}

int tw_kernel_set_port(
	struct tw_kernel *kernel, uint32_t ifindex, uint32_t epoch, const struct tw_port *port)
{
	struct tw_port entry;
	__u32 slot = 0;
	int code;

	if (!port)
		return remove_port(kernel, ifindex, epoch);
	if (!port->id || port->id >= TW_PORTS_MAX)
		return -EINVAL;
	entry = *port;
	entry.ifindex = ifindex;
	code = take_slot(&kernel->ports, &slot);
	if (!code && bpf_map_update_elem(kernel->map_fd[TW_MAP_ports], &slot, &entry, BPF_ANY))
		code = -errno;
	if (!code)
		code = put_slot(&kernel->ports, port->id, epoch, slot);
	return code ? code : put_id(kernel, ifindex, port->id);
}

int tw_kernel_share_port(struct tw_kernel *kernel, uint32_t ifindex, uint32_t epoch)
{
	uint32_t id = get_id(kernel, ifindex);
	__u32 slot = id && id < TW_PORTS_MAX && has_entry(kernel, id, epoch + 1, ifindex)
			     ? kernel->ports.slots[tw_port_key(id, epoch + 1)].word
			     : 0;

	return slot ? put_slot(&kernel->ports, id, epoch, slot) : -ENOENT;
}

int tw_kernel_get_port(
	struct tw_kernel *kernel, uint32_t ifindex, uint32_t epoch, struct tw_port *ret)
{
	uint32_t id = get_id(kernel, ifindex);
	__u32 slot = id < TW_PORTS_MAX ? kernel->ports.slots[tw_port_key(id, epoch)].word : 0;
	struct tw_port port;

	if (!id || !slot)
		return -ENOENT;
	if (bpf_map_lookup_elem(kernel->map_fd[TW_MAP_ports], &slot, &port))
		return -errno;
	if (port.ifindex != ifindex)
		return -ENOENT;
	*ret = port;
	return 0;
}

int tw_kernel_drop_stray(struct tw_kernel *kernel, uint32_t id, uint32_t epoch)
{
	return id && id < TW_PORTS_MAX ? drop_entry(kernel, id, epoch) : -EINVAL;
}

int tw_kernel_each_port(struct tw_kernel *kernel,
	int (*each)(void *arg, uint32_t ifindex, uint32_t epoch, const struct tw_port *port),
	void *arg)
{
	int code = 0;

	for (__u32 key = 0; key < 2 * TW_PORTS_MAX && !code; key++) {
		__u32 slot = kernel->ports.slots[key].word;
		struct tw_port port;

		if (!slot)
			continue;
		if (bpf_map_lookup_elem(kernel->map_fd[TW_MAP_ports], &slot, &port))
			return -errno;
		code = each(arg, port.ifindex, key & 1, &port);
	}
	return code;
}
