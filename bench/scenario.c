/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/bench.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_PORT 40000 /* of the connection that stays */
#define FIRST_PORT  1024  /* new connections count through [FIRST_PORT, 65535] */
#define N_PORTS	    (65536 - FIRST_PORT)

const struct tw_bench_scenario tw_bench_scenarios[] = {
	{.name = "established-64B", .frame_len = 64, .dport = TW_BENCH_PORT_OPEN},
	{.name = "established-1400B", .frame_len = 1400, .dport = TW_BENCH_PORT_OPEN},
	{.name = "new-connection", .frame_len = 64, .dport = TW_BENCH_PORT_OPEN, .opens = true},
	{.name = "denied",
		.frame_len = 64,
		.dport = TW_BENCH_PORT_SHUT,
		.opens = true,
		.denied = true},
};
const size_t tw_bench_n_scenarios = sizeof(tw_bench_scenarios) / sizeof(tw_bench_scenarios[0]);

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Empties a tap's queue; the number of our frames in it. */
static size_t drain(int tap)
{
	static uint8_t data[TW_BENCH_FRAME_MAX];
	size_t n = 0;
	ssize_t len;

	while ((len = read(tap, data, sizeof(data))) > 0)
		n += tw_bench_frame_is_ours(data, (size_t)len);
	return n;
}

/* One segment, which must arrive at the other end. */
static int pass(struct tw_bench_net *net, const struct tw_bench_tcp *tcp, struct tw_err *err)
{
	enum tw_bench_end to = tcp->from == TW_BENCH_A ? TW_BENCH_B : TW_BENCH_A;
	struct tw_bench_frame frame;

	tw_bench_frame_tcp(&frame, tcp);
	if (write(net->tap[tcp->from], frame.data, frame.len) < 0)
		return tw_err_set(err, -errno, "tap", NULL, "cannot write: %s", strerror(errno));
	if (drain(net->tap[to]) != 1)
		return tw_err_set(err, -EIO, "handshake", "is the policy in force?",
			"a segment with flags 0x%02x did not arrive", tcp->flags);
	return 0;
}

int tw_bench_shake_hands(struct tw_bench_net *net, struct tw_err *err)
{
	const struct tw_bench_tcp steps[] = {
		{TW_BENCH_A, CLIENT_PORT, TW_BENCH_PORT_OPEN, TH_SYN, 0, 0, 64},
		{TW_BENCH_B, TW_BENCH_PORT_OPEN, CLIENT_PORT, TH_SYN | TH_ACK, 0, 1, 64},
		{TW_BENCH_A, CLIENT_PORT, TW_BENCH_PORT_OPEN, TH_ACK, 1, 1, 64},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int e = pass(net, &steps[i], err);

		if (e < 0)
			return e;
	}
	return 0;
}

static void prepare(
	struct tw_bench_frame *frames, const struct tw_bench_scenario *scenario, uint32_t *n_conns)
{
	struct tw_bench_tcp tcp = {
		.from = TW_BENCH_A,
		.sport = CLIENT_PORT,
		.dport = scenario->dport,
		.flags = scenario->opens ? TH_SYN : TH_ACK | TH_PUSH,
		.seq = 1,
		.ack = scenario->opens ? 0 : 1,
		.frame_len = scenario->frame_len,
	};

	for (size_t i = 0; i < TW_BENCH_BATCH; i++) {
		if (scenario->opens && !scenario->denied) {
			uint32_t n = (*n_conns)++;

			tcp.sport = (uint16_t)(FIRST_PORT + n % N_PORTS);
			tcp.dport = (uint16_t)(scenario->dport + 1 + n / N_PORTS);
		} else if (scenario->denied) {
			tcp.sport = (uint16_t)(FIRST_PORT + i);
		}
		tw_bench_frame_tcp(&frames[i], &tcp);
	}
}

static int send_batch(const struct tw_bench_net *net, const struct tw_bench_frame *frames,
	uint64_t *ret_ns, struct tw_err *err)
{
	uint64_t start = cpu_ns();

	for (size_t i = 0; i < TW_BENCH_BATCH; i++)
		if (write(net->tap[TW_BENCH_A], frames[i].data, frames[i].len) < 0)
			return tw_err_set(
				err, -errno, "tap", NULL, "cannot write: %s", strerror(errno));
	*ret_ns = cpu_ns() - start;
	return 0;
}

int tw_bench_measure(struct tw_bench_system *system, const struct tw_bench_scenario *scenario,
	size_t n_batches, double *ret_ns, struct tw_err *err)
{
	static struct tw_bench_frame frames[TW_BENCH_BATCH];
	bool arrives = !scenario->denied || !system->filters;
	size_t expected = arrives ? n_batches * TW_BENCH_BATCH : 0;
	size_t arrived = 0;
	uint64_t total = 0;

	drain(system->net.tap[TW_BENCH_A]);
	drain(system->net.tap[TW_BENCH_B]);
	for (size_t i = 0; i < n_batches; i++) {
		uint64_t ns = 0;
		int e;

		if (i == 0 || scenario->opens)
			prepare(frames, scenario, &system->n_conns);
		e = send_batch(&system->net, frames, &ns, err);
		if (e < 0)
			return e;
		total += ns;
		arrived += drain(system->net.tap[TW_BENCH_B]);
	}
	if (arrived != expected)
		return tw_err_set(err, -EIO, system->name, NULL,
			"%s: %zu of %zu frames arrived, %zu should have", scenario->name, arrived,
			n_batches * TW_BENCH_BATCH, expected);
	*ret_ns = (double)total / (double)(n_batches * TW_BENCH_BATCH);
	return 0;
}
