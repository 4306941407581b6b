/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/clock.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SECOND_NS 1000000000u
#define INITIAL_SECONDS \
	300 /* seconds: jiffies start this long before their low 32 bits wrap (linux/jiffies.h) */
#define TOLERANCE_NS (5ull * SECOND_NS)
#define READINGS     8 /* several, as the thread may be preempted between the two clocks */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* Loads a program that stores jiffies in its frame's time stamp. Returns its fd. */
static int load_reader(void)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_STX | BPF_MEM | BPF_DW,
			.dst_reg = 6,
			.src_reg = 0,
			.off = offsetof(struct __sk_buff, tstamp)},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tw_clock", "Dual BSD/GPL", insns,
		sizeof(insns) / sizeof(insns[0]), NULL);
}

static int read_jiffies(int reader, uint64_t *ret)
{
	unsigned char frame[64] = {0};
	struct __sk_buff context = {0};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		.ctx_in = &context, .ctx_size_in = sizeof(context), .ctx_out = &context,
		.ctx_size_out = sizeof(context));

	if (bpf_prog_test_run_opts(reader, &run))
		return -1;
	*ret = context.tstamp;
	return 0;
}

/* Reads both clocks at one moment: of several readings, keeps the fastest. */
static int read_both(uint64_t *ret_jiffies, uint64_t *ret_now)
{
	uint64_t best = UINT64_MAX;
	tw_autofd int reader = load_reader();

	if (reader < 0)
		return -1;
	for (int i = 0; i < READINGS; i++) {
		uint64_t jiffies = 0, before = monotonic_ns(), took;

		if (read_jiffies(reader, &jiffies))
			return -1;
		took = monotonic_ns() - before;
		if (took >= best)
			continue;
		best = took;
		*ret_jiffies = jiffies;
		*ret_now = before + took / 2;
	}
	return 0;
}

void tw_clock_calibrate(struct tw_clock *ret)
{
	static const uint32_t rates[] = {100, 250, 300, 1000}; /* kernel/Kconfig.hz */
	uint64_t jiffies = 0, now = 0;

	if (read_both(&jiffies, &now))
		return;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t jiffy_ns = SECOND_NS / rates[i];
		uint64_t up = jiffies - (uint32_t) - (INITIAL_SECONDS * (int32_t)rates[i]);
		uint64_t distance = up * jiffy_ns - now;

		if (up > UINT64_MAX / SECOND_NS || distance + TOLERANCE_NS > 2 * TOLERANCE_NS)
			continue;
		ret->jiffy_ns = jiffy_ns;
		ret->start_ns = now - jiffies * jiffy_ns;
		return;
	}
}
