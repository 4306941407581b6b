/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* names: the reading of names in the kernel. The verifier accepts it within a budget, it reads every
 * message as native code does, and its time per message is printed.
 *
 * Time is the median over rounds of BPF_PROG_TEST_RUN, less that of a program that reads one byte.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "names.skel.h"
#include "sim/asked.h"
#include "tests/load/names.h"
#include "tests/unit/messages.h"

#define SKIPPED	   77
#define WALKED_MAX 60000
#define NOISE	   20000
#define REPEAT	   10000
#define ROUNDS	   9
#define FRAME_MAX  3000

struct run {
	int prog, none, map, n_cpus;
	struct names_io *io; /* for each CPU */
	unsigned int compared, different, worst_steps;
};

/* Runs a program on a message. Returns what it returned, or -1; `ret_ns` may be NULL. */
static int kernel_run(
	int prog, const struct message *m, enum tw_name_kind kind, int repeat, unsigned int *ret_ns)
{
	uint8_t frame[FRAME_MAX] = {0};
	struct __sk_buff skb = {.mark = kind};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = (uint32_t)(NAMES_ETHER + m->len), .ctx_in = &skb,
		.ctx_size_in = sizeof(skb), .repeat = repeat);

	memcpy(frame + NAMES_ETHER, m->bytes, m->len);
	if (bpf_prog_test_run_opts(prog, &opts))
		return -1;
	if (ret_ns)
		*ret_ns = opts.duration;
	return (int)opts.retval;
}

static void compare(struct run *run, const struct message *m, enum tw_name_kind kind)
{
	const __u32 zero = 0;
	struct tw_name_reader name;
	bool same;
	int theirs;

	if (m->len > FRAME_MAX - NAMES_ETHER)
		return;
	tw_name_begin(&name, kind);
	tw_asked_read(&name, m->bytes, m->len);
	theirs = kernel_run(run->prog, m, kind, 1, NULL);
	run->compared++;
	same = theirs == (int)name.outcome && !bpf_map_lookup_elem(run->map, &zero, run->io) &&
	       run->io->name.len == name.len && !memcmp(run->io->name.bytes, name.bytes, name.len);
	if (run->io->steps > run->worst_steps)
		run->worst_steps = run->io->steps;
	if (!same && !run->different++)
		printf("kind %d, %zu bytes: natively %u, in the kernel %d\n", kind, m->len,
			name.outcome, theirs);
}

static const char *const requests[] = {
	"GET / HTTP/1.1\r\nHost: Example.com\r\n\r\n",
	"GET http://a.example:80/ HTTP/1.1\r\nhost: A.example\r\nCookie: 0123456789abcdef0123456789abcdef0123456789\r\n\r\n",
	"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"GET / HTTP/1.1\r\nX: y\rHost: a\r\n\r\n",
};

static void compare_all(struct run *run)
{
	static const char letters[] = "\r\n\r\n: /.hHoOsStT*\t GET\x16\x03\x01";
	struct message m;
	uint64_t seed = 1;

	for (int others = 0; others < 6; others++) {
		struct message whole = hello("www.Example.com", others);

		compare(run, &whole, TW_NAME_TLS);
		for (size_t size = 1; size < 40; size += 3) {
			m = in_records(&whole, size);
			compare(run, &m, TW_NAME_TLS);
		}
		for (m = whole; m.len > 1; m.len--)
			compare(run, &m, TW_NAME_TLS);
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		for (m = text(requests[i]); m.len > 1; m.len--)
			compare(run, &m, TW_NAME_HTTP);
	for (int tcp = 0; tcp < 2; tcp++)
		for (m = query("www.Example.com", tcp); m.len > 1; m.len--)
			compare(run, &m, tcp ? TW_NAME_DNS_TCP : TW_NAME_DNS);
	for (int i = 0; i < NOISE; i++) {
		if (i % 3)
			m = (struct message){.len = 1 + (size_t)i % 300};
		else
			m = hello("example.com", i % 5);
		for (size_t n = 0; n < (i % 3 ? m.len : 3); n++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			if (i % 3 == 0)
				m.bytes[(seed >> 40) % m.len] = (uint8_t)(seed >> 32);
			else
				m.bytes[n] = i % 3 == 1 ? (uint8_t)(seed >> 56)
							: (uint8_t)letters[(seed >> 33) %
									   (sizeof(letters) - 1)];
		}
		compare(run, &m, (enum tw_name_kind)(i % 4));
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(
	const struct run *run, const char *what, const struct message *m, enum tw_name_kind kind)
{
	double ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		unsigned int all = 0, none = 0;

		kernel_run(run->prog, m, kind, REPEAT, &all);
		kernel_run(run->none, m, kind, REPEAT, &none);
		ns[i] = (double)all - none;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), by_size);
	printf("%-28s %5zu bytes %6.0f ns\n", what, m->len, ns[ROUNDS / 2]);
}

static void measure_all(const struct run *run)
{
	struct message m = hello("www.example.com", 2);

	measure(run, "tls", &m, TW_NAME_TLS);
	m = hello("www.example.com", 9);
	measure(run, "tls, 18 other extensions", &m, TW_NAME_TLS);
	m = text(
		"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n");
	measure(run, "http, curl", &m, TW_NAME_HTTP);
	m = query("www.example.com", false);
	measure(run, "dns", &m, TW_NAME_DNS);
	m = text("GET / HTTP/1.1\r\n");
	while (m.len < 2040)
		add(&m, "a\n", 2);
	measure(run, "http, lines of one letter", &m, TW_NAME_HTTP);
	m = text("GET / HTTP/1.1\r\nCookie: ");
	while (m.len < 2040)
		add(&m, "a", 1);
	measure(run, "http, one long line", &m, TW_NAME_HTTP);
	m = hello("www.example.com", 2);
	m = in_records(&m, 1);
	measure(run, "tls, records of one byte", &m, TW_NAME_TLS);
}

int main(void)
{
	struct names_bpf *skel = names_bpf__open_and_load();
	struct bpf_prog_info info = {0};
	struct run run = {0};
	__u32 len = sizeof(info);
	cpu_set_t one;

	if (!skel && errno == EPERM) {
		puts("skipped: may not load programs");
		return SKIPPED;
	}
	if (!skel)
		return 1;
	/* The result is in the memory of the CPU that ran the program. */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	run.n_cpus = libbpf_num_possible_cpus();
	run.io = tw_alloc_array((size_t)run.n_cpus, (sizeof(*run.io) + 7) & ~7ul);
	if (!run.io || sched_setaffinity(0, sizeof(one), &one))
		return 1;
	run.prog = bpf_program__fd(skel->progs.tw_names);
	run.none = bpf_program__fd(skel->progs.tw_names_none);
	run.map = bpf_map__fd(skel->maps.tw_names_io);
	if (bpf_obj_get_info_by_fd(run.prog, &info, &len))
		return 1;
	printf("%u instructions walked, %zu after the verifier\n", info.verified_insns,
		info.xlated_prog_len / sizeof(struct bpf_insn));
	compare_all(&run);
	printf("%u messages, %u read otherwise than natively; at most %u steps\n", run.compared,
		run.different, run.worst_steps);
	measure_all(&run);
	free(run.io);
	names_bpf__destroy(skel);
	return info.verified_insns > WALKED_MAX || run.different;
}
