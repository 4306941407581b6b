/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/tc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <string.h>

#include "fastpath/kernel/prove.h"
#include "fastpath/kernel/qdisc.h"

/* Handle and priority of our filters, the same on every port. */
#define FILTER_HANDLE	0x7477
#define FILTER_PRIORITY 1
/* Handle of a root qdisc that is added here. */
#define ROOT_HANDLE 0x74770000u

/* Qdiscs of an interface that can hold filters. */
struct places {
	struct tw_qdisc ingress;
	struct tw_qdisc root;
	uint32_t parent[TW_DIR__MAX]; /* 0: none */
};

static bool is_kind(const struct tw_qdisc *qdisc, const char *kind)
{
	return !strcmp(qdisc->kind, kind);
}

static int find_places(uint32_t ifindex, struct places *ret)
{
	struct places places = {0};
	int code = tw_qdisc_look(ifindex, &places.ingress, &places.root);

	if (code)
		return code;
	if (is_kind(&places.ingress, "clsact")) {
		places.parent[TW_DIR_OUT] = TW_QDISC_CLSACT_INGRESS;
		places.parent[TW_DIR_IN] = TW_QDISC_CLSACT_EGRESS;
	} else {
		if (is_kind(&places.ingress, "ingress"))
			places.parent[TW_DIR_OUT] = TW_QDISC_INGRESS_FILTERS;
		if (is_kind(&places.root, "htb"))
			places.parent[TW_DIR_IN] = places.root.handle;
	}
	*ret = places;
	return 0;
}

/* Adds the missing qdiscs: ingress and htb; or clsact if the host's root qdisc accepts no filters,
 * or if the kernel has no htb. */
static int make_places(uint32_t ifindex, const struct places *places)
{
	bool ingress = places->parent[TW_DIR_OUT] != 0;
	int code = 0;

	if (!places->parent[TW_DIR_IN])
		code = places->root.handle ? -EBUSY
					   : tw_qdisc_add(ifindex, TC_H_ROOT, ROOT_HANDLE, "htb");
	if ((code == -EBUSY || code == -ENOENT) && !ingress)
		return tw_qdisc_add(ifindex, TC_H_CLSACT, TW_QDISC_INGRESS_FILTERS, "clsact");
	if (!code && !ingress)
		code = tw_qdisc_add(ifindex, TC_H_INGRESS, TW_QDISC_INGRESS_FILTERS, "ingress");
	return code;
}

static int attach_filter(uint32_t ifindex, uint32_t parent, int prog_fd)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		.attach_point = BPF_TC_CUSTOM, .parent = parent);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		.prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&hook, &opts);
}

static void detach_filter(uint32_t ifindex, uint32_t parent)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		.attach_point = BPF_TC_CUSTOM, .parent = parent);
	DECLARE_LIBBPF_OPTS(
		bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	bpf_tc_detach(&hook, &opts);
}

static bool is_first(uint32_t ifindex, uint32_t parent, int prog_fd)
{
	struct tw_qdisc_filter filter = {0};

	return !tw_qdisc_first_filter(ifindex, parent, &filter) && filter.prog_id &&
	       filter.prog_id == tw_prove_id(prog_fd);
}

/* Attaches our filter first: one ahead of it could pass a frame unjudged. Among filters of one
 * priority, the one added last runs first. */
static int attach_first(uint32_t ifindex, uint32_t parent, int prog_fd)
{
	int code = attach_filter(ifindex, parent, prog_fd);

	if (code || is_first(ifindex, parent, prog_fd))
		return code;
	detach_filter(ifindex, parent);
	code = attach_filter(ifindex, parent, prog_fd);
	return code || is_first(ifindex, parent, prog_fd) ? code : -EBUSY;
}

static bool is_empty(uint32_t ifindex, uint32_t parent)
{
	struct tw_qdisc_filter filter;

	return !tw_qdisc_first_filter(ifindex, parent, &filter) && !filter.handle;
}

/* Removes an ingress qdisc without filters other than ours if the host's root qdisc accepts none:
 * clsact takes its place. Such a root has replaced our htb. */
static void free_ingress(uint32_t ifindex, struct places *places)
{
	if (!is_kind(&places->ingress, "ingress") || places->parent[TW_DIR_IN] ||
		!places->root.handle)
		return;
	detach_filter(ifindex, places->parent[TW_DIR_OUT]);
	if (is_empty(ifindex, places->parent[TW_DIR_OUT]) &&
		!tw_qdisc_remove(ifindex, TC_H_INGRESS, TW_QDISC_INGRESS_FILTERS))
		places->parent[TW_DIR_OUT] = 0;
}

int tw_tc_attach(struct tw_kernel *kernel, uint32_t ifindex, bool make, struct tw_err *err)
{
	char place[IF_NAMESIZE + 16];
	struct places places = {0};
	int code = find_places(ifindex, &places);
	bool missing = !places.parent[TW_DIR_OUT] || !places.parent[TW_DIR_IN];

	snprintf(place, sizeof(place), "interface %u", ifindex);
	if (!code && missing && !make)
		return tw_err_set(err, -EAGAIN, place, NULL, "waits for the host's qdiscs");
	if (!code && missing) {
		free_ingress(ifindex, &places);
		code = make_places(ifindex, &places);
		if (code == -EBUSY || code == -ENOENT)
			return tw_err_set(err, -EBUSY, place, "make the root qdisc htb",
				"its ingress qdisc has no egress, and its root qdisc (%s) accepts no filter",
				places.root.kind[0] ? places.root.kind : "default");
		if (!code)
			code = find_places(ifindex, &places);
	}
	/* The direction to the guest comes first, so that until both are attached, no port is open
	 * to the guest's frames. */
	for (int dir = TW_DIR__MAX - 1; dir >= 0 && !code; dir--)
		code = places.parent[dir]
			       ? attach_first(ifindex, places.parent[dir], kernel->prog_fd[dir])
			       : -EAGAIN;
	return code ? tw_err_set(err, code, place, NULL, "cannot attach: %s", strerror(-code)) : 0;
}

int tw_tc_attach_uplink(struct tw_kernel *kernel, uint32_t ifindex)
{
	struct places places = {0};
	int code = find_places(ifindex, &places);

	if (!code && !places.parent[TW_DIR_OUT]) {
		code = tw_qdisc_add(ifindex, TC_H_INGRESS, TW_QDISC_INGRESS_FILTERS, "ingress");
		if (!code)
			code = find_places(ifindex, &places);
	}
	if (code)
		return code;
	return places.parent[TW_DIR_OUT]
		       ? attach_first(ifindex, places.parent[TW_DIR_OUT], kernel->uplink_fd)
		       : -EAGAIN;
}

bool tw_tc_uplink_is_attached(struct tw_kernel *kernel, uint32_t ifindex)
{
	/* The kernel shows the filters of an ingress qdisc at this hook of clsact, too. */
	return is_first(ifindex, TW_QDISC_CLSACT_INGRESS, kernel->uplink_fd);
}

void tw_tc_detach(uint32_t ifindex)
{
	struct places places;
	bool empty;

	if (find_places(ifindex, &places))
		return;
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		if (places.parent[dir])
			detach_filter(ifindex, places.parent[dir]);
	if (places.root.handle == ROOT_HANDLE && is_kind(&places.root, "htb"))
		tw_qdisc_remove(ifindex, TC_H_ROOT, ROOT_HANDLE);
	if (!places.parent[TW_DIR_OUT])
		return;
	/* An ingress qdisc without filters does nothing, but keeps the host from adding its own. */
	empty = is_empty(ifindex, places.parent[TW_DIR_OUT]);
	if (is_kind(&places.ingress, "clsact"))
		empty = empty && is_empty(ifindex, places.parent[TW_DIR_IN]);
	if (empty)
		tw_qdisc_remove(ifindex, TC_H_INGRESS, TW_QDISC_INGRESS_FILTERS);
}

static bool is_program(uint32_t prog_id, const char *name)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);
	tw_autofd int fd = bpf_prog_get_fd_by_id(prog_id);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, name);
}

bool tw_tc_is_ours(uint32_t ifindex)
{
	static const char *const names[] = {[TW_DIR_OUT] = "tw_from_vm", [TW_DIR_IN] = "tw_to_vm"};
	static const char uplink[] = "tw_from_uplink";
	struct places places;

	if (find_places(ifindex, &places))
		return false;
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
			.attach_point = BPF_TC_CUSTOM, .parent = places.parent[dir]);
		DECLARE_LIBBPF_OPTS(
			bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

		if (places.parent[dir] && !bpf_tc_query(&hook, &opts) &&
			(is_program(opts.prog_id, names[dir]) || is_program(opts.prog_id, uplink)))
			return true;
	}
	return false;
}

bool tw_tc_is_attached(uint32_t ifindex)
{
	struct tw_qdisc_filter filter = {0};

	return !tw_qdisc_first_filter(ifindex, TW_QDISC_CLSACT_INGRESS, &filter) &&
	       filter.handle == FILTER_HANDLE && filter.priority == FILTER_PRIORITY &&
	       filter.prog_id;
}

/* Does not read the qdiscs, which costs more. An ingress qdisc shows its filters at both hooks of
 * clsact, so tw_to_vm is at the second one only if the qdisc is clsact. */
int tw_tc_prove(struct tw_kernel *kernel, uint32_t ifindex, struct tw_kernel_proof *ret)
{
	uint32_t from_vm = tw_prove_id(kernel->prog_fd[TW_DIR_OUT]);
	uint32_t to_vm = tw_prove_id(kernel->prog_fd[TW_DIR_IN]);
	struct tw_qdisc_filter out = {0}, in = {0};
	struct tw_kernel_proof proof = {0};
	int code = tw_qdisc_first_filter(ifindex, TW_QDISC_CLSACT_INGRESS, &out);

	if (!code)
		code = tw_qdisc_first_filter(ifindex, TW_QDISC_CLSACT_EGRESS, &in);
	if (!code && (!in.prog_id || in.prog_id != to_vm))
		code = tw_qdisc_first_filter(ifindex, 0, &in);
	if (code)
		return code;
	proof.attached[TW_DIR_OUT] = out.prog_id && out.prog_id == from_vm;
	proof.attached[TW_DIR_IN] = in.prog_id && in.prog_id == to_vm;
	*ret = proof;
	return 0;
}
