/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the connection table, on the target of conns.h: plain arrays, any number of CPUs at
 * once. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/conns.h"

#define N_THREADS 4

static void fill(uint32_t max)
{
	struct table *t = table_new(max);
	struct cpu *cpu = calloc(1, sizeof(*cpu));

	assert_non_null(cpu);
	cpu->table = t;
	for (uint32_t n = 0; n < max; n++)
		assert_int_equal(open_one(cpu, n, 1, TW_S_ESTABLISHED, SECOND), TW_R_NONE);
	assert_int_equal(count(t), max);
	assert_int_equal(tw_usage_net(t->usage[1].established), max);
	for (uint32_t n = 0; n < max; n++)
		assert_true(find(cpu, n));
	for (uint32_t n = max; n < max + 100000; n++)
		assert_false(find(cpu, n));
	sweep_all(cpu, 50 * SECOND);
	assert_int_equal(count(t), max);
	sweep_all(cpu, 200 * SECOND);
	assert_empty(t);
	assert_int_equal(t->n_told, max);
	free(cpu);
	table_free(t);
}

/* The table holds as many connections as it was made for, finds them, and returns all charges. */
static void holds_what_it_is_for(void **state)
{
	static const uint32_t sizes[] = {1, 4, 16, 17, 100, 1000, 4096, 65536, 262144};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		fill(sizes[i]);
}

static void holds_four_million(void **state)
{
	fill(4000000);
	/* The total is 157 bytes per connection. */
	assert_in_range(
		(uint64_t)tw_conn_buckets(4000000) *
			(sizeof(struct tw_bucket) + TW_BUCKET_SLOTS * sizeof(struct tw_conn)) /
			4000000,
		100, 160);
}

/* A full table refuses new connections, loses none, and reuses expired records. */
static void full_refuses(void **state)
{
	struct table *t = table_new(1000);
	struct cpu cpu = {.table = t};
	uint32_t n = 0;

	while (open_one(&cpu, n, 1, TW_S_ESTABLISHED, SECOND) == TW_R_NONE)
		n++;
	assert_true(n >= 1000);
	assert_int_equal(count(t), n);
	assert_int_equal(tw_usage_net(t->usage[1].established), n);
	for (uint32_t i = 0; i < n; i++)
		assert_true(find(&cpu, i));
	/* Without a sweep and with a full ring, expired records are still replaced. */
	t->ring_full = true;
	sweep_all(&cpu, 200 * SECOND);
	assert_int_equal(count(t), n);
	assert_int_equal(open_one(&cpu, n, 2, TW_S_ESTABLISHED, 200 * SECOND), TW_R_NONE);
	assert_true(t->gc.closes_lost > 0);
	assert_int_equal(tw_usage_net(t->usage[2].established), 1);
	t->ring_full = false;
	sweep_all(&cpu, 400 * SECOND);
	assert_empty(t);
	table_free(t);
}

static void keys_do_not_cluster(void **state)
{
	struct table *t = table_new(262144);
	struct cpu cpu = {.table = t};
	uint32_t overflowed = 0;

	/* In a table that is a quarter full, keys that differ in only a few bits overflow no
	 * bucket. */
	for (uint32_t n = 0; n < 65536; n++)
		assert_int_equal(open_one(&cpu, n, 1, TW_S_ESTABLISHED, SECOND), TW_R_NONE);
	for (uint32_t bucket = 0; bucket < t->n_buckets; bucket++)
		overflowed += t->buckets[bucket].overflowed;
	assert_in_range(overflowed, 0, 20);
	table_free(t);
}

/* Without a sweep or a new connection for weeks, an expired record stays expired until the tick has
 * nearly wrapped, and the longest limit that a policy may set is exact. */
static void ages(void **state)
{
	static const uint32_t limits_s[] = {30, 86400, 25 * 86400};
	static const double days[] = {0.01, 1.5, 24.9, 26, 27, 40, 51};
	struct table *t = table_new(16);
	struct tw_conn c = {.progress = {.state = TW_S_ESTABLISHED}};

	for (size_t i = 0; i < sizeof(limits_s) / sizeof(limits_s[0]); i++) {
		t->config.timeout[TW_S_ESTABLISHED] = limits_s[i] * TW_TICKS_PER_SECOND;
		for (uint32_t began = 0; began < 4; began++) {
			c.seen = began << 30;
			for (size_t d = 0; d < sizeof(days) / sizeof(days[0]); d++)
				assert_int_equal(tw_conn_expired(&t->config, &c,
							 c.seen + (uint32_t)(days[d] * 86400 *
									     TW_TICKS_PER_SECOND),
							 0),
					days[d] * 86400 > limits_s[i]);
			/* The record was seen by a CPU whose clock is ahead. */
			assert_false(tw_conn_expired(&t->config, &c, c.seen - 100, 0));
		}
	}
	table_free(t);
}

/* A packet that was under way when the agent ended its connection does not revive the connection, and
 * the record makes room as soon as that of a closed connection. */
static void gone(void **state)
{
	struct table *t = table_new(16);
	struct tw_conn c = {.seen = 100000, .progress = {.state = TW_S_ESTABLISHED}};

	t->config.timeout[TW_S_ESTABLISHED] = 432000 * TW_TICKS_PER_SECOND;
	t->config.timeout[TW_S_CLOSED] = 10 * TW_TICKS_PER_SECOND;
	assert_false(tw_conn_expired(&t->config, &c, c.seen, 0));
	c.progress.flags |= TW_CONN_F_GONE;
	assert_true(tw_conn_expired(&t->config, &c, c.seen, 0));
	assert_false(tw_conn_expired(&t->config, &c, c.seen, TW_GRACE));
	assert_true(tw_conn_expired(&t->config, &c, c.seen + 60 * TW_TICKS_PER_SECOND, TW_GRACE));
	table_free(t);
}

/* ---- several CPUs at once ---- */

struct worker {
	struct table *table;
	uint32_t seed;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct cpu *cpu = calloc(1, sizeof(*cpu));
	uint32_t chance = w->seed;

	if (!cpu)
		return NULL;
	cpu->table = w->table;
	for (int i = 0; i < 300000; i++) {
		struct tw_frame f = {.target = cpu, .now_ns = (uint64_t)i * SECOND / 100};

		chance = chance * 1664525 + 1013904223;
		/* Few keys, so that the CPUs use the same ones; time advances, so that they
		 * expire. */
		open_one(cpu, chance >> 16 & 2047, 1 + (chance >> 28 & 3), TW_S_ESTABLISHED,
			f.now_ns);
		if (i % 4 == 0)
			tw_call_sweep(&f);
	}
	free(cpu);
	return w;
}

static void run_workers(struct table *t, void *(*body)(void *arg))
{
	struct worker workers[N_THREADS];

	for (uint32_t i = 0; i < N_THREADS; i++) {
		workers[i] = (struct worker){.table = t, .seed = i + 1};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, body, &workers[i]), 0);
	}
	for (uint32_t i = 0; i < N_THREADS; i++) {
		void *done = NULL;

		pthread_join(workers[i].thread, &done);
		assert_non_null(done);
	}
}

static void many_at_once(void **state)
{
	struct table *t = table_new(2048);
	struct cpu cpu = {.table = t};
	size_t n = 0, charged = 0;

	run_workers(t, work);
	/* Every key is in the table at most once, and is charged once. */
	for (uint32_t key = 0; key < 2048; key++)
		n += find(&cpu, key);
	for (unsigned int port = 0; port < PORTS; port++)
		charged += tw_usage_net(t->usage[port].established);
	assert_int_equal(count(t), n);
	assert_int_equal(charged, n);
	sweep_all(&cpu, 1000000 * SECOND);
	sweep_all(&cpu, 1000000 * SECOND);
	assert_empty(t);
	table_free(t);
}

/* A preempted CPU holds a bucket for longer than the others wait. Meanwhile its new connection is
 * found, no other connection is refused as if the table were full, and no key is in the table
 * twice. */
static void buckets_kept_for_long(void **state)
{
	struct table *t = table_new(1000);
	struct cpu cpu = {.table = t};
	const struct tw_frame f = {.target = &cpu, .now_ns = SECOND};
	uint32_t n = 0, bucket;

	assert_int_equal(open_one(&cpu, 0, 1, TW_S_ESTABLISHED, SECOND), TW_R_NONE);
	bucket = cpu.scratch.flow.probe.bucket;
	t->buckets[bucket].lock = 1;
	assert_int_equal(open_one(&cpu, 0, 1, TW_S_ESTABLISHED, SECOND), TW_R_NONE);
	assert_true(cpu.scratch.flow.met);
	do
		find(&cpu, ++n);
	while (cpu.scratch.flow.probe.bucket != bucket);
	assert_int_equal(open_one(&cpu, n, 2, TW_S_ESTABLISHED, SECOND), TW_R_TABLE_BUSY);
	t->buckets[bucket].lock = 0;
	assert_int_equal(tw_usage_net(t->usage[2].established), 0);
	/* A connection that has ended, in a later bucket of its probe sequence. */
	for (n = 1; count(t) < 1000; n++)
		assert_int_equal(open_one(&cpu, n, 1, TW_S_ESTABLISHED, SECOND), TW_R_NONE);
	do
		find(&cpu, --n);
	while (tw_call_find(&f) / TW_BUCKET_SLOTS == (int)cpu.scratch.flow.probe.bucket);
	bucket = (uint32_t)tw_call_find(&f) / TW_BUCKET_SLOTS;
	t->buckets[bucket].lock = 1;
	assert_int_equal(open_over(&cpu, n, 2, TW_S_ESTABLISHED, SECOND, 1), TW_R_TABLE_BUSY);
	assert_int_equal(count(t), 1000);
	assert_int_equal(tw_usage_net(t->usage[2].established), 0);
	t->buckets[bucket].lock = 0;
	assert_int_equal(open_over(&cpu, n, 2, TW_S_ESTABLISHED, SECOND, 1), TW_R_NONE);
	assert_int_equal(count(t), 1000);
	assert_int_equal(tw_usage_net(t->usage[2].established), 1);
	sweep_all(&cpu, 200 * SECOND);
	assert_empty(t);
	table_free(t);
}

/* ---- charges ---- */

#define MOVED 4 /* connections that all CPUs use */

/* Moves connections to other ports, answers them, ends them and reopens them, at random. */
static void *move(void *arg)
{
	struct worker *w = arg;
	struct cpu *cpu = calloc(1, sizeof(*cpu));
	struct tw_frame f = {.target = cpu, .now_ns = SECOND};
	uint64_t chance = w->seed;

	if (!cpu)
		return NULL;
	cpu->table = w->table;
	for (int i = 0; i < 400000; i++) {
		uint64_t dice = next_random(&chance);
		struct tw_progress found, now;
		struct tw_conn *c = NULL;

		if (find(cpu, dice % MOVED))
			c = tw_conn_at(&f, tw_call_find(&f));
		if (!c || dice >> 56 == 0) { /* reopens the same key */
			open_over(cpu, dice % MOVED, 1 + (dice >> 40 & 3), TW_S_SYN_SENT, SECOND,
				c != NULL);
			continue;
		}
		tw_conn_set_port(&f, c, TW_DIR_OUT, 1 + (dice >> 40 & 3));
		now = found = c->progress;
		now.state = dice >> 48 & 1 ? TW_S_ESTABLISHED : TW_S_SYN_RECV;
		tw_conn_advance(&f, c, found, now);
		if (dice >> 52 == 0) {
			f.now_ns = 200 * SECOND;
			tw_call_sweep(&f);
			f.now_ns = SECOND;
		}
	}
	free(cpu);
	return w;
}

/* Whatever several CPUs do with connections at once, the ports' charges equal the records in the
 * table. */
static void charges_are_records(void **state)
{
	struct table *t = table_new(1024);
	size_t half_open[PORTS] = {0}, established[PORTS] = {0};

	run_workers(t, move);
	for (uint32_t n = 0; n < tw_record_number(t->n_buckets, 0); n++) {
		const struct tw_conn *c = &t->records[n];
		uint32_t payer = tw_ports_at(c->ports, TW_DIR_OUT);

		if (!tw_bucket_tag(&t->buckets[n / TW_BUCKET_SLOTS], n % TW_BUCKET_SLOTS))
			continue;
		half_open[payer] += tw_state_half_open(c->progress.state);
		established[payer] += !tw_state_half_open(c->progress.state);
	}
	for (unsigned int port = 0; port < PORTS; port++) {
		assert_int_equal(tw_usage_net(t->usage[port].half_open), half_open[port]);
		assert_int_equal(tw_usage_net(t->usage[port].established), established[port]);
	}
	table_free(t);
}

/* The sweep locks a bucket only if one of its records has expired. */
static void sweep_locks_what_ends(void **state)
{
	struct table *t = table_new(1000);
	struct cpu cpu = {.table = t};
	uint32_t bucket;

	t->config.timeout[TW_S_CLOSED] = 10 * TW_TICKS_PER_SECOND;
	for (uint32_t n = 0; n < 500; n++)
		assert_int_equal(open_one(&cpu, n, 1, TW_S_ESTABLISHED, SECOND), TW_R_NONE);
	cpu.n_locked = 0;
	sweep_all(&cpu, 2 * SECOND);
	assert_int_equal(cpu.n_locked, 0);
	assert_int_equal(count(t), 500);
	assert_int_equal(open_one(&cpu, 500, 1, TW_S_CLOSED, SECOND), TW_R_NONE);
	bucket = cpu.scratch.flow.probe.bucket;
	cpu.n_locked = 0;
	sweep_all(&cpu, 60 * SECOND);
	assert_int_equal(cpu.n_locked, 1);
	assert_int_equal(t->buckets[bucket].lock, 0);
	assert_int_equal(count(t), 500);
	sweep_all(&cpu, 200 * SECOND);
	assert_empty(t);
	table_free(t);
}

/* While programs are replaced, two tables see one end of a connection each. Taking the record over
 * combines both, whichever was seen later, and charges nothing twice. */
static void takes_over(void **state)
{
	struct table *t = table_new(1024);
	struct cpu cpu = {.table = t};
	const struct tw_frame f = {.target = &cpu, .now_ns = 1000ull << TW_TICK_SHIFT};
	struct tw_conn old = {.key = {1, 2, 3, 4, 5}, .created = 900, .seen = 950};
	struct tw_conn *c;

	old.ports = tw_ports_with(1, TW_DIR_IN, 2);
	old.progress.state = TW_S_SYN_SENT;
	old.window[TW_WAY_ORIGINAL] = (struct tw_window){.end = 100, .acked = 100};
	old.window[TW_WAY_REPLY] = (struct tw_window){.end = 500, .acked = 500};
	cpu.scratch.conn = old;
	assert_int_equal(tw_conn_take(&f, &t->config, &cpu.scratch), TW_TAKEN_NEW);
	assert_int_equal(tw_usage_net(t->usage[1].half_open), 1);
	c = tw_conn_at(&f, tw_call_find(&f));
	assert_non_null(c);

	for (int later = 0; later < 2; later++) {
		c->window[TW_WAY_ORIGINAL].end = 300; /* the new programs saw this end */
		old.window[TW_WAY_REPLY].end = 900;   /* the old programs saw the other end */
		old.progress.state = TW_S_ESTABLISHED;
		c->seen = 960;
		old.seen = later ? 970 : 955;
		cpu.scratch.conn = old;
		assert_int_equal(tw_conn_take(&f, &t->config, &cpu.scratch), TW_TAKEN_MET);
		assert_int_equal(c->window[TW_WAY_ORIGINAL].end, 300);
		assert_int_equal(c->window[TW_WAY_REPLY].end, 900);
		assert_int_equal(c->progress.state, later ? TW_S_ESTABLISHED : TW_S_SYN_SENT);
		assert_int_equal(tw_usage_net(t->usage[1].half_open), !later);
		assert_int_equal(tw_usage_net(t->usage[1].established), later);
	}
	/* A connection that was opened a month ago, more than half a wrap of the tick, is the same
	 * connection. */
	c->created -= 30u * 86400 * TW_TICKS_PER_SECOND;
	old.window[TW_WAY_REPLY].end = 1700;
	cpu.scratch.conn = old;
	assert_int_equal(tw_conn_take(&f, &t->config, &cpu.scratch), TW_TAKEN_MET);
	assert_int_equal(c->window[TW_WAY_REPLY].end, 1700);
	/* A connection that was opened after the other's last packet is a different one. */
	c->created = old.seen + 1;
	old.window[TW_WAY_REPLY].end = 2500;
	cpu.scratch.conn = old;
	assert_int_equal(tw_conn_take(&f, &t->config, &cpu.scratch), TW_TAKEN_MET);
	assert_int_equal(c->window[TW_WAY_REPLY].end, 1700);
	old.seen = 100;
	old.key[0] = 9;
	t->config.timeout[TW_S_ESTABLISHED] = 10;
	cpu.scratch.conn = old;
	assert_int_equal(tw_conn_take(&f, &t->config, &cpu.scratch), TW_TAKEN_ENDED);
	table_free(t);
}

/* The end of a connection is reported with the ports of both ends, and with the times of its first and last packet. */
static void the_end_has_ports_and_times(void **state)
{
	struct table *t = table_new(16);
	struct cpu cpu = {.table = t};
	const struct tw_frame f = {.target = &cpu};
	struct tw_conn *c;

	assert_int_equal(open_one(&cpu, 0, 1, TW_S_ESTABLISHED, SECOND), TW_R_NONE);
	assert_true(find(&cpu, 0));
	c = tw_conn_at(&f, tw_call_find(&f));
	assert_non_null(c);
	c->ports = tw_ports_with(c->ports, TW_DIR_IN, 2);
	c->seen += 70;
	sweep_all(&cpu, 200 * SECOND);
	assert_empty(t);
	assert_int_equal(t->n_told, 1);
	assert_int_equal(tw_ports_at(cpu.event.ports, TW_DIR_OUT), 1);
	assert_int_equal(tw_ports_at(cpu.event.ports, TW_DIR_IN), 2);
	assert_int_equal(cpu.event.port_id, 2);
	assert_int_equal(cpu.event.sums.age, tw_tick(200 * SECOND) - tw_tick(SECOND));
	assert_int_equal(cpu.event.sums.age - cpu.event.sums.idle, 70);
	table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sweep_locks_what_ends),
		cmocka_unit_test(takes_over),
		cmocka_unit_test(holds_what_it_is_for),
		cmocka_unit_test(holds_four_million),
		cmocka_unit_test(full_refuses),
		cmocka_unit_test(the_end_has_ports_and_times),
		cmocka_unit_test(keys_do_not_cluster),
		cmocka_unit_test(ages),
		cmocka_unit_test(gone),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(charges_are_records),
		cmocka_unit_test(buckets_kept_for_long),
	};

	return cmocka_run_group_tests_name("conns", tests, NULL, NULL);
}
