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
#include "bench/vary.skel.h"
#include "fastpath/kernel/load.h"
#include "policy/policy.h"

#define REPEAT	      20000
#define N_ARRIVALS    401 /* number of runs of the receiver's program, one frame each */
#define AGENT_SECONDS 3600
#define N_NEW	      8000   /* connections per figure; the first ones are negligible */
#define N_KEPT	      100000 /* the table is emptied after this many, so it is never nearly full */
#define OPEN_PORTS    32     /* number of ports that the policy allows */
#define N_SPORTS      (65536 - TW_BENCH_SPORT_MIN)
#define NETWORK	      1
#define LEN_MAX	      1518

struct lab {
	struct tw_kernel *kernel;
	struct vary_bpf *vary;
	struct tw_bench_net net;
	uint32_t ifindex[TW_BENCH_ENDS];
	int empty;
	uint32_t n_open; /* number of open connections; the first one stays in the caches */
	uint32_t n_new;	 /* half-open connections opened so far */
	uint32_t n_kept; /* number of half-open connections in the table */
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

/* Reads the policy from a file, or generates it from `rules`. */
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

/* Writes an entry for a MAC to `locals`, as the agent does, so that cut-through may deliver there. */
static int vouch(struct lab *lab, uint32_t ifindex, const uint8_t *mac)
{
	const struct tw_local local = {.ifindex = ifindex, .len_max = LEN_MAX};
	struct tw_local_key key = {.network = NETWORK};
	int fd = tw_kernel_map_fd(lab->kernel, TW_MAP_locals);

	memcpy(key.mac, mac, sizeof(key.mac));
	return bpf_map_update_elem(fd, &key, &local, BPF_ANY) < 0 ? -errno : 0;
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
	e = tw_kernel_put_image(lab->kernel, slot, image->words, image->n_words, err);
	if (e < 0)
		return e;
	tw_policy_fill_port(vnic, &port);
	port.id = (uint16_t)slot;
	port.network = NETWORK;
	port.image = slot;
	port.flags |= TW_PORT_F_CUT;
	port.len_max = LEN_MAX;
	lab->ifindex[end] = if_nametoindex(names[end]);
	e = tw_kernel_set_port(lab->kernel, lab->ifindex[end], epoch, &port);
	if (!e)
		e = vouch(lab, lab->ifindex[end], port.mac);
	return e < 0 ? tw_err_set(err, e, names[end], NULL, "cannot set the port") : 0;
}

/* Writes the members of the policy's groups. */
static int set_groups(
	struct lab *lab, const struct tw_policy *policy, uint32_t epoch, struct tw_err *err)
{
	struct tw_members members = {0};
	int e = tw_policy_members(policy, &members);

	tw_vec_foreach (&members.all, member) {
		struct tw_membership membership = {0};

		membership.in[epoch & 1] = member->in;
		if (!e)
			e = tw_kernel_put_member(lab->kernel, &member->addr, &membership);
	}
	tw_members_done(&members);
	return e < 0 ? tw_err_set(err, e, "groups", NULL, "cannot write their members") : 0;
}

/* Loads a program that does nothing, to measure the cost of BPF_PROG_TEST_RUN itself. */
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

	*lab = (struct lab){.net = TW_BENCH_NET_NONE, .empty = -1};
	e = read_policy(policy_file, rules, &policy, err);
	if (!e)
		e = tw_bench_net_new(&lab->net, err);
	if (!e)
		e = load_empty(&lab->empty, err);
	lab->vary = e ? NULL : vary_bpf__open_and_load();
	if (!e && !lab->vary)
		e = tw_err_set(err, -errno, "vary", NULL, "%s", strerror(errno));
	if (!e)
		e = tw_kernel_open(&options, &lab->kernel, err);
	if (!e)
		e = tw_kernel_get_config(lab->kernel, &config);
	if (!e) {
		config.cut_until_ns = UINT64_MAX;
		/* Pretends that an agent is running, so that the programs do not have to sweep. */
		config.agent_seen = (uint32_t)(tw_bench_wall_ns() >> TW_TICK_SHIFT) +
				    AGENT_SECONDS * TW_TICKS_PER_SECOND;
		e = tw_kernel_set_config(lab->kernel, &config);
	}
	for (int end = 0; !e && end < TW_BENCH_ENDS; end++)
		e = set_port(lab, policy, end, config.epoch + 1, err);
	if (!e)
		e = set_groups(lab, policy, config.epoch + 1, err);
	return e ? e : tw_kernel_flip(lab->kernel, config.epoch + 1);
}

static void lab_done(struct lab *lab)
{
	if (lab->kernel)
		tw_kernel_close(lab->kernel);
	vary_bpf__destroy(lab->vary);
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

/* Runs one program `repeat` times on one frame, which leaves or enters a guest. */
static int run_program(struct lab *lab, enum tw_dir dir, const struct tw_bench_packet *packet,
	uint32_t repeat, struct tw_beside *beside, int *ret_code, uint32_t *ret_ns,
	struct tw_err *err)
{
	enum tw_bench_end end = dir == TW_DIR_OUT ? packet->from : !packet->from;
	static struct tw_bench_frame frame;
	size_t len;
	int e;

	tw_bench_frame_make(&frame, packet);
	tw_bench_frame_finish(&frame);
	len = frame.len - TW_BENCH_VNET_LEN;
	e = tw_kernel_test_run(lab->kernel, dir, lab->ifindex[end], frame.data + TW_BENCH_VNET_LEN,
		&len, sizeof(frame.data), 0, beside, repeat, ret_code, ret_ns, NULL);
	return e < 0 ? tw_err_set(err, e, "BPF_PROG_TEST_RUN", NULL, "%s", strerror(-e)) : 0;
}

/* Runs a segment through the sender's program and, if it passes, through the receiver's. Returns
 * the time of both in ns, less the time of as many empty programs. -EIO if the segment's verdict
 * differs from `passes`. */
static int run_tcp(struct lab *lab, const struct tw_bench_packet *packet, uint32_t repeat,
	bool passes, double *ret_ns, struct tw_err *err)
{
	static struct tw_bench_frame frame;
	struct tw_beside beside = {0};
	uint32_t ns = 0, empty_ns = 0;
	double sum = 0;
	int code = TC_ACT_OK;

	tw_bench_frame_make(&frame, packet);
	tw_bench_frame_finish(&frame);
	for (int dir = TW_DIR_OUT; dir <= TW_DIR_IN && code != TC_ACT_SHOT; dir++) {
		int e = run_empty(lab, &frame, repeat, &empty_ns);

		if (!e)
			e = run_program(
				lab, (enum tw_dir)dir, packet, repeat, &beside, &code, &ns, err);
		if (e < 0)
			return e;
		sum += (double)ns - (double)empty_ns;
	}
	if (passes != (code != TC_ACT_SHOT))
		return tw_err_set(err, -EIO, "program", NULL, "a segment to port %u %s",
			(unsigned int)packet->dport, passes ? "was denied" : "passed");
	*ret_ns = sum;
	return 0;
}

/* Runs a frame with changing ports through `program`. */
static int run_vary(struct lab *lab, const struct tw_bench_frame *frame, int program,
	uint32_t repeat, struct tw_beside *beside, int *ret_code, uint32_t *ret_ns,
	struct tw_err *err)
{
	struct __sk_buff context = {.ifindex = lab->ifindex[TW_BENCH_A]};
	uint32_t zero = 0;
	uint8_t out[2048];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->data + TW_BENCH_VNET_LEN,
		.data_size_in = (uint32_t)(frame->len - TW_BENCH_VNET_LEN), .data_out = out,
		.data_size_out = sizeof(out), .ctx_in = &context, .ctx_size_in = sizeof(context),
		.ctx_out = &context, .ctx_size_out = sizeof(context), .repeat = (int)repeat);
	int e = bpf_map_update_elem(bpf_map__fd(lab->vary->maps.next), &zero, &program, BPF_ANY);

	if (!e)
		e = bpf_prog_test_run_opts(bpf_program__fd(lab->vary->progs.vary), &run);
	if (e < 0)
		return tw_err_set(err, -errno, "BPF_PROG_TEST_RUN", NULL, "%s", strerror(errno));
	beside->mark = context.mark;
	*ret_code = (int)run.retval;
	*ret_ns = run.duration;
	return 0;
}

/* Sets the connections to which the frames belong; see vary.bpf.c. */
static void set_varied(struct lab *lab, uint32_t first_dport, uint32_t n_dports, uint32_t n_random)
{
	lab->vary->bss->first_sport = TW_BENCH_SPORT_MIN;
	lab->vary->data->n_sports = N_SPORTS;
	lab->vary->bss->first_dport = first_dport;
	lab->vary->data->n_dports = n_dports;
	lab->vary->bss->n_random = n_random;
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

/* Opens connections until `n` are open. If frames are cut through, the sender's program alone
 * checks both gates. */
static int open_connections(struct lab *lab, uint32_t n, struct tw_err *err)
{
	int e = 0;

	while (!e && lab->n_open < n) {
		const struct tw_bench_packet steps[] = {
			segment(TW_BENCH_A, lab->n_open, TH_SYN),
			segment(TW_BENCH_B, lab->n_open, TH_SYN | TH_ACK),
			segment(TW_BENCH_A, lab->n_open, TH_ACK),
		};

		for (size_t i = 0; !e && i < sizeof(steps) / sizeof(steps[0]); i++) {
			struct tw_beside beside = {0};
			uint32_t ns;
			int code;

			e = run_program(lab, TW_DIR_OUT, &steps[i], 1, &beside, &code, &ns, err);
			if (!e && code != TC_ACT_REDIRECT)
				e = tw_err_set(err, -EIO, "program", NULL,
					"connection %u does not open", lab->n_open);
		}
		lab->n_open += !e;
	}
	return e;
}

/* Measures the receiver's program for a frame that is cut through to it. The redirect token that
 * the sender's program leaves is valid once, so each run follows a run of the sender's program. The
 * result is the median. */
static int run_arrivals(
	struct lab *lab, const struct tw_bench_packet *packet, double *ret_ns, struct tw_err *err)
{
	struct tw_bench_series series = {0};
	static struct tw_bench_frame frame;
	int e = 0;

	tw_bench_frame_make(&frame, packet);
	tw_bench_frame_finish(&frame);
	for (int i = 0; !e && i < N_ARRIVALS; i++) {
		struct tw_beside beside = {0};
		uint32_t ns = 0, empty_ns = 0;
		int code;

		e = run_empty(lab, &frame, 1, &empty_ns);
		if (!e)
			e = run_program(lab, TW_DIR_OUT, packet, 1, &beside, &code, &ns, err);
		if (!e)
			e = run_program(lab, TW_DIR_IN, packet, 1, &beside, &code, &ns, err);
		if (!e)
			e = tw_bench_series_add(&series, (double)ns - (double)empty_ns);
	}
	*ret_ns = tw_bench_series_quantile(&series, 0.5);
	tw_bench_series_done(&series);
	return e;
}

static int established(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	const struct tw_bench_packet data = segment(TW_BENCH_A, 0, TH_ACK | TH_PUSH);
	static struct tw_bench_frame frame;
	struct tw_beside beside = {0};
	uint32_t ns = 0, empty_ns = 0;
	double arrival_ns = 0;
	int e = open_connections(lab, 1, err), code = 0;

	tw_bench_frame_make(&frame, &data);
	tw_bench_frame_finish(&frame);
	if (!e)
		e = run_empty(lab, &frame, REPEAT, &empty_ns);
	if (!e)
		e = run_program(lab, TW_DIR_OUT, &data, REPEAT, &beside, &code, &ns, err);
	if (!e && code != TC_ACT_REDIRECT)
		e = tw_err_set(
			err, -EIO, "program", NULL, "an established segment is not cut through");
	if (!e)
		e = run_arrivals(lab, &data, &arrival_ns, err);
	*ret_ns = (double)ns - (double)empty_ns + arrival_ns;
	return e;
}

/* Runs a frame with changing ports through the sender's program. Adds the time of the receiver's
 * program for a frame that is cut through. Subtracts the time of empty programs. */
static int run_varied(struct lab *lab, const struct tw_bench_packet *packet, uint32_t repeat,
	double *ret_ns, struct tw_err *err)
{
	static struct tw_bench_frame frame;
	struct tw_beside beside = {0};
	uint32_t ns, empty_ns;
	double arrival_ns = 0;
	int code, e;

	tw_bench_frame_make(&frame, packet);
	tw_bench_frame_finish(&frame);
	lab->vary->bss->count = lab->n_new;
	e = run_vary(lab, &frame, tw_kernel_prog_fd(lab->kernel, TW_PROG_FROM_VM), repeat, &beside,
		&code, &ns, err);
	lab->n_new = lab->vary->bss->count;
	if (!e && code != TC_ACT_REDIRECT)
		e = tw_err_set(err, -EIO, "program", NULL, "a frame does not pass");
	if (!e)
		e = run_vary(lab, &frame, lab->empty, repeat, &beside, &code, &empty_ns, err);
	if (!e)
		e = run_arrivals(lab, packet, &arrival_ns, err);
	*ret_ns = e ? 0 : (double)ns - (double)empty_ns + arrival_ns;
	return e;
}

static int established_random(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	const struct tw_bench_packet data = segment(TW_BENCH_A, 0, TH_ACK | TH_PUSH);

	set_varied(lab, TW_BENCH_PORT_OPEN, OPEN_PORTS, lab->n_open);
	return run_varied(lab, &data, REPEAT, ret_ns, err);
}

/* Empties the connection table. */
static int forget_connections(struct lab *lab, struct tw_err *err)
{
	int fd = tw_kernel_map_fd(lab->kernel, TW_MAP_buckets);
	const struct tw_bucket none = {0};
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int e = bpf_obj_get_info_by_fd(fd, &info, &size);

	for (uint32_t row = 0; !e && row < info.max_entries; row++)
		e = bpf_map_update_elem(fd, &row, &none, BPF_ANY);
	lab->n_open = lab->n_kept = 0;
	return e ? tw_err_set(err, -errno, "buckets", NULL, "%s", strerror(errno)) : 0;
}

/* Measures new connections to ports that every list of rules allows. */
static int new_connections(struct lab *lab, double *ret_ns, struct tw_err *err)
{
	const struct tw_bench_packet syn = segment(TW_BENCH_A, 0, TH_SYN);
	int e = lab->n_kept < N_KEPT ? 0 : forget_connections(lab, err);

	set_varied(lab, TW_BENCH_PORT_OPEN + 1, TW_BENCH_N_OPEN - 1, 0);
	if (!e)
		e = run_varied(lab, &syn, N_NEW, ret_ns, err);
	lab->n_kept += N_NEW;
	return e;
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
	const struct program_case one = {program->open_case, established_random};
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
