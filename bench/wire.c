/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/rules.h"

/* After this time a frame counts as lost. An emulated machine may be slow, and busy loading
 * rules. */
#define PATIENCE_MS 20000

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t tw_bench_thread_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t tw_bench_wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Frames of the benchmark that were read, and the number of them that belong to the permanent
 * connection. */
struct seen {
	size_t frames;
	size_t beats;
};

/* Position of addresses and ports, from the virtio header on. */
#define TUPLE_AT  (TW_BENCH_VNET_LEN + 26)
#define TUPLE_LEN 12

/* Empties the queue of the tap where frames of `from` arrive. */
static void drain(struct tw_bench_system *system, enum tw_bench_end from, struct seen *seen)
{
	static uint8_t data[TW_BENCH_FRAME_MAX];
	const uint8_t *tuple = system->heartbeat[from].data + TUPLE_AT;
	ssize_t len;

	while ((len = read(system->net.tap[!from], data, sizeof(data))) > 0) {
		if (!tw_bench_frame_is_ours(data, (size_t)len))
			continue;
		seen->frames++;
		seen->beats += !memcmp(data + TUPLE_AT, tuple, TUPLE_LEN);
	}
}

/* Reads frames of `from` until this many have arrived or the time is over. */
static struct seen await(
	struct tw_bench_system *system, enum tw_bench_end from, size_t frames, size_t beats)
{
	struct pollfd far = {.fd = system->net.tap[!from], .events = POLLIN};
	struct seen seen = {0};

	drain(system, from, &seen);
	while ((seen.frames < frames || seen.beats < beats) && poll(&far, 1, PATIENCE_MS) > 0)
		drain(system, from, &seen);
	return seen;
}

void tw_bench_wire_clear(struct tw_bench_system *system)
{
	struct seen seen;

	drain(system, TW_BENCH_A, &seen);
	drain(system, TW_BENCH_B, &seen);
}

static int put(const struct tw_bench_system *system, enum tw_bench_end from,
	const struct tw_bench_frame *frame, struct tw_err *err)
{
	if (write(system->net.tap[from], frame->data, frame->len) < 0)
		return tw_err_set(err, -errno, system->name, NULL, "cannot write to the tap: %s",
			strerror(errno));
	return 0;
}

int tw_bench_wire_open(struct tw_bench_system *system, struct tw_err *err)
{
	static const struct tw_bench_packet steps[] = {
		{.from = TW_BENCH_A, .flags = TH_SYN},
		{.from = TW_BENCH_B, .flags = TH_SYN | TH_ACK, .ack = 1},
		{.from = TW_BENCH_A, .flags = TH_ACK, .seq = 1, .ack = 1},
	};
	static struct tw_bench_frame frame;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct tw_bench_packet packet = steps[i];
		bool forth = packet.from == TW_BENCH_A;
		int e;

		packet.protocol = IPPROTO_TCP;
		packet.sport = forth ? TW_BENCH_CLIENT_PORT : TW_BENCH_PORT_OPEN;
		packet.dport = forth ? TW_BENCH_PORT_OPEN : TW_BENCH_CLIENT_PORT;
		packet.len = 64;
		tw_bench_frame_make(&frame, &packet);
		e = put(system, packet.from, &frame, err);
		if (e < 0)
			return e;
		if (await(system, packet.from, 1, 0).frames != 1)
			return tw_err_set(err, -EIO, system->name, "are the rules in force?",
				"a segment with flags 0x%02x did not arrive", packet.flags);
	}
	return 0;
}

/* Waits until all frames sent before have arrived or were denied. For this, sends a frame of the
 * permanent connection: workers keep the order of frames, so once it arrives, none is in flight.
 * Returns the number of arrived frames. */
static int settle(struct tw_bench_system *system, enum tw_bench_end from, size_t *ret_arrived,
	struct tw_err *err)
{
	struct seen seen;
	int e = put(system, from, &system->heartbeat[from], err);

	if (e < 0)
		return e;
	seen = await(system, from, 0, 1);
	if (!seen.beats)
		return tw_err_set(err, -EIO, system->name, NULL,
			"frames of the permanent connection no longer pass");
	*ret_arrived = seen.frames - 1;
	return 0;
}

int tw_bench_wire_try(struct tw_bench_system *system, enum tw_bench_end from,
	const struct tw_bench_frame *frame, bool *ret_arrived, struct tw_err *err)
{
	size_t arrived = 0;
	int e = put(system, from, frame, err);

	if (!e)
		e = settle(system, from, &arrived, err);
	*ret_arrived = arrived > 0;
	return e;
}

int tw_bench_wire_send(struct tw_bench_system *system, enum tw_bench_end from,
	const struct tw_bench_frame *frames, bool same, size_t n, bool arrive,
	struct tw_bench_cost *cost, struct tw_err *err)
{
	size_t at_once = system->in_flight ? system->in_flight : TW_BENCH_BATCH;
	size_t arrived = 0, k;
	uint64_t began = tw_bench_wall_ns();
	int e = 0;

	for (size_t i = 0; !e && i < n; i += k) {
		uint64_t start = tw_bench_thread_ns();
		size_t settled = 0;

		k = n - i < at_once ? n - i : at_once;
		for (size_t j = i; !e && j < i + k; j++)
			e = put(system, from, same ? frames : &frames[j], err);
		cost->cpu_ns += tw_bench_thread_ns() - start;
		if (!e && !arrive && system->in_flight)
			e = settle(system, from, &settled, err);
		else if (!e)
			settled = await(system, from, arrive ? k : 0, 0).frames;
		arrived += settled;
	}
	cost->wall_ns += tw_bench_wall_ns() - began;
	if (!e && arrived != (arrive ? n : 0))
		e = tw_err_set(err, -EIO, system->name, NULL,
			"%zu of %zu frames arrived, %zu should have", arrived, n, arrive ? n : 0);
	return e;
}

int tw_bench_wire_ping(struct tw_bench_system *system, const struct tw_bench_frame *frame,
	uint64_t *ret_ns, struct tw_err *err)
{
	uint64_t start = tw_bench_wall_ns();
	int e = put(system, TW_BENCH_A, frame, err);

	if (e < 0)
		return e;
	if (await(system, TW_BENCH_A, 1, 0).frames != 1)
		return tw_err_set(err, -EIO, system->name, NULL, "a frame did not arrive");
	*ret_ns = tw_bench_wall_ns() - start;
	return 0;
}
