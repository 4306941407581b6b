/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rules_read.c: reads lists of rules in ClassBench's format. */
#include "bench/rules.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench/frame.h"

#define ALLOWED_PERCENT 70

static bool read_prefix(const unsigned int *part, unsigned int len, struct tw_bench_prefix *ret)
{
	uint32_t address = 0;

	for (int i = 0; i < 4; i++) {
		if (part[i] > 255)
			return false;
		address = address << 8 | part[i];
	}
	ret->address = address;
	ret->len = (uint8_t)len;
	return len <= 32;
}

static bool read_line(const char *line, struct tw_bench_rule *ret)
{
	unsigned int a[4], b[4], a_len, b_len, s[2], d[2], protocol, mask;
	struct tw_bench_rule rule = {0};

	if (sscanf(line, "@%u.%u.%u.%u/%u %u.%u.%u.%u/%u %u : %u %u : %u 0x%x/0x%x", &a[0], &a[1],
		    &a[2], &a[3], &a_len, &b[0], &b[1], &b[2], &b[3], &b_len, &s[0], &s[1], &d[0],
		    &d[1], &protocol, &mask) != 16)
		return false;
	if (!read_prefix(a, a_len, &rule.from) || !read_prefix(b, b_len, &rule.to) || s[0] > s[1] ||
		s[1] > 65535 || d[0] > d[1] || d[1] > 65535 || protocol > 255)
		return false;
	rule.sport = (struct tw_bench_range){(uint16_t)s[0], (uint16_t)s[1]};
	rule.dport = (struct tw_bench_range){(uint16_t)d[0], (uint16_t)d[1]};
	rule.protocol = mask ? (uint8_t)protocol : 0;
	*ret = rule;
	return true;
}

/* Only TCP and UDP have ports here. A rule for any protocol that names ports becomes a rule for
 * TCP; a rule for another protocol loses its ports. */
static void settle_ports(struct tw_bench_rule *rule)
{
	bool any = rule->sport.from == 0 && rule->sport.to == 65535 && rule->dport.from == 0 &&
		   rule->dport.to == 65535;

	if (!rule->protocol && !any)
		rule->protocol = IPPROTO_TCP;
	if (rule->protocol != IPPROTO_TCP && rule->protocol != IPPROTO_UDP)
		rule->sport = rule->dport = (struct tw_bench_range){0, 65535};
}

static int read_all(const char *path, struct tw_bench_rules *ret, struct tw_err *err)
{
	tw_autofile FILE *file = fopen(path, "re");
	struct tw_bench_rule rule;
	char line[256];
	size_t n = 0;

	if (!file)
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		char place[300];

		snprintf(place, sizeof(place), "%.280s:%zu", path, ++n);
		if (!read_line(line, &rule))
			return tw_err_set(err, -EINVAL, place, NULL, "is not a rule of ClassBench");
		settle_ports(&rule);
		if (tw_vec_push(&ret->list, rule) < 0)
			return -ENOMEM;
	}
	if (ret->list.n < 10 * TW_BENCH_N_OPEN)
		return tw_err_set(err, -EINVAL, path, NULL, "has too few rules");
	return 0;
}

/* Maps the sources so that `from` becomes guest a's address, and the destinations likewise.
 * Exclusive or keeps the nesting of prefixes. */
static void move(struct tw_bench_rule *rule, uint32_t from, uint32_t to)
{
	rule->from.address ^= from ^ TW_BENCH_ADDRESS_A;
	rule->to.address ^= to ^ TW_BENCH_ADDRESS_B;
	rule->from.address &= rule->from.len ? ~0u << (32 - rule->from.len) : 0;
	rule->to.address &= rule->to.len ? ~0u << (32 - rule->to.len) : 0;
}

/* Takes the guests' addresses from one of the rules, and draws verdicts. */
static void move_all(struct tw_bench_rules *rules, uint64_t seed)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): an empty list was refused */
	const struct tw_bench_rule pivot = rules->list.at[seed * 7919 % rules->list.n];
	uint64_t chance = seed;

	tw_vec_foreach (&rules->list, rule) {
		move(rule, pivot.from.address, pivot.to.address);
		/* Knuth's MMIX generator; its upper bits are good. */
		chance = chance * 6364136223846793005u + 1442695040888963407u;
		rule->allow = (chance >> 33) % 100 < ALLOWED_PERCENT;
	}
}

/* Removes rules that would decide too early, and inserts the deciding ones. */
static int put_in(struct tw_bench_rules *ret, const struct tw_bench_rules *all)
{
	size_t n = TW_BENCH_N_OPEN, next = 0;
	int e = 0;

	tw_vec_foreach (&all->list, rule)
		n += !tw_bench_rule_concerns_opened(rule);
	while (!e && ret->list.n < n) {
		struct tw_bench_rule rule;

		if (!tw_bench_rule_deciding(n, n - 1 - ret->list.n, &rule)) {
			while (tw_bench_rule_concerns_opened(&all->list.at[next]))
				next++;
			rule = all->list.at[next++];
		}
		e = tw_vec_push(&ret->list, rule);
	}
	return e;
}

int tw_bench_rules_read(
	struct tw_bench_rules *ret, const char *path, uint64_t seed, struct tw_err *err)
{
	struct tw_bench_rules all = {0};
	int e = read_all(path, &all, err);

	if (!e) {
		move_all(&all, seed);
		ret->seed = seed;
		e = put_in(ret, &all);
	}
	tw_bench_rules_done(&all);
	if (e < 0)
		tw_bench_rules_done(ret);
	return e;
}
