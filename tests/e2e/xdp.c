/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* xdp INTERFACE: attaches an XDP program that lets all frames pass, in generic mode, and ends. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	unsigned int ifindex = argc == 2 ? if_nametoindex(argv[1]) : 0;
	int prog, ret;

	if (!ifindex) {
		fprintf(stderr, "usage: xdp INTERFACE\n");
		return 2;
	}
	prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", pass, 2, NULL);
	ret = prog < 0 ? prog : bpf_xdp_attach((int)ifindex, prog, XDP_FLAGS_SKB_MODE, NULL);
	if (ret < 0) {
		fprintf(stderr, "xdp: %s: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	return 0;
}
