/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the entries beyond a port's half-open quota (path/conntrack/overflow.h), on a
 * target of their own. No unsolicited packet matches an entry; a port's flood displaces only its
 * own entries; a genuine handshake among 100,000 SYNs a second is remembered until it completes;
 * two CPUs never combine their writes into an entry that neither wrote. */
#include "tests/scale.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A target must define everything in port.h; this module uses only a part of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include "fastpath/path/packet.h"

#define PORTS	   4
#define SECOND	   1000000000ull
#define N_ATTEMPTS 2000000u
#define N_THREADS  4
#define N_TURNS	   400000

/* ---- the target ---- */

#define N_KEYS (PORTS * TW_OVERFLOW__MAX * TW_OVERFLOW_SETS)

struct memory {
	struct tw_config config;
	struct tw_usage usage[PORTS];
	struct tw_overflow_set *sets[2][N_KEYS]; /* `overflows`, `overflow_few` */
	uint32_t n_sets[2], max[2];
};

struct cpu {
	struct memory *memory;
	struct tw_scratch scratch;
};

static struct cpu *cpu_of(const struct tw_frame *f)
{
	return f->target;
}

tw_inline __u32 tw_table_buckets(const struct tw_frame *f)
{
	return 1;
}

tw_inline struct tw_scratch *tw_scratch_get(const struct tw_frame *f)
{
	return &cpu_of(f)->scratch;
}

tw_inline struct tw_scratch *tw_scratch_control(const struct tw_frame *f)
{
	return tw_scratch_get(f);
}

tw_inline struct tw_usage *tw_usage_lookup(const struct tw_frame *f, const __u32 *k)
{
	return *k < PORTS ? &cpu_of(f)->memory->usage[*k] : NULL;
}

static long make_set(struct memory *memory, int map, uint32_t key)
{
	assert_true(key < N_KEYS);
	if (memory->sets[map][key] || memory->n_sets[map] >= memory->max[map])
		return -1;
	memory->sets[map][key] = calloc(1, sizeof(struct tw_overflow_set));
	assert_non_null(memory->sets[map][key]);
	memory->n_sets[map]++;
	return 0;
}

tw_inline struct tw_overflow_set *tw_overflows_lookup(const struct tw_frame *f, const __u32 *k)
{
	return cpu_of(f)->memory->sets[0][*k];
}

tw_inline long tw_overflows_update(
	const struct tw_frame *f, const __u32 *k, const struct tw_overflow_set *v, __u64 flags)
{
	return make_set(cpu_of(f)->memory, 0, *k);
}

tw_inline struct tw_overflow_set *tw_overflow_few_lookup(const struct tw_frame *f, const __u32 *k)
{
	return cpu_of(f)->memory->sets[1][*k];
}

tw_inline long tw_overflow_few_update(
	const struct tw_frame *f, const __u32 *k, const struct tw_overflow_set *v, __u64 flags)
{
	return make_set(cpu_of(f)->memory, 1, *k);
}

/* The connection table; only its hashes are used. */
tw_inline struct tw_bucket *tw_buckets_lookup(const struct tw_frame *f, const __u32 *k)
{
	return NULL;
}

tw_inline struct tw_conn *tw_conns_lookup(const struct tw_frame *f, const __u32 *k)
{
	return NULL;
}

tw_inline struct tw_gc *tw_gc_lookup(const struct tw_frame *f, const __u32 *k)
{
	return NULL;
}

tw_inline struct tw_event *tw_event_reserve(const struct tw_frame *f)
{
	return NULL;
}

tw_inline void tw_event_submit(const struct tw_frame *f, struct tw_event *event)
{
}

tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context)
{
	for (__u32 i = 0; i < n && !step(i, context); i++)
		continue;
}

tw_inline void tw_call_sweep(const struct tw_frame *f)
{
}

tw_inline __u32 tw_call_bucket_find(const struct tw_frame *f, __u32 n)
{
	return TW_BUCKET_SLOTS;
}

tw_inline int tw_call_find(const struct tw_frame *f)
{
	return -1;
}

tw_inline int tw_call_bucket_lock(const struct tw_frame *f, __u32 n, __u32 spins)
{
	return 0;
}

tw_inline int tw_call_slot_due(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return 0;
}

tw_inline int tw_call_slot_clear(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return 0;
}

#include "fastpath/path/conntrack/overflow.h"

tw_inline int tw_call_overflow_find(const struct tw_frame *f, __u32 port_id, __u32 class, __u32 hi)
{
	return tw_overflow_find(
		f, &cpu_of(f)->memory->config, port_id, class, hi, &cpu_of(f)->scratch);
}

tw_inline int tw_call_overflow_read(const struct tw_frame *f, __u32 key, __u32 flags)
{
	return tw_overflow_read_set(f, key, flags, &cpu_of(f)->scratch);
}

tw_inline enum tw_overflow_room tw_call_overflow_write(
	const struct tw_frame *f, struct tw_overflow_set *set, __u32 now)
{
	struct tw_scratch *scratch = &cpu_of(f)->scratch;

	return tw_overflow_write(set, scratch->overflow_print, &scratch->overflow, now);
}

/* ---- driving the module ---- */

/* splitmix64 (G. Steele and others, 2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static struct cpu *cpu_new(struct memory *memory)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));

	assert_non_null(cpu);
	cpu->memory = memory;
	return cpu;
}

static struct memory *memory_new(void)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	uint64_t chance = 1;

	assert_non_null(memory);
	for (unsigned int i = 0; i <= TW_KEY_WORDS; i++) {
		memory->config.hash_key[i] = next_random(&chance);
		memory->config.print_key[i] = next_random(&chance);
	}
	memory->max[0] = TW_OVERFLOW_MAX;
	memory->max[1] = N_KEYS;
	return memory;
}

static void memory_free(struct memory *memory)
{
	for (int map = 0; map < 2; map++)
		for (uint32_t key = 0; key < N_KEYS; key++)
			free(memory->sets[map][key]);
	free(memory);
}

/* Returns a packet of connection `n`, from 198.51.x.y to 10.0.0.12, with the key. */
static struct tw_frame aim(struct cpu *cpu, uint32_t n, uint8_t proto, uint64_t now_ns)
{
	struct tw_frame f = {.target = cpu, .now_ns = now_ns};
	struct tw_flow *flow = &cpu->scratch.flow;

	memset(&cpu->scratch.packet, 0, sizeof(cpu->scratch.packet));
	memset(flow, 0, sizeof(*flow));
	tw_addr_map(&flow->key.lo, tw_be32(0x0a00000c));
	tw_addr_map(&flow->key.hi, tw_be32(0xc6330000 | (n >> 14 & 0xffff)));
	flow->key.lo_port = tw_be16(80);
	flow->key.hi_port = tw_be16((uint16_t)(1024 + (n & 0x3fff)));
	flow->key.network = 1;
	flow->key.proto = proto;
	cpu->scratch.packet.tuple.proto = proto;
	tw_probe_make(&f, &flow->probe, &cpu->memory->config, &flow->key);
	return f;
}

/* Lets the connection's first packet pass at a port, from outside the host (the key's hi end opens)
 * or to outside. */
static bool ask(
	struct cpu *cpu, uint32_t port, uint32_t class, uint32_t n, uint8_t proto, uint64_t now_ns)
{
	struct tw_frame f = aim(cpu, n, proto, now_ns);

	cpu->scratch.flow.progress.flags = TW_CONN_F_ORIGIN_HI;
	cpu->scratch.packet.seq = n * 7919;
	cpu->scratch.packet.seq_end = n * 7919 + 1;
	return tw_overflow_put(&f, &cpu->memory->config, port, class, &cpu->scratch);
}

/* True if a SYN-ACK, or a datagram, from the key's lo end continues the connection at a port. */
static bool answer(struct cpu *cpu, uint32_t port, uint32_t n, uint8_t proto, uint64_t now_ns)
{
	struct tw_frame f = aim(cpu, n, proto, now_ns);

	cpu->scratch.packet.tcp_flags = TW_TCP_SYN | TW_TCP_ACK;
	cpu->scratch.packet.ack = n * 7919 + 1;
	cpu->scratch.packet.seq = 500;
	if (!tw_overflow_may_know(&f, port) ||
		!tw_overflow_meet(&f, port, TW_DIR_OUT, &cpu->scratch))
		return false;
	assert_int_equal(cpu->scratch.flow.way, TW_WAY_REPLY);
	return true;
}

/* ---- tests ---- */

static void test_nothing_unasked(void **state)
{
	static const uint8_t protos[] = {TW_IPPROTO_TCP, TW_IPPROTO_UDP, TW_IPPROTO_ICMP, 47};
	uint32_t n_attempts = N_ATTEMPTS * (uint32_t)tw_scale(), n_met = 0;
	struct memory *memory = memory_new();
	struct cpu *cpu = cpu_new(memory);
	uint64_t now = 10 * SECOND, chance = 2;

	/* The maximum number of entries of a port. */
	for (uint32_t n = 0; n < 8 * TW_OVERFLOW_SETS * TW_OVERFLOW_WAYS; n++)
		ask(cpu, 1, n % 3, n, TW_IPPROTO_TCP, now + n * 1000ull);
	now += 8 * TW_OVERFLOW_SETS * TW_OVERFLOW_WAYS * 1000ull;
	assert_true(answer(cpu, 1, 1048573, TW_IPPROTO_TCP, now));
	for (uint32_t i = 0; i < n_attempts; i++) {
		uint64_t r = next_random(&chance);
		uint8_t proto = protos[r & 3];
		/* TCP: packets of unknown connections only; other protocols: also packets with the
		 * tuples of the entries. */
		uint32_t n = (uint32_t)(r >> 32) & 0x3fffffff;
		struct tw_frame f = aim(
			cpu, proto == TW_IPPROTO_TCP ? n | 0x20000000 : n & 0xfffff, proto, now);

		if (proto == TW_IPPROTO_TCP && (n | 0x20000000) >> 30)
			continue;
		if (proto == TW_IPPROTO_TCP)
			cpu->scratch.flow.key.lo_port = tw_be16(81);
		tw_probe_make(
			&f, &cpu->scratch.flow.probe, &memory->config, &cpu->scratch.flow.key);
		cpu->scratch.packet.tcp_flags = (uint8_t)(r >> 8);
		cpu->scratch.flow.progress.flags = r >> 16 & TW_CONN_F_ORIGIN_HI;
		n_met += tw_overflow_meet(
				 &f, 1, r >> 17 & 1 ? TW_DIR_IN : TW_DIR_OUT, &cpu->scratch) != 0;
	}
	assert_int_equal(n_met, 0);
	print_message("%u attempts, %u met an entry\n", n_attempts, n_met);
	free(cpu);
	memory_free(memory);
}

/* An entry matches its own packets, and none that differ in one value. */
static void test_exact(void **state)
{
	struct memory *memory = memory_new();
	struct cpu *cpu = cpu_new(memory);
	struct tw_packet *p = &cpu->scratch.packet;
	uint64_t now = 10 * SECOND;
	struct tw_frame f;

	ask(cpu, 1, TW_OVERFLOW_OUTSIDE, 5, TW_IPPROTO_TCP, now);
	assert_true(answer(cpu, 1, 5, TW_IPPROTO_TCP, now));
	assert_false(answer(cpu, 1, 6, TW_IPPROTO_TCP, now));
	assert_false(answer(cpu, 1, 5, TW_IPPROTO_UDP, now));
	assert_false(answer(cpu, 2, 5, TW_IPPROTO_TCP, now));
	for (int off = -1; off <= 1; off++)
		for (int flags = 0; flags < 64; flags++) {
			f = aim(cpu, 5, TW_IPPROTO_TCP, now);
			p->tcp_flags = (uint8_t)flags;
			p->ack = 5 * 7919 + 1 + (uint32_t)off;
			bool good = !off && flags & TW_TCP_ACK && !(flags & TW_TCP_FIN) &&
				    flags & (TW_TCP_SYN | TW_TCP_RST);

			assert_int_equal(
				tw_overflow_meet(&f, 1, TW_DIR_OUT, &cpu->scratch) != 0, good);
			/* Nothing was sent in the opposite direction. */
			f = aim(cpu, 5, TW_IPPROTO_TCP, now);
			p->tcp_flags = (uint8_t)flags;
			p->ack = 5 * 7919 + 1 + (uint32_t)off;
			p->seq = 1;
			assert_false(tw_overflow_meet(&f, 1, TW_DIR_IN, &cpu->scratch));
		}
	/* The entry is remembered for exactly TW_OVERFLOW_TICKS. */
	now += (TW_OVERFLOW_TICKS - 2ull) << TW_TICK_SHIFT;
	assert_true(answer(cpu, 1, 5, TW_IPPROTO_TCP, now));
	now += 4ull << TW_TICK_SHIFT;
	assert_false(answer(cpu, 1, 5, TW_IPPROTO_TCP, now));
	free(cpu);
	memory_free(memory);
}

/* Sends `rate` SYNs a second for two seconds, and every 5 ms a genuine SYN that is answered
 * `late_ms` later. Returns how many genuine ones were forgotten after the flood's first quarter
 * second; *ret_lost_first is the number in the first quarter second, *ret_n the number sent after
 * it. */
static uint32_t honest_lost(struct memory *memory, uint32_t rate, uint32_t late_ms, uint32_t *ret_n,
	uint32_t *ret_lost_first)
{
	uint64_t step = SECOND / rate, every = 5000000, now = 10 * SECOND, end = now + 2 * SECOND;
	uint32_t n = 0, asked = 0, answered = 0, lost[2] = {0}, n_first = 0;
	struct cpu *cpu = cpu_new(memory);

	for (; now < end; now += step) {
		ask(cpu, 1, TW_OVERFLOW_OUTSIDE, n++, TW_IPPROTO_TCP, now);
		if (now >= 10 * SECOND + asked * every)
			ask(cpu, 1, TW_OVERFLOW_OUTSIDE, 0x20000000 + asked++, TW_IPPROTO_TCP, now);
		if (now >= 10 * SECOND + answered * every + late_ms * 1000000ull) {
			bool grown = answered * every >= SECOND / 4;

			n_first += !grown;
			lost[grown] += !answer(
				cpu, 1, 0x20000000 + answered++, TW_IPPROTO_TCP, now);
		}
	}
	free(cpu);
	*ret_n = answered - n_first;
	*ret_lost_first = lost[0];
	return lost[1];
}

static void test_honest_in_flood(void **state)
{
	static const struct {
		uint32_t rate, late_ms, sets_max;
	} floods[] = {
		{1000, 100, 1024}, {10000, 300, 8192}, {100000, 100, 16384}, {100000, 200, 16384}};

	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		struct memory *memory = memory_new();
		uint32_t n, lost_first;
		uint32_t lost = honest_lost(
			memory, floods[i].rate, floods[i].late_ms, &n, &lost_first);

		print_message(
			"%u SYNs/s, answers after %u ms: %u of %u lost, and %u of the first 50; %u sets\n",
			floods[i].rate, floods[i].late_ms, lost, n, lost_first, memory->n_sets[0]);
		assert_true(n >= 280);
		assert_int_equal(lost_first, 0);
		assert_true(lost * 200 <= n);
		assert_true(memory->n_sets[0] <= floods[i].sets_max);
		memory_free(memory);
	}
}

/* Floods do not affect another port, another class, or a port without memory of its own. */
static void test_floods_are_their_own(void **state)
{
	struct memory *memory = memory_new();
	struct cpu *cpu = cpu_new(memory);
	uint64_t now = 10 * SECOND;
	uint32_t n;

	memory->max[0] = 4096;
	ask(cpu, 2, TW_OVERFLOW_OUTSIDE, 1, TW_IPPROTO_TCP, now);
	ask(cpu, 1, TW_OVERFLOW_LOCAL, 1, TW_IPPROTO_TCP, now);
	for (n = 0; n < 1000000; n++)
		ask(cpu, 1, TW_OVERFLOW_OUTSIDE, 100 + n, TW_IPPROTO_TCP, now + n * 1000ull);
	now += SECOND;
	assert_int_equal(memory->n_sets[0], 4096);
	assert_true(answer(cpu, 2, 1, TW_IPPROTO_TCP, now));
	assert_true(answer(cpu, 1, 1, TW_IPPROTO_TCP, now));
	for (n = 0; n < 8; n++)
		ask(cpu, 3, TW_OVERFLOW_OWN, n, TW_IPPROTO_UDP, now);
	for (n = 0; n < 8; n++) {
		struct tw_frame f = aim(cpu, n, TW_IPPROTO_UDP, now);

		assert_true(tw_overflow_meet(&f, 3, TW_DIR_IN, &cpu->scratch));
	}
	free(cpu);
	memory_free(memory);
}

struct writer {
	struct cpu *cpu;
	struct tw_overflow_set *set;
	uint32_t first;
	uint32_t n_read;
	bool wrong;
};

/* Several CPUs write entries into one set, with numbers that follow from the fingerprint: an entry
 * that is read is never a mixture. */
static void *write_and_read(void *arg)
{
	struct writer *w = arg;
	struct tw_overflow e, found;

	for (uint32_t i = 0; i < N_TURNS; i++) {
		uint64_t print = 0x9e3779b97f4a7c15ull * (1 + (w->first + i) % 24);

		e.numbers = print * 3;
		e.rest = 0;
		e.seen = 1000 + (uint32_t)(print >> 60);
		e.stage = TW_OVERFLOW_ASKED;
		tw_overflow_write(w->set, print, &e, 1100);
		print = 0x9e3779b97f4a7c15ull * (1 + (w->first + 7 * i) % 24);
		if (!tw_overflow_read(w->set, print, 1100, 0, &found))
			continue;
		w->n_read++;
		w->wrong |= found.numbers != print * 3 ||
			    found.seen != 1000 + (uint32_t)(print >> 60);
	}
	return NULL;
}

static void test_cpus(void **state)
{
	struct tw_overflow_set set = {0};
	struct writer writers[N_THREADS];
	pthread_t threads[N_THREADS];
	uint32_t n_read = 0;

	for (uint32_t i = 0; i < N_THREADS; i++) {
		writers[i] = (struct writer){.set = &set, .first = i * 6};
		assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, &writers[i]), 0);
	}
	for (uint32_t i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(writers[i].wrong);
		n_read += writers[i].n_read;
	}
	assert_true(n_read > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_unasked),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_honest_in_flood),
		cmocka_unit_test(test_floods_are_their_own),
		cmocka_unit_test(test_cpus),
	};

	return cmocka_run_group_tests_name("overflow", tests, NULL, NULL);
}
