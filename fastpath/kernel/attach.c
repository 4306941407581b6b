/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <string.h>
#include <sys/syscall.h>

#include "fastpath/kernel/tc.h"

/* Linux 6.6 (include/uapi/linux/bpf.h); missing in the headers of Debian 12. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS  47
#define LINK_BEFORE	   8 /* BPF_F_BEFORE */

int tw_attach_tcx_type(enum tw_dir dir)
{
	return dir == TW_DIR_OUT ? ATTACH_TCX_INGRESS : ATTACH_TCX_EGRESS;
}

/* Attaches a program at a tcx hook. `flags`: 0 for the last place in the chain, LINK_BEFORE for the
 * first. */
static int link_create(int prog_fd, uint32_t ifindex, int type, uint32_t flags)
{
	union bpf_attr attr = {0};
	long fd;

	attr.link_create.prog_fd = (__u32)prog_fd;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = (__u32)type;
	attr.link_create.flags = flags;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : (int)fd;
}

bool tw_attach_probe_tcx(void)
{
	struct bpf_insn pass[] = {
		{.code = 0xb4, .dst_reg = 0, .imm = -1}, /* w0 = TCX_NEXT */
		{.code = 0x95},				 /* exit */
	};
	tw_autofd int prog = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "probe", "GPL", pass, 2, NULL);
	tw_autofd int link = -1;
	unsigned int loopback = if_nametoindex("lo");

	if (prog < 0 || !loopback)
		return false;
	link = link_create(prog, loopback, ATTACH_TCX_EGRESS, 0);
	return link >= 0;
}

static void link_path(const char *bpffs, uint32_t ifindex, enum tw_dir dir, char *path, size_t max)
{
	snprintf(path, max, "%s/links/%u-%s", bpffs, ifindex, dir == TW_DIR_OUT ? "out" : "in");
}

/* Takes ownership of the fd. */
static int keep_link(struct tw_kernel *kernel, uint32_t ifindex, enum tw_dir dir, int fd)
{
	struct tw_kernel_link link = {ifindex, dir, fd};
	int code = tw_vec_push(&kernel->links, link);

	if (code)
		close(fd);
	return code;
}

static void drop_link(struct tw_kernel *kernel, uint32_t ifindex, enum tw_dir dir)
{
	tw_vec_foreach (&kernel->links, link) {
		if (link->ifindex != ifindex || link->dir != dir || link->fd < 0)
			continue;
		close(TW_TAKE_FD(link->fd));
	}
}

/* A pinned link may outlive its interface; then it is defunct and updates fail with ENOLINK. */
static int attach_tcx(struct tw_kernel *kernel, uint32_t ifindex, enum tw_dir dir)
{
	tw_autofd int link = -1;
	char path[PATH_MAX];

	if (kernel->bpffs) {
		link_path(kernel->bpffs, ifindex, dir, path, sizeof(path));
		link = bpf_obj_get(path);
		if (link >= 0 && !bpf_link_update(link, kernel->prog_fd[dir], NULL))
			return 0;
		if (link >= 0) {
			close(TW_TAKE_FD(link));
			unlink(path);
		}
	}
	tw_expedite_begin(&kernel->expedite);
	link = link_create(kernel->prog_fd[dir], ifindex, tw_attach_tcx_type(dir), LINK_BEFORE);
	if (link < 0)
		return link;
	if (kernel->bpffs)
		return bpf_obj_pin(link, path) ? -errno : 0;
	return keep_link(kernel, ifindex, dir, TW_TAKE_FD(link));
}

/* Notes that a port is attached, for as long as its device lives (path/beyond.h). */
static int note_present(struct tw_kernel *kernel, uint32_t ifindex)
{
	if (!bpf_map_update_elem(kernel->map_fd[TW_MAP_present], &ifindex, &ifindex, BPF_ANY))
		return 0;
	/* the interface is already gone (kernel/bpf/devmap.c) */
	return errno == EINVAL ? -ENODEV : -errno;
}

static int attach_port(struct tw_kernel *kernel, uint32_t ifindex)
{
	int code = 0;

	/* Egress to the guest comes first, so that until both are attached, no port is open to the
	 * guest's frames. */
	for (int dir = TW_DIR__MAX - 1; dir >= 0 && !code; dir--)
		code = attach_tcx(kernel, ifindex, (enum tw_dir)dir);
	return code;
}

int tw_kernel_attach(struct tw_kernel *kernel, uint32_t ifindex, bool make, struct tw_err *err)
{
	char place[IF_NAMESIZE + 16];
	int code, filtered;

	tw_resize_attach(kernel);
	code = tw_kernel_set_full(kernel);
	if (!code && !kernel->facts.tcx) {
		tw_expedite_begin(&kernel->expedite);
		filtered = tw_tc_attach(kernel, ifindex, make, err);
		if (filtered)
			return filtered;
	} else if (!code) {
		code = attach_port(kernel, ifindex);
	}
	if (!code)
		code = note_present(kernel, ifindex);
	if (!code)
		return 0;
	snprintf(place, sizeof(place), "interface %u", ifindex);
	return tw_err_set(err, code, place, NULL, "cannot attach: %s", strerror(-code));
}

/* A pinned link outlives its device, and then has the number 0. */
static bool link_is_live(const char *path, uint32_t ifindex)
{
	struct bpf_link_info info = {0};
	__u32 len = sizeof(info);
	tw_autofd int link = bpf_obj_get(path);

	/* tcx and XDP share this field; Debian 12's headers only know it for XDP. */
	return link >= 0 && !bpf_obj_get_info_by_fd(link, &info, &len) &&
	       info.xdp.ifindex == ifindex;
}

bool tw_kernel_is_attached(struct tw_kernel *kernel, uint32_t ifindex)
{
	char path[PATH_MAX];

	if (!kernel->facts.tcx)
		return tw_tc_is_attached(ifindex);
	if (!kernel->bpffs)
		return false;
	link_path(kernel->bpffs, ifindex, TW_DIR_OUT, path, sizeof(path));
	return link_is_live(path, ifindex);
}

/* ---- uplinks ---- */

/* Detaches explicitly: if only the pin were removed, another holder of the link would keep it
 * attached. */
static void detach_link(const char *path)
{
	tw_autofd int link = bpf_obj_get(path);

	if (link >= 0)
		bpf_link_detach(link);
	unlink(path);
}

static void uplink_path(const char *bpffs, uint32_t ifindex, char *path, size_t max)
{
	snprintf(path, max, "%s/links/%u-uplink", bpffs, ifindex);
}

/* Attaches after the programs that are already there. */
static int attach_uplink_tcx(struct tw_kernel *kernel, uint32_t ifindex)
{
	tw_autofd int link = -1;
	char path[PATH_MAX];

	uplink_path(kernel->bpffs, ifindex, path, sizeof(path));
	link = bpf_obj_get(path);
	if (link >= 0 && !bpf_link_update(link, kernel->uplink_fd, NULL))
		return 0;
	if (link >= 0) {
		close(TW_TAKE_FD(link));
		unlink(path);
	}
	tw_expedite_begin(&kernel->expedite);
	link = link_create(kernel->uplink_fd, ifindex, ATTACH_TCX_INGRESS, 0);
	if (link < 0)
		return link;
	return bpf_obj_pin(link, path) ? -errno : 0;
}

int tw_kernel_attach_uplink(struct tw_kernel *kernel, uint32_t ifindex, struct tw_err *err)
{
	char place[IF_NAMESIZE + 16];
	int code = -EOPNOTSUPP;

	if (kernel->bpffs && !kernel->facts.tcx)
		tw_expedite_begin(&kernel->expedite);
	if (kernel->bpffs)
		code = kernel->facts.tcx ? attach_uplink_tcx(kernel, ifindex)
					 : tw_tc_attach_uplink(kernel, ifindex);
	if (!code)
		return 0;
	snprintf(place, sizeof(place), "interface %u", ifindex);
	return tw_err_set(err, code, place, NULL, "cannot attach: %s", strerror(-code));
}

bool tw_kernel_uplink_is_attached(struct tw_kernel *kernel, uint32_t ifindex)
{
	char path[PATH_MAX];

	if (!kernel->facts.tcx)
		return tw_tc_uplink_is_attached(kernel, ifindex);
	uplink_path(kernel->bpffs, ifindex, path, sizeof(path));
	return link_is_live(path, ifindex);
}

int tw_kernel_cut_uplink(struct tw_kernel *kernel, uint32_t ifindex, uint16_t network)
{
	const __u32 value = network;
	int fd = kernel->map_fd[TW_MAP_uplinks];

	if (!network)
		return bpf_map_delete_elem(fd, &ifindex) && errno != ENOENT ? -errno : 0;
	if (!kernel->facts.uplinks)
		return -EOPNOTSUPP;
	return bpf_map_update_elem(fd, &ifindex, &value, BPF_ANY) ? -errno : 0;
}

void tw_kernel_detach_uplink(struct tw_kernel *kernel, uint32_t ifindex)
{
	char path[PATH_MAX];

	tw_kernel_cut_uplink(kernel, ifindex, 0);
	tw_expedite_begin(&kernel->expedite);
	if (!kernel->facts.tcx) {
		tw_tc_detach(ifindex);
		return;
	}
	if (!kernel->bpffs)
		return;
	uplink_path(kernel->bpffs, ifindex, path, sizeof(path));
	detach_link(path);
}

int tw_kernel_detach(struct tw_kernel *kernel, uint32_t ifindex, struct tw_err *err)
{
	char path[PATH_MAX];

	bpf_map_delete_elem(kernel->map_fd[TW_MAP_present], &ifindex);
	tw_expedite_begin(&kernel->expedite);
	if (!kernel->facts.tcx) {
		tw_tc_detach(ifindex);
		return 0;
	}
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		if (kernel->bpffs) {
			link_path(kernel->bpffs, ifindex, (enum tw_dir)dir, path, sizeof(path));
			detach_link(path);
		} else {
			drop_link(kernel, ifindex, (enum tw_dir)dir);
		}
	}
	return 0;
}

static void release_filters(void)
{
	struct if_nameindex *all = if_nameindex();

	for (struct if_nameindex *i = all; i && i->if_index; i++)
		if (tw_tc_is_ours(i->if_index))
			tw_tc_detach(i->if_index);
	if_freenameindex(all);
}

static void release_folder(const char *folder, bool links)
{
	char path[PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	DIR *dir = opendir(folder);

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (links)
			detach_link(path);
		else
			unlink(path);
	}
	if (dir)
		closedir(dir);
	rmdir(folder);
}

int tw_kernel_release(const char *bpffs, const char *expedite_note, struct tw_err *err)
{
	static const char *const folders[] = {"links", "progs", "maps"};
	struct tw_expedite expedite = {.note = expedite_note};
	char path[PATH_MAX];

	tw_kernel_silence();
	tw_expedite_recover(&expedite);
	tw_expedite_begin(&expedite);
	release_filters();
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", bpffs, folders[i]);
		release_folder(path, i == 0);
	}
	tw_expedite_end(&expedite);
	if (rmdir(bpffs) && errno != ENOENT && errno != EBUSY)
		return tw_err_set(err, -errno, bpffs, NULL, "cannot remove: %s", strerror(errno));
	return 0;
}
