/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/prove.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fastpath/kernel/attach.h"
#include "fastpath/kernel/tc.h"

#define PROGRAMS_MAX 64 /* the kernel's own limit at a tcx hook (BPF_MPROG_MAX) */

uint32_t tw_prove_id(int prog_fd)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(prog_fd, &info, &len) ? 0 : info.id;
}

/* Lists the programs at a tcx hook in the order in which they run. Returns their number, or a
 * negative errno. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes there */
static int list_programs(uint32_t ifindex, enum tw_dir dir, uint32_t ids[PROGRAMS_MAX])
{
	union bpf_attr attr = {0};

	attr.query.target_fd = ifindex;
	attr.query.attach_type = (__u32)tw_attach_tcx_type(dir);
	attr.query.prog_ids = (__u64)(unsigned long)ids;
	attr.query.prog_cnt = PROGRAMS_MAX;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) < 0)
		return -errno;
	return (int)attr.query.prog_cnt;
}

static int prove_tcx(struct tw_kernel *kernel, uint32_t ifindex, struct tw_kernel_proof *ret)
{
	struct tw_kernel_proof proof = {0};

	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		uint32_t ids[PROGRAMS_MAX], own = tw_prove_id(kernel->prog_fd[dir]);
		int n = list_programs(ifindex, (enum tw_dir)dir, ids);

		if (n < 0)
			return n;
		for (int i = 0; i < n && !proof.attached[dir]; i++) {
			proof.attached[dir] = own && ids[i] == own;
			if (!proof.attached[dir] && !proof.before)
				proof.before = ids[i];
		}
	}
	*ret = proof;
	return 0;
}

int tw_kernel_prove(struct tw_kernel *kernel, uint32_t ifindex, struct tw_kernel_proof *ret)
{
	return kernel->facts.tcx ? prove_tcx(kernel, ifindex, ret)
				 : tw_tc_prove(kernel, ifindex, ret);
}
