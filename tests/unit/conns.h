/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conns.h: a target for tests of the connection table: plain arrays, any number of CPUs at once.
 *
 * Callers:    conns.c and spare.c, once each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A target must define everything in port.h; the table uses only a part of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include "fastpath/path/packet.h"

#define PORTS  8
#define SECOND 1000000000ull

struct table {
	struct tw_config config;
	struct tw_bucket *buckets;
	struct tw_conn *records;
	uint32_t n_buckets;
	struct tw_usage usage[PORTS];
	struct tw_port ports[PORTS];
	struct tw_gc gc;
	uint64_t n_told; /* reported ends of connections */
	bool ring_full;
};

struct cpu {
	struct table *table;
	struct tw_scratch scratch;
	struct tw_event event;
	uint64_t n_looked; /* buckets searched for a record to give up */
	uint64_t n_locked; /* buckets locked by the sweep, or because the first bucket was full */
};

static struct cpu *cpu_of(const struct tw_frame *f)
{
	return f->target;
}

tw_inline __u32 tw_table_buckets(const struct tw_frame *f)
{
	return cpu_of(f)->table->n_buckets;
}

tw_inline __u32 tw_table_slots(const struct tw_frame *f)
{
	return tw_conn_slots(cpu_of(f)->table->config.conn_max);
}

tw_inline struct tw_bucket *tw_buckets_lookup(const struct tw_frame *f, const __u32 *k)
{
	struct table *t = cpu_of(f)->table;

	return *k < t->n_buckets ? &t->buckets[*k] : NULL;
}

tw_inline struct tw_conn *tw_conns_lookup(const struct tw_frame *f, const __u32 *k)
{
	struct table *t = cpu_of(f)->table;

	return *k < tw_record_number(t->n_buckets, 0) ? &t->records[*k] : NULL;
}

tw_inline struct tw_usage *tw_usage_lookup(const struct tw_frame *f, const __u32 *k)
{
	return *k < PORTS ? &cpu_of(f)->table->usage[*k] : NULL;
}

tw_inline const struct tw_port *tw_port_numbered(const struct tw_frame *f, __u32 id, __u32 epoch)
{
	return id < PORTS ? &cpu_of(f)->table->ports[id] : NULL;
}

tw_inline struct tw_gc *tw_gc_lookup(const struct tw_frame *f, const __u32 *k)
{
	return &cpu_of(f)->table->gc;
}

tw_inline struct tw_scratch *tw_scratch_get(const struct tw_frame *f)
{
	return &cpu_of(f)->scratch;
}

tw_inline struct tw_scratch *tw_scratch_control(const struct tw_frame *f)
{
	return tw_scratch_get(f);
}

tw_inline struct tw_event *tw_event_reserve(const struct tw_frame *f)
{
	return cpu_of(f)->table->ring_full ? NULL : &cpu_of(f)->event;
}

tw_inline void tw_event_submit(const struct tw_frame *f, struct tw_event *event)
{
	__atomic_fetch_add(&cpu_of(f)->table->n_told, 1, __ATOMIC_RELAXED);
}

tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context)
{
	for (__u32 i = 0; i < n && !step(i, context); i++)
		continue;
}

#include "fastpath/path/conntrack/open.h"

tw_inline int tw_call_find(const struct tw_frame *f)
{
	return tw_conn_find(f, &cpu_of(f)->scratch.flow);
}

tw_inline __u32 tw_call_bucket_find(const struct tw_frame *f, __u32 n)
{
	return tw_bucket_find(f, &cpu_of(f)->scratch.flow, n);
}

tw_inline void tw_call_sweep(const struct tw_frame *f)
{
	tw_conns_sweep(f);
}

tw_inline int tw_call_bucket_lock(const struct tw_frame *f, __u32 n, __u32 spins)
{
	cpu_of(f)->n_locked++;
	return tw_bucket_lock(f, n, spins);
}

tw_inline int tw_call_bucket_put(const struct tw_frame *f, __u32 n)
{
	return tw_bucket_put(f, &cpu_of(f)->scratch, n);
}

tw_inline int tw_call_bucket_replace(const struct tw_frame *f, __u32 n)
{
	return tw_bucket_replace(f, &cpu_of(f)->scratch, n);
}

tw_inline int tw_call_slot_due(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_slot_due(f, &cpu_of(f)->table->config, n, slot);
}

tw_inline int tw_call_slot_clear(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_slot_clear(f, &cpu_of(f)->table->config, n, slot);
}

tw_inline __u32 tw_call_bucket_spare(const struct tw_frame *f, __u32 n, __u32 payer_id, __u32 what)
{
	struct tw_spare s = {.f = f,
		.config = &cpu_of(f)->table->config,
		.scratch = &cpu_of(f)->scratch,
		.now = tw_tick(f->now_ns),
		.n = n,
		.payer_id = payer_id,
		.what = what};

	cpu_of(f)->n_looked++;
	return tw_bucket_spare(&s);
}

tw_inline int tw_call_bucket_give_up(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_bucket_give_up(f, &cpu_of(f)->table->config, n, slot);
}

/* ---- driving the table ---- */

/* splitmix64 (G. Steele and others, 2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static struct table *table_new(uint32_t max)
{
	struct table *t = calloc(1, sizeof(*t));
	uint64_t chance = 1;

	assert_non_null(t);
	t->config.conn_max = max;
	t->config.agent_seen = UINT32_MAX / 4; /* sweeps only when the test asks for it */
	for (unsigned int i = 0; i <= TW_KEY_WORDS; i++)
		t->config.hash_key[i] = next_random(&chance);
	for (unsigned int i = 0; i < TW_S__MAX; i++)
		t->config.timeout[i] = 100 * TW_TICKS_PER_SECOND;
	t->n_buckets = tw_conn_buckets(max);
	t->buckets = calloc(t->n_buckets, sizeof(*t->buckets));
	t->records = calloc(tw_record_number(t->n_buckets, 0), sizeof(*t->records));
	assert_non_null(t->buckets);
	assert_non_null(t->records);
	return t;
}

static void table_free(struct table *t)
{
	free(t->buckets);
	free(t->records);
	free(t);
}

static void make_key(struct tw_key *key, uint32_t n)
{
	memset(key, 0, sizeof(*key));
	tw_addr_map(&key->lo, tw_be32(0x0a000000 | (n >> 14 & 0xffff)));
	tw_addr_map(&key->hi, tw_be32(0x0a010000 | n % 7));
	key->lo_port = tw_be16(n & 0x3fff);
	key->hi_port = tw_be16(443);
	key->network = 1;
	key->proto = TW_IPPROTO_TCP;
}

static bool find(struct cpu *cpu, uint32_t n)
{
	struct tw_flow *flow = &cpu->scratch.flow;
	struct tw_frame f = {.target = cpu};
	struct tw_conn *c;

	make_key(&flow->key, n);
	c = tw_conn_seek(&f, &cpu->table->config, flow);
	return c && tw_conn_is(c, &flow->key);
}

static enum tw_reason open_over(
	struct cpu *cpu, uint32_t n, uint16_t port, uint8_t state, uint64_t now_ns, int stale)
{
	struct tw_frame f = {.target = cpu, .now_ns = now_ns};
	struct tw_conn *c = &cpu->scratch.conn;

	find(cpu, n);
	cpu->scratch.flow.stale = (__u8)stale;
	cpu->scratch.flow.untracked = 0;
	memset(c, 0, sizeof(*c));
	memcpy(c->key, cpu->scratch.flow.key.d, sizeof(c->key));
	c->key_end = cpu->scratch.flow.key.w[TW_KEY_WORDS - 1];
	c->progress.state = state;
	c->ports = tw_ports_charged(port, tw_charge_of(state));
	c->created = c->seen = tw_tick(now_ns);
	cpu->table->ports[port].id = port;
	return tw_conn_open(&f, &cpu->table->config, &cpu->table->ports[port], &cpu->scratch);
}

static enum tw_reason open_one(
	struct cpu *cpu, uint32_t n, uint16_t port, uint8_t state, uint64_t now_ns)
{
	return open_over(cpu, n, port, state, now_ns, 0);
}

static void sweep_all(struct cpu *cpu, uint64_t now_ns)
{
	struct tw_frame f = {.target = cpu, .now_ns = now_ns};

	for (uint32_t i = 0; i < cpu->table->n_buckets; i++)
		tw_call_sweep(&f);
}

static size_t count(const struct table *t)
{
	size_t n = 0;

	for (uint32_t bucket = 0; bucket < t->n_buckets; bucket++)
		for (uint32_t slot = 0; slot < TW_BUCKET_SLOTS; slot++)
			n += tw_bucket_tag(&t->buckets[bucket], slot) != 0;
	return n;
}

static void assert_empty(const struct table *t)
{
	assert_int_equal(count(t), 0);
	for (uint32_t bucket = 0; bucket < t->n_buckets; bucket++) {
		assert_int_equal(t->buckets[bucket].overflowed, 0);
		assert_int_equal(t->buckets[bucket].lock, 0);
	}
	for (unsigned int port = 0; port < PORTS; port++) {
		assert_int_equal(tw_usage_net(t->usage[port].half_open), 0);
		assert_int_equal(tw_usage_net(t->usage[port].established), 0);
		assert_int_equal(tw_usage_net(t->usage[port].over), 0);
	}
}
