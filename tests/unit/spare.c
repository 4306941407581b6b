/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of reuse: connections that have ended make room for new ones, in the table of
 * conns.h. */
#include "tests/unit/test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/conns.h"

/* Opens, answers and ends a connection at once. True if it was admitted. */
static bool come_and_go(struct cpu *cpu, uint32_t n, uint16_t port, uint64_t now_ns)
{
	static const uint8_t states[] = {TW_S_SYN_SENT, TW_S_ESTABLISHED, TW_S_TIME_WAIT};
	struct tw_frame f = {.target = cpu, .now_ns = now_ns};
	struct tw_conn *c;

	if (open_one(cpu, n, port, states[0], now_ns) != TW_R_NONE || cpu->scratch.flow.untracked)
		return false;
	c = tw_conn_at(&f, tw_call_find(&f));
	assert_non_null(c);
	for (size_t i = 1; i < sizeof(states); i++) {
		struct tw_progress old = c->progress, now = old;

		now.state = states[i];
		tw_conn_advance(&f, c, old, now);
	}
	return true;
}

/* Opens `rate` connections a second from port 1 for `seconds`, next to a thousand live connections
 * and a port that rarely opens one. The agent sweeps all buckets in five seconds. Returns the
 * number of refused connections. */
static uint32_t rush(struct table *t, uint32_t rate, uint32_t seconds)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));
	uint32_t refused = 0, n_buckets = t->n_buckets / (5 * 100);
	uint64_t now_ns = SECOND;

	assert_non_null(cpu);
	cpu->table = t;
	for (uint32_t n = 0; n < 1000; n++)
		assert_int_equal(open_one(cpu, n, 3, TW_S_ESTABLISHED, now_ns), TW_R_NONE);
	for (uint32_t n = 0; n < rate * seconds; n++) {
		struct tw_frame f = {.target = cpu};

		f.now_ns = now_ns += SECOND / rate;
		refused += !come_and_go(cpu, 1000 + n, 1, now_ns);
		if (n % 100 == 0)
			refused += !come_and_go(cpu, 0x40000000 + n, 2, now_ns);
		for (uint32_t i = 0; n % (rate / 100) == 0 && i <= n_buckets; i++)
			tw_call_sweep(&f);
	}
	for (uint32_t n = 0; n < 1000; n++)
		assert_true(find(cpu, n));
	assert_int_equal(tw_usage_net(t->usage[3].established), 1000);
	free(cpu);
	return refused;
}

/* The default table with the default quotas: five minutes with SCALE=full, else until some time
 * after ended connections fill the whole table. */
static void short_connections(void **state)
{
	static const uint32_t rates[] = {2200, 20000, 100000};
	const char *scale = getenv("SCALE");
	uint32_t charged;

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct table *t = table_new(TW_CONNS_DEFAULT);
		uint32_t brief = rates[i] < 20000 ? 130 : 1500000 / rates[i];

		for (unsigned int s = 0; s < TW_S__MAX; s++)
			t->config.timeout[s] = s == TW_S_TIME_WAIT ? 120 * TW_TICKS_PER_SECOND
								   : 432000 * TW_TICKS_PER_SECOND;
		t->config.established_max = TW_CONNS_DEFAULT / 2;
		t->config.half_open_max = TW_CONNS_DEFAULT / 16;
		assert_int_equal(
			rush(t, rates[i], scale && !strcmp(scale, "full") ? 300 : brief), 0);
		charged = tw_usage_net(t->usage[1].over) + tw_usage_net(t->usage[2].over) +
			  tw_usage_net(t->usage[3].established);
		assert_int_equal(charged, count(t));
		assert_true(tw_usage_net(t->usage[1].over) <= TW_CONNS_DEFAULT / 2);
		table_free(t);
	}
}

/* A port that fills the table with ended connections and its full quota of live ones displaces no
 * live connection of another port, and another port's ended ones only if it has none of its own to
 * displace. */
static void keeps_what_lives(void **state)
{
	struct table *t = table_new(4096);
	struct cpu *cpu = calloc(1, sizeof(*cpu));
	uint32_t n_over = 0;

	assert_non_null(cpu);
	cpu->table = t;
	for (uint32_t n = 0; n < 500; n++)
		assert_int_equal(open_one(cpu, n, 1, TW_S_ESTABLISHED, SECOND), TW_R_NONE);
	for (uint32_t n = 500; n < 1000; n++)
		assert_true(come_and_go(cpu, n, 1, SECOND));
	for (uint32_t n = 1000; n < 101000; n++)
		assert_true(come_and_go(cpu, n, 2, SECOND + n * (SECOND / 1000)));
	for (uint32_t n = 0; n < 500; n++)
		assert_true(find(cpu, n));
	for (uint32_t n = 500; n < 1000; n++)
		n_over += find(cpu, n);
	assert_int_equal(tw_usage_net(t->usage[1].established), 500);
	assert_int_equal(tw_usage_net(t->usage[1].over), n_over);
	assert_true(n_over > 400);
	free(cpu);
	table_free(t);
}

/* A record that a packet retains stays until long after the packet. */
static void retained_stays(void **state)
{
	struct table *t = table_new(16);
	struct cpu cpu = {.table = t};
	struct tw_frame f = {.target = &cpu, .now_ns = 100 * SECOND};

	for (uint32_t n = 0; n < 16; n++)
		assert_true(come_and_go(&cpu, n, 1, SECOND));
	for (uint32_t n = 0; n < 16; n++) {
		assert_true(find(&cpu, n));
		assert_true(tw_conn_retain(&f, &t->config, &cpu.scratch.flow));
	}
	assert_int_equal(open_one(&cpu, 16, 1, TW_S_SYN_SENT, 100 * SECOND), TW_R_TABLE_FULL);
	assert_int_equal(tw_usage_net(t->usage[1].over), 16);
	assert_int_equal(open_one(&cpu, 16, 1, TW_S_SYN_SENT, 102 * SECOND), TW_R_NONE);
	assert_int_equal(tw_usage_net(t->usage[1].over), 15);
	/* A record that was given up can no longer be retained. */
	find(&cpu, 16);
	for (uint32_t n = 0, n_retained = 0; n < 16; n++) {
		find(&cpu, n);
		n_retained += (uint32_t)tw_conn_retain(&f, &t->config, &cpu.scratch.flow);
		assert_true(n < 15 || n_retained == 15);
	}
	table_free(t);
}

/* ---- quotas ---- */

/* The default table, which the agent sweeps in five seconds; port 1's quota is
 * `established_max`. */
static struct cpu *quota_table(uint32_t established_max)
{
	struct table *t = table_new(TW_CONNS_DEFAULT);
	struct cpu *cpu = calloc(1, sizeof(*cpu));

	assert_non_null(cpu);
	cpu->table = t;
	for (unsigned int s = 0; s < TW_S__MAX; s++)
		t->config.timeout[s] = 120 * TW_TICKS_PER_SECOND;
	t->config.timeout[TW_S_CLOSED] = 10 * TW_TICKS_PER_SECOND;
	t->ports[1].established_max = established_max;
	return cpu;
}

static void quota_table_free(struct cpu *cpu)
{
	table_free(cpu->table);
	free(cpu);
}

/* Runs the agent's sweep for a part of a second. */
static void sweep_part(struct cpu *cpu, uint64_t now_ns, uint32_t parts)
{
	struct tw_frame f = {.target = cpu, .now_ns = now_ns};

	for (uint32_t i = 0; i <= cpu->table->n_buckets / (5 * parts); i++)
		tw_call_sweep(&f);
}

/* A port with a small quota has its records far apart in a large table: its ended connections still
 * do not keep new ones out. */
static void small_quota(void **state)
{
	struct cpu *cpu = quota_table(100);
	uint64_t now_ns = SECOND;
	uint32_t refused = 0;

	for (uint32_t n = 0; n < 40000; n++) {
		now_ns += SECOND / 1000;
		refused += !come_and_go(cpu, n, 1, now_ns);
		if (n % 100 == 0)
			sweep_part(cpu, now_ns, 10);
	}
	assert_int_equal(refused, 0);
	assert_true(tw_usage_net(cpu->table->usage[1].over) <= TW_CONNS_DEFAULT / 8);
	quota_table_free(cpu);
}

/* Sends a UDP request and its answer. True if the request was admitted. */
static bool ask(struct cpu *cpu, uint32_t n, uint16_t port, uint64_t now_ns)
{
	struct tw_frame f = {.target = cpu, .now_ns = now_ns};
	struct tw_progress old, now;
	struct tw_conn *c;

	if (open_one(cpu, n, port, TW_S_UDP_UNREPLIED, now_ns) != TW_R_NONE)
		return false;
	c = tw_conn_at(&f, tw_call_find(&f));
	assert_non_null(c);
	now = old = c->progress;
	now.state = TW_S_UDP_REPLIED;
	tw_conn_advance(&f, c, old, now);
	return true;
}

/* UDP requests of seven eighths of the quota in fifteen seconds: none is refused, they displace no
 * more than necessary, and no connection in use is lost. */
static void small_quota_of_questions(void **state)
{
	struct cpu *cpu = quota_table(1000);
	struct tw_frame f = {.target = cpu};
	uint64_t now_ns = SECOND;
	uint32_t refused = 0;
	struct tw_conn *c;

	for (uint32_t n = 0; n < 100; n++) {
		assert_true(ask(cpu, 1000000 + n, 1, now_ns));
		c = tw_conn_at(&f, tw_call_find(&f));
		c->packets[TW_WAY_REPLY] = TW_SPARE_PACKETS + 1;
	}
	for (uint32_t n = 0; n < 5000; n++) {
		now_ns += SECOND / 50;
		refused += !ask(cpu, n, 1, now_ns);
		assert_true(tw_usage_net(cpu->table->usage[1].established) <= 1000);
		for (uint32_t i = 0; n % 50 == 0 && i < 100; i++) {
			assert_true(find(cpu, 1000000 + i));
			tw_conn_at(&f, tw_call_find(&f))->seen = tw_tick(now_ns);
		}
		if (n % 5 == 0)
			sweep_part(cpu, now_ns, 10);
	}
	assert_int_equal(refused, 0);
	quota_table_free(cpu);
}

/* For ports far below their quota, ended connections stay for as long as the policy configures. */
static void sweeps_no_more_than_needed(void **state)
{
	struct cpu *cpu = quota_table(1000);

	for (uint32_t n = 0; n < 800; n++)
		assert_true(ask(cpu, n, 1, SECOND));
	for (uint32_t n = 800; n < 2800; n++)
		assert_true(come_and_go(cpu, n, 1, SECOND));
	sweep_all(cpu, 100 * SECOND);
	assert_int_equal(count(cpu->table), 2800);
	quota_table_free(cpu);
}

/* Only some refused connections search the records of their probe sequence: a search for each would
 * cost the host time, and the sender nothing. */
static void refusals_are_cheap(void **state)
{
	static const uint8_t states[] = {TW_S_ESTABLISHED, TW_S_TIME_WAIT};
	const uint32_t n_max = TW_CONNS_DEFAULT / 8, n_refused = 100000;

	for (size_t i = 0; i < sizeof(states); i++) {
		struct cpu *cpu = quota_table(n_max);

		/* None of them can be reused: they are alive, or ended only a moment ago. */
		for (uint32_t n = 0; n < n_max; n++)
			assert_int_equal(open_one(cpu, n, 1, states[i], SECOND), TW_R_NONE);
		cpu->n_looked = 0;
		for (uint32_t n = 0; n < n_refused; n++)
			assert_int_equal(open_one(cpu, n_max + n, 1, TW_S_SYN_SENT,
						 SECOND + n * (SECOND / n_refused / 2)),
				TW_R_QUOTA);
		assert_int_equal(cpu->table->usage[1].refused, n_refused);
		assert_in_range(cpu->n_looked, 1,
			TW_PROBE_BUCKETS * (500 / TW_VAIN_TICKS + TW_VAIN_BURST + 2));
		/* New connections of another port are not affected. */
		assert_int_equal(
			open_one(cpu, n_max + n_refused, 2, TW_S_SYN_SENT, SECOND), TW_R_NONE);
		quota_table_free(cpu);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_connections),
		cmocka_unit_test(keeps_what_lives),
		cmocka_unit_test(retained_stays),
		cmocka_unit_test(small_quota),
		cmocka_unit_test(small_quota_of_questions),
		cmocka_unit_test(sweeps_no_more_than_needed),
		cmocka_unit_test(refusals_are_cheap),
	};

	return cmocka_run_group_tests_name("spare", tests, NULL, NULL);
}
