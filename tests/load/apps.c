/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apps: the recognition of applications in the kernel. The verifier accepts it within a budget, it names every
 * payload as native code does, and its time per payload is printed.
 *
 * Time is the median over rounds of BPF_PROG_TEST_RUN, less that of a program that only reads the payload; and
 * of the same loop in native code.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "apps.skel.h"
#include "tests/load/apps.h"
#include "tests/unit/apps.h"

#define SKIPPED	   77
#define WALKED_MAX 30000
#define NOISE	   20000
#define REPEAT	   20000
#define ROUNDS	   9
#define FRAME_MAX  2048

static const char *const names[] = {"tcp", "udp", "none"};

struct run {
	int progs[3]; /* TCP, UDP, reading alone */
	unsigned int compared, different;
};

static enum tw_app native_app(const uint8_t *bytes, size_t len, bool udp, uint16_t port)
{
	struct apps_io io = {0};
	size_t here = len < TW_APP_HEAD ? len : TW_APP_HEAD;

	memcpy(io.wire, bytes, here);
	io.head.payload = len;
	io.head.port[1] = port;
	tw_app_head_fill(&io.head, io.wire, here);
	if (udp)
		tw_app_compare_udp(&io.head);
	else
		tw_app_compare_tcp(&io.head);
	return tw_app_note(&io.state, 0, &io.head);
}

/* Runs a program on a payload. Returns what it returned, or -1; `ret_ns` may be NULL. */
static int kernel_app(
	int prog, const uint8_t *bytes, size_t len, uint16_t port, int repeat, unsigned int *ret_ns)
{
	uint8_t frame[FRAME_MAX] = {0};
	struct __sk_buff skb = {.mark = port};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		.data_size_in = (uint32_t)(APPS_ETHER + len), .ctx_in = &skb,
		.ctx_size_in = sizeof(skb), .repeat = repeat);

	memcpy(frame + APPS_ETHER, bytes, len);
	if (bpf_prog_test_run_opts(prog, &opts))
		return -1;
	if (ret_ns)
		*ret_ns = opts.duration;
	return (int)opts.retval;
}

static void compare(struct run *run, const uint8_t *bytes, size_t len, bool udp, uint16_t port)
{
	int ours = (int)native_app(bytes, len, udp, port);
	int theirs = kernel_app(run->progs[udp], bytes, len, port, 1, NULL);

	run->compared++;
	if (ours == theirs)
		return;
	if (!run->different++)
		printf("%s, %zu bytes: native %d, kernel %d\n", udp ? "udp" : "tcp", len, ours,
			theirs);
}

static void compare_all(struct run *run)
{
	uint64_t seed = 1;

	for (size_t i = 0; i < n_samples + n_near_misses; i++) {
		const struct sample *s = i < n_samples ? &samples[i] : &near_misses[i - n_samples];

		for (int way = 0; way < 2; way++)
			/* Each length, so that every check of one is at its edge. */
			for (size_t len = s->len[way] > 70 ? s->len[way] : 1; len <= s->len[way];
				len++)
				compare(run, (const uint8_t *)s->bytes[way], len, s->udp, s->port);
	}
	for (int i = 0; i < NOISE; i++) {
		uint8_t noise[96];

		for (size_t n = 0; n < sizeof(noise); n++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			noise[n] = (uint8_t)(seed >> 56) & (i & 1 ? 0xff : 0x03);
		}
		compare(run, noise, 1 + (size_t)i % sizeof(noise), i & 2, 0);
	}
}

static bool walked(const struct run *run)
{
	bool good = true;

	for (int i = 0; i < 3; i++) {
		struct bpf_prog_info info = {0};
		__u32 len = sizeof(info);

		if (bpf_obj_get_info_by_fd(run->progs[i], &info, &len))
			return false;
		printf("%-4s %6u instructions walked, %5zu after the verifier\n", names[i],
			info.verified_insns, info.xlated_prog_len / sizeof(struct bpf_insn));
		good &= info.verified_insns && info.verified_insns <= WALKED_MAX;
	}
	return good;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double native_ns(const uint8_t *bytes, size_t len, bool udp)
{
	struct timespec from, to;
	volatile enum tw_app app;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (int i = 0; i < REPEAT; i++)
		app = native_app(bytes, len, udp, 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	(void)app;
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	       REPEAT;
}

static void measure(const struct run *run, const char *what, const char *text, size_t len, bool udp)
{
	const uint8_t *bytes = (const uint8_t *)text;
	double kernel[ROUNDS], native[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		unsigned int all = 0, none = 0;

		kernel_app(run->progs[udp], bytes, len, 0, REPEAT, &all);
		kernel_app(run->progs[2], bytes, len, 0, REPEAT, &none);
		kernel[i] = (double)all - none;
		native[i] = native_ns(bytes, len, udp);
	}
	qsort(kernel, ROUNDS, sizeof(kernel[0]), by_size);
	qsort(native, ROUNDS, sizeof(native[0]), by_size);
	printf("%-12s %4.0f ns in the kernel, %4.0f ns natively\n", what, kernel[ROUNDS / 2],
		native[ROUNDS / 2]);
}

int main(void)
{
	static const char zeros[64];
	struct apps_bpf *skel = apps_bpf__open_and_load();
	struct run run = {0};
	bool good;

	if (!skel && errno == EPERM) {
		puts("skipped: may not load programs");
		return SKIPPED;
	}
	if (!skel)
		return 1;
	run.progs[0] = bpf_program__fd(skel->progs.tw_apps_tcp);
	run.progs[1] = bpf_program__fd(skel->progs.tw_apps_udp);
	run.progs[2] = bpf_program__fd(skel->progs.tw_apps_none);
	good = walked(&run);
	compare_all(&run);
	printf("%u payloads, %u named otherwise than natively\n", run.compared, run.different);
	measure(&run, "tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, false);
	measure(&run, "iec104", "\x68\x04\x07\x00\x00\x00", 6, false);
	measure(&run, "text, tcp", "The quick brown fox jumps over the lazy dog", 43, false);
	measure(&run, "zeros, tcp", zeros, sizeof(zeros), false);
	measure(&run, "text, udp", "The quick brown fox jumps over the lazy dog", 43, true);
	measure(&run, "zeros, udp", zeros, sizeof(zeros), true);
	measure(&run, "tftp",
		"\x00\x01"
		"pxelinux.0\x00octet\x00",
		18, true);
	apps_bpf__destroy(skel);
	return !good || run.different;
}
