/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/program.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/wire.h"
#include "fastpath/kernel/load.h"
#include "policy/policy.h"

#define REPEAT	   20000
#define N_NEW	   400	/* connections opened for one figure */
#define N_RANDOM   2000 /* connections hit for one figure */
#define OPEN_PORTS 32	/* that the policy allows */
#define N_SPORTS   (65536 - TW_BENCH_SPORT_MIN)
#define NETWORK	   1

struct lab {
	struct tw_kernel *kernel;
	struct tw_bench_net net;
	uint32_t ifindex[TW_BENCH_ENDS];
	int empty;
	uint32_t n_open; /* connections that are open; the first of them stays in caches */
	uint32_t n_new;	 /* half-open ones */
	uint64_t chance; /* for random ones */
};

static int read_text(const char *path, char **ret, size_t *ret_len, struct tw_err *err)
{
	tw_autofile FILE *file = fopen(path, "re");
	tw_autofile FILE *out = open_memstream(ret, ret_len);
	char part[4096];
	size_t n;

	if (!file || !out)
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	while ((n = fread(part, 1, sizeof(part), file)) > 0)
		fwrite(part, 1, n, out);
	return 0;
}

static int write_text(
	const struct tw_bench_rules *rules, char **ret, size_t *ret_len, struct tw_err *err)
{
	tw_autofile FILE *out = open_memstream(ret, ret_len);

	if (!out)
		return tw_err_set(err, -errno, "rules", NULL, "%s", strerror(errno));
	tw_bench_rules_policy(rules, out);
	return 0;
}

/* The policy of a file, or that of `rules`. */
static int read_policy(const char *path, const struct tw_bench_rules *rules, struct tw_policy **ret,
	struct tw_err *err)
{
	tw_autofree char *text = NULL;
	struct tw_diags diags = {0};
	size_t len = 0;
	int e = rules ? write_text(rules, &text, &len, err) : read_text(path, &text, &len, err);

	if (e < 0)
		return e;
	e = tw_policy_read(text, len, ret, &diags);
	if (e < 0)
		tw_err_set(err, e, rules ? "rules" : path, NULL, "%s",
			diags.n ? diags.at[0].text : strerror(-e));
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
	if (e < 0)
		tw_err_set(err, e, names[end], NULL, "cannot compile its image: %s",
			diags.n ? diags.at[0].text : strerror(-e));
	tw_diags_done(&diags);
	if (e < 0)
		return e;
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

static int lab_init(struct lab *lab, const char *policy_file, const struct tw_bench_rules *rules,
	uint32_t max_conns, struct tw_err *err)
{
	const struct tw_kernel_options options = {.max_conns = max_conns};
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_config config;
	int e;

	*lab = (struct lab){.net = TW_BENCH_NET_NONE, .empty = -1, .chance = 1};
	e = read_policy(policy_file, rules, &policy, err);
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
	uint8_t out[2048];
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
static int run_tcp(struct lab *lab, const struct tw_bench_packet *packet, uint32_t repeat,
	bool passes, double *ret_ns, struct tw_err *err)
{
	const enum tw_bench_end ends[] = {packet->from, !packet->from};
	static struct tw_bench_frame frame;
	struct tw_outcome outcome;
	uint32_t mark = 0, ns = 0, empty_ns = 0;
	double sum = 0;
	int code = TC_ACT_OK;

	for (int dir = TW_DIR_OUT; dir <= TW_DIR_IN && code != TC_ACT_SHOT; dir++) {
		size_t len;
		int e;

		tw_bench_frame_make(&frame, packet);
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
			(unsigned int)packet->dport, passes ? "was denied" : "passed");
	*ret_ns = sum;
	return 0;
}

/* ---- cases ---- */

static struct tw_bench_packet segment(enum tw_bench_end from, uint32_t n, uint8_t flags)
{
	uint16_t client = (uint16_t)(TW_BENCH_SPORT_MIN + n / OPEN_PORTS % N_SPORTS);
	uint16_t server = (uint16_t)(TW_BENCH_PORT_OPEN + n % OPEN_PORTS);
	bool forth = from == TW_BENCH_A;

	return (struct tw_bench_packet){
		.from = from,
		.protocol = IPPROTO_TCP,
		.sport = forth ? client : server,
		.dport = forth ? server : client,
		.flags = flags,
		.seq = forth && !(flags & TH_SYN),
		.ack = !!(flags & TH_ACK),
		.len = 64,
	};
}

/* Opens connections until `n` are open. */
static int open_connections(struct lab *lab, uint32_t n, struct tw_err *err)
{
	double ns;
	int e = 0;

	while (!e && lab->n_open < n) {
		const struct tw_bench_packet steps[] = {
			segment(TW_BENCH_A, lab->n_open, TH_SYN),
			segment(TW_BENCH_B, lab->n_open, TH_SYN | TH_ACK),
			segment(TW_BENCH_A, lab->n_open, TH_ACK),
		};

		for (size_t i = 0; !e && i < sizeof(steps) / sizeof(steps[0]); i++)
			e = run_tcp(lab, &steps[i], 1, true, &ns, err);
		lab->n_open += !e;
	}
	return e;
}

static int established(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	const struct tw_bench_packet data = segment(TW_BENCH_A, 0, TH_ACK | TH_PUSH);
	int e = open_connections(lab, 1, err);

	return e ? e : run_tcp(lab, &data, REPEAT, true, ret_ns, err);
}

/* The median of `n` single runs, each with the next segment of a series. */
static int single_runs(struct lab *lab, int n, struct tw_bench_packet (*next)(struct lab *lab),
	double *ret_ns, struct tw_err *err)
{
	struct tw_bench_series series = {0};
	int e = 0;

	for (int i = 0; !e && i < n; i++) {
		const struct tw_bench_packet packet = next(lab);
		double ns;

		e = run_tcp(lab, &packet, 1, true, &ns, err);
		if (!e)
			e = tw_bench_series_add(&series, ns);
	}
	*ret_ns = tw_bench_series_quantile(&series, 0.5);
	tw_bench_series_done(&series);
	return e;
}

static struct tw_bench_packet random_open(struct lab *lab)
{
	/* Knuth's MMIX generator; its upper bits are good. */
	lab->chance = lab->chance * 6364136223846793005u + 1442695040888963407u;
	return segment(TW_BENCH_A, (uint32_t)(lab->chance >> 33) % lab->n_open, TH_ACK | TH_PUSH);
}

static int established_random(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	return single_runs(lab, N_RANDOM, random_open, ret_ns, err);
}

/* To ports that every list of rules allows. */
static struct tw_bench_packet next_new(struct lab *lab)
{
	uint32_t n = lab->n_new++;
	struct tw_bench_packet packet = segment(TW_BENCH_A, 0, TH_SYN);

	packet.dport = (uint16_t)(TW_BENCH_PORT_OPEN + 1 + n % (TW_BENCH_N_OPEN - 1));
	packet.sport = (uint16_t)(TW_BENCH_SPORT_MIN + n / (TW_BENCH_N_OPEN - 1) % N_SPORTS);
	return packet;
}

static int new_connections(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	return single_runs(lab, N_NEW, next_new, ret_ns, err);
}

static int denied(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	struct tw_bench_packet syn = segment(TW_BENCH_A, 0, TH_SYN);

	syn.dport = TW_BENCH_PORT_SHUT;
	return run_tcp(lab, &syn, REPEAT, false, ret_ns, err);
}

struct program_case {
	const char *name;
	int (*measure)(struct lab *lab, double *ret_ns, struct tw_err *err);
};

#define CASES_MAX 3

static int run_cases(struct lab *lab, const struct program_case *cases, size_t n, size_t rounds,
	struct tw_bench_results *results, struct tw_err *err)
{
	static const struct tw_bench_metric metric = {"ns", "ns"};
	struct tw_bench_series series[CASES_MAX] = {0};
	int e = 0;

	for (size_t round = 0; !e && round < rounds; round++) {
		for (size_t i = 0; !e && i < n; i++) {
			double ns;

			e = cases[i].measure(lab, &ns, err);
			if (!e)
				e = tw_bench_series_add(&series[i], ns);
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (!e) {
			printf("program  %s %.0f  ns inside\n", cases[i].name,
				tw_bench_series_quantile(&series[i], 0.5));
			e = tw_bench_results_add(results, "program", "tapwall", &metric, &series[i],
				0, cases[i].name);
		}
		tw_bench_series_done(&series[i]);
	}
	fflush(stdout);
	return e;
}

static int run_base(const struct tw_bench_program *program, struct tw_bench_results *results,
	struct tw_err *err)
{
	static const struct program_case cases[] = {
		{"established", established}, {"new", new_connections}, {"denied", denied}};
	struct lab lab;
	int e = lab_init(&lab, program->policy, NULL, 0, err);

	if (!e)
		e = run_cases(&lab, cases, 3, program->rounds, results, err);
	lab_done(&lab);
	return e;
}

static int run_many_open(const struct tw_bench_program *program, struct tw_bench_results *results,
	struct tw_err *err)
{
	const struct program_case one = {"established-1M", established_random};
	struct lab lab;
	int e = lab_init(&lab, program->policy, NULL, program->n_open + program->n_open / 4, err);

	if (!e)
		e = open_connections(&lab, program->n_open, err);
	if (!e)
		e = run_cases(&lab, &one, 1, program->rounds, results, err);
	lab_done(&lab);
	return e;
}

static int run_many_rules(const struct tw_bench_program *program, struct tw_bench_results *results,
	struct tw_err *err)
{
	const struct program_case one = {program->rules_case, new_connections};
	struct lab lab;
	int e = lab_init(&lab, NULL, program->rules, 0, err);

	if (!e) {
		e = run_cases(&lab, &one, 1, program->rounds, results, err);
	} else if (e == -E2BIG) {
		e = tw_bench_results_skip(results, "program", "tapwall", err);
		*err = (struct tw_err){0};
	}
	lab_done(&lab);
	return e;
}

int tw_bench_program_run(const struct tw_bench_program *program, struct tw_bench_results *results,
	struct tw_err *err)
{
	int e = run_base(program, results, err);

	if (!e && program->n_open)
		e = run_many_open(program, results, err);
	if (!e && program->rules)
		e = run_many_rules(program, results, err);
	return e;
}
