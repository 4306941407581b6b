/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/memory.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define WORDS_TYPE "rtnl_link_stats64" /* exists in every kernel, with only 64-bit counters */

/* BTF ids of the two functions; 0: programs do not call them. */
static struct {
	__u32 context;
	__u32 words;
} calls;

/* Sets the numbers of kernel functions, which differ from kernel to kernel, in a program's calls.
 * Its subprograms are part of it by now. */
static int set_calls(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	size_t n = bpf_program__insn_cnt(prog);
	tw_autofree struct bpf_insn *insns = tw_alloc_array(n, sizeof(*insns));

	(void)opts;
	(void)cookie;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
	for (size_t i = 0; calls.words && i < n; i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg)
			continue;
		if (insns[i].imm != TW_CALL_CONTEXT && insns[i].imm != TW_CALL_WORDS)
			continue;
		insns[i].src_reg = BPF_PSEUDO_KFUNC_CALL;
		insns[i].imm = (__s32)(insns[i].imm == TW_CALL_WORDS ? calls.words : calls.context);
	}
	return bpf_program__set_insns(prog, insns, n);
}

/* Makes libbpf call set_calls() for each program of section tc right before it is loaded. Does
 * nothing the second time. */
static int handle_programs(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = set_calls);
	static int handler;

	if (!handler)
		handler = libbpf_register_prog_handler("tc", BPF_PROG_TYPE_SCHED_CLS, 0, &opts);
	return handler < 0 ? handler : 0;
}

static __u32 find(const struct btf *btf, const char *name, __u32 kind)
{
	__s32 id = btf__find_by_name_kind(btf, name, kind);

	return id < 0 ? 0 : (__u32)id;
}

/* True if member n of a structure is a 64-bit integer at word n. */
static bool is_word(const struct btf *btf, const struct btf_type *type, __u32 n)
{
	__s32 member = btf__resolve_type(btf, btf_members(type)[n].type);

	return member >= 0 && btf_is_int(btf__type_by_id(btf, (__u32)member)) &&
	       btf__resolve_size(btf, (__u32)member) == sizeof(__u64) &&
	       btf_member_bit_offset(type, n) == n * 64;
}

static __u32 find_type(const struct btf *btf)
{
	__u32 id = find(btf, WORDS_TYPE, BTF_KIND_STRUCT);
	const struct btf_type *type = btf__type_by_id(btf, id);

	if (!id || btf_vlen(type) < TW_MEMORY_WORDS)
		return 0;
	for (__u32 n = 0; n < TW_MEMORY_WORDS; n++)
		if (!is_word(btf, type, n))
			return 0;
	return id;
}

int tw_memory_init(const struct btf *kernel, struct tw_memory *ret)
{
	__u32 type = kernel ? find_type(kernel) : 0;

	if (type) {
		calls.context = find(kernel, "bpf_cast_to_kern_ctx", BTF_KIND_FUNC);
		calls.words = find(kernel, "bpf_rdonly_cast", BTF_KIND_FUNC);
	}
	ret->type = calls.context && calls.words ? type : 0;
	if (!ret->type)
		calls.words = 0;
	return handle_programs();
}
