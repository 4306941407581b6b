/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* program.c: how long the programs themselves run, without tap, bridge or system call.
 *
 * The kernel times BPF_PROG_TEST_RUN. A case that leaves the state as it was is repeated in one
 * call; a new connection can be opened only once, so each call opens another one and the median
 * counts, less the median of single calls of an empty program.
 */
#include "bench/bench.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fastpath/kernel/load.h"
#include "policy/policy.h"

#define REPEAT	    20000
#define N_NEW	    400 /* connections opened for one figure */
#define CLIENT_PORT 40000
#define NETWORK	    1

struct lab {
	struct tw_kernel *kernel;
	struct tw_bench_net net;
	uint32_t ifindex[TW_BENCH_ENDS];
	int empty;
	bool open;	    /* the connection that stays */
	uint16_t next_port; /* client port of the next new connection */
};

static int read_policy(const char *path, struct tw_policy **ret, struct tw_err *err)
{
	tw_autofile FILE *file = fopen(path, "re");
	static char text[65536];
	struct tw_diags diags = {0};
	size_t len;
	int e;

	if (!file)
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	len = fread(text, 1, sizeof(text), file);
	e = tw_policy_read(text, len, ret, &diags);
	if (e < 0)
		tw_err_set(err, e, path, NULL, "%s", diags.n ? diags.at[0].text : strerror(-e));
	tw_diags_done(&diags);
	return e;
}

static int set_port(struct lab *lab, const struct tw_policy *policy, enum tw_bench_end end,
	uint32_t epoch, struct tw_err *err)
{
	static const char *const names[] = {[TW_BENCH_A] = "tap-a", [TW_BENCH_B] = "tap-b"};
	const struct tw_vnic *vnic = tw_policy_find_port(policy, names[end]);
	tw_auto(tw_image) struct tw_image *image = NULL;
	struct tw_diags diags = {0};
	struct tw_port port = {0};
	uint32_t slot = 1 + (uint32_t)end;
	int e;

	if (!vnic)
		return tw_err_set(err, -ENOENT, names[end], NULL, "the policy has no such port");
	e = tw_policy_compile(policy, vnic, NULL, &image, &diags);
	tw_diags_done(&diags);
	if (e < 0)
		return tw_err_set(err, e, names[end], NULL, "cannot compile its image");
	e = tw_kernel_put_image(lab->kernel, slot, image->lines, image->n_lines, err);
	if (e < 0)
		return e;
	tw_policy_fill_port(vnic, &port);
	port.id = (uint16_t)slot;
	port.network = NETWORK;
	port.image = slot;
	lab->ifindex[end] = if_nametoindex(names[end]);
	e = tw_kernel_set_port(lab->kernel, lab->ifindex[end], epoch, &port);
	return e < 0 ? tw_err_set(err, e, names[end], NULL, "cannot set the port") : 0;
}

/* A program that does nothing: what BPF_PROG_TEST_RUN itself takes. */
static int load_empty(int *ret, struct tw_err *err)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_OK},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tw_empty", "Dual BSD/GPL", insns,
		sizeof(insns) / sizeof(insns[0]), NULL);

	if (fd < 0)
		return tw_err_set(err, fd, "empty program", NULL, "%s", strerror(-fd));
	*ret = fd;
	return 0;
}

static int lab_init(struct lab *lab, const char *policy_file, struct tw_err *err)
{
	const struct tw_kernel_options options = {0};
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_config config;
	int e;

	e = read_policy(policy_file, &policy, err);
	if (!e)
		e = tw_bench_net_new(&lab->net, err);
	if (!e)
		e = load_empty(&lab->empty, err);
	if (!e)
		e = tw_kernel_open(&options, &lab->kernel, err);
	if (!e)
		e = tw_kernel_get_config(lab->kernel, &config);
	for (int end = 0; !e && end < TW_BENCH_ENDS; end++)
		e = set_port(lab, policy, end, config.epoch + 1, err);
	return e ? e : tw_kernel_flip(lab->kernel, config.epoch + 1);
}

static void lab_done(struct lab *lab)
{
	if (lab->kernel)
		tw_kernel_close(lab->kernel);
	if (lab->empty >= 0)
		close(lab->empty);
	tw_bench_net_done(&lab->net);
}

static int run_empty(const struct lab *lab, const struct tw_bench_frame *frame, uint32_t repeat,
	uint32_t *ret_ns)
{
	struct __sk_buff context = {.ifindex = lab->ifindex[TW_BENCH_A]};
	uint8_t out[TW_BENCH_FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->data + TW_BENCH_VNET_LEN,
		.data_size_in = (uint32_t)(frame->len - TW_BENCH_VNET_LEN), .data_out = out,
		.data_size_out = sizeof(out), .ctx_in = &context, .ctx_size_in = sizeof(context),
		.repeat = (int)repeat);
	int e = bpf_prog_test_run_opts(lab->empty, &run);

	if (!e)
		*ret_ns = run.duration;
	return e;
}

/* One segment through the sender's program and, if it passes, the receiver's: ns in both, less
 * what as many empty programs take. -EIO when it does not fare as `passes` says. */
static int run_tcp(struct lab *lab, const struct tw_bench_tcp *tcp, uint32_t repeat, bool passes,
	double *ret_ns, struct tw_err *err)
{
	const enum tw_bench_end ends[] = {
		tcp->from, tcp->from == TW_BENCH_A ? TW_BENCH_B : TW_BENCH_A};
	struct tw_bench_frame frame;
	struct tw_outcome outcome;
	uint32_t mark = 0, ns = 0, empty_ns = 0;
	double sum = 0;
	int code = TC_ACT_OK;

	for (int dir = TW_DIR_OUT; dir <= TW_DIR_IN && code != TC_ACT_SHOT; dir++) {
		size_t len;
		int e;

		tw_bench_frame_tcp(&frame, tcp);
		len = frame.len - TW_BENCH_VNET_LEN;
		e = run_empty(lab, &frame, repeat, &empty_ns);
		if (!e)
			e = tw_kernel_test_run(lab->kernel, dir, lab->ifindex[ends[dir]],
				frame.data + TW_BENCH_VNET_LEN, &len, sizeof(frame.data), 0, &mark,
				repeat, &code, &ns, &outcome);
		if (e < 0)
			return tw_err_set(err, e, "BPF_PROG_TEST_RUN", NULL, "%s", strerror(-e));
		sum += (double)ns - (double)empty_ns;
	}
	if (passes != (code != TC_ACT_SHOT))
		return tw_err_set(err, -EIO, "program", NULL, "a segment to port %u %s",
			(unsigned int)tcp->dport, passes ? "was denied" : "passed");
	*ret_ns = sum;
	return 0;
}

static int established(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	const struct tw_bench_tcp data = {
		TW_BENCH_A, CLIENT_PORT, TW_BENCH_PORT_OPEN, TH_ACK | TH_PUSH, 1, 1, 64};
	const struct tw_bench_tcp open[] = {
		{TW_BENCH_A, CLIENT_PORT, TW_BENCH_PORT_OPEN, TH_SYN, 0, 0, 64},
		{TW_BENCH_B, TW_BENCH_PORT_OPEN, CLIENT_PORT, TH_SYN | TH_ACK, 0, 1, 64},
		{TW_BENCH_A, CLIENT_PORT, TW_BENCH_PORT_OPEN, TH_ACK, 1, 1, 64},
	};

	for (size_t i = 0; !lab->open && i < sizeof(open) / sizeof(open[0]); i++) {
		int e = run_tcp(lab, &open[i], 1, true, ret_ns, err);

		if (e < 0)
			return e;
	}
	lab->open = true;
	return run_tcp(lab, &data, REPEAT, true, ret_ns, err);
}

static int new_connections(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	struct tw_bench_tcp syn = {
		.from = TW_BENCH_A,
		.dport = TW_BENCH_PORT_OPEN + 1,
		.flags = TH_SYN,
		.frame_len = 64,
	};
	struct tw_bench_series series = {0};
	int e = 0;

	for (int i = 0; !e && i < N_NEW; i++) {
		double ns;

		syn.sport = lab->next_port++;
		e = run_tcp(lab, &syn, 1, true, &ns, err);
		if (!e)
			e = tw_bench_series_add(&series, ns);
	}
	*ret_ns = tw_bench_series_median(&series);
	tw_bench_series_done(&series);
	return e;
}

static int denied(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	const struct tw_bench_tcp syn = {
		TW_BENCH_A, CLIENT_PORT, TW_BENCH_PORT_SHUT, TH_SYN, 0, 0, 64};

	return run_tcp(lab, &syn, REPEAT, false, ret_ns, err);
}

int tw_bench_program(const char *policy_file, size_t rounds,
	struct tw_bench_series ret[static TW_BENCH_CASES], struct tw_err *err)
{
	static int (*const cases[])(struct lab * lab, double *ret_ns, struct tw_err *err) = {
		[TW_BENCH_ESTABLISHED] = established,
		[TW_BENCH_NEW] = new_connections,
		[TW_BENCH_DENIED] = denied,
	};
	struct lab lab = {.net = {.ns = -1, .tap = {-1, -1}}, .empty = -1, .next_port = 1024};
	int e = lab_init(&lab, policy_file, err);

	for (size_t round = 0; !e && round < rounds; round++) {
		for (int i = 0; !e && i < TW_BENCH_CASES; i++) {
			double ns;

			e = cases[i](&lab, &ns, err);
			if (!e)
				e = tw_bench_series_add(&ret[i], ns);
		}
	}
	lab_done(&lab);
	return e;
}
