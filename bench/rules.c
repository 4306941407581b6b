/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/rules.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/frame.h"

#define N_NETWORKS 40
/* ClassBench's sets of 100,000 rules use few services again and again: 40 to 73 single ports, 3 to
 * 35 ranges of destination ports and 0 to 33 source ports, 215 to 460 services in all. */
#define SERVICES_MAX 72
#define RANGES_MAX   36
#define SOURCES_MAX  6 /* number of ranges, and of single ports */

/* Classes of prefix lengths, with their approximate frequency in ClassBench's seeds. */
static const struct {
	uint8_t min, max;
	double weight;
} lengths[] = {
	{0, 0, 14},
	{8, 15, 5},
	{16, 16, 10},
	{17, 23, 17},
	{24, 24, 18},
	{25, 31, 12},
	{32, 32, 24},
};
#define N_LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

/* ClassBench's five port classes: any, 0-1023, 1024-65535, an arbitrary range, one port. */
enum ports { PORTS_ANY, PORTS_LOW, PORTS_HIGH, PORTS_RANGE, PORTS_ONE, PORTS__MAX };
static const double source_ports[PORTS__MAX] = {88, 0.5, 5.5, 2, 4};
static const double destination_ports[PORTS__MAX] = {14, 3, 9, 16, 58};
/* Weights of destination ports for the few rules that also have source ports. */
static const double destination_ports_of_pairs[PORTS__MAX] = {60, 2, 24, 2, 12};

enum { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP, PROTOCOL_ANY, PROTOCOL__MAX };
static const double protocols[PROTOCOL__MAX] = {64, 24, 4, 8};

/* The distributions of one list, and the state of its random generator. */
struct model {
	uint64_t state;
	uint16_t network[N_NETWORKS]; /* upper half of the addresses */
	uint16_t service[SERVICES_MAX];
	struct tw_bench_range range[RANGES_MAX];
	uint32_t n_services, n_ranges;
	double network_skew, host_skew, service_skew; /* 1: uniform; larger: few are popular */
	double about_guests; /* fraction of rule sides that cover one of the guests */
	double allow;
	double lengths[N_LENGTHS];
	double source_ports[PORTS__MAX], destination_ports[PORTS__MAX];
	double protocols[PROTOCOL__MAX];
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(struct model *model)
{
	uint64_t z = model->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static double draw_unit(struct model *model)
{
	return (double)(draw(model) >> 11) * 0x1p-53;
}

static uint32_t draw_below(struct model *model, uint32_t n)
{
	return (uint32_t)(draw(model) % n);
}

/* Returns a random number; smaller ones are more likely. */
static uint32_t draw_skewed(struct model *model, uint32_t n, double skew)
{
	return (uint32_t)(n * pow(draw_unit(model), skew));
}

static size_t draw_weighted(struct model *model, const double *weights, size_t n)
{
	double sum = 0, at;

	for (size_t i = 0; i < n; i++)
		sum += weights[i];
	at = sum * draw_unit(model);
	for (size_t i = 0; i + 1 < n; i++) {
		at -= weights[i];
		if (at < 0)
			return i;
	}
	return n - 1;
}

/* Scales each weight by a random factor from 0.5 to 1.5. */
static void vary(struct model *model, double *ret, const double *weights, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = weights[i] * (0.5 + draw_unit(model));
}

/* Returns a range of 2 to 4095 ports. */
static struct tw_bench_range draw_range(struct model *model)
{
	uint32_t width = 1u << (1 + draw_below(model, 11));
	uint32_t from = draw_below(model, 65536 - 2 * width);

	return (struct tw_bench_range){
		(uint16_t)from, (uint16_t)(from + width + draw_below(model, width) - 1)};
}

static void model_init(struct model *model, uint64_t seed)
{
	static const uint16_t common[] = {80, 443, 22, 53, 25, 123, 161, 389, 445, 1433, 3306, 8080,
		110, 143, 993, 3389, 6379, 9092};
	double usual[N_LENGTHS];

	*model = (struct model){.state = seed};
	for (size_t i = 0; i < N_NETWORKS; i++)
		model->network[i] = (uint16_t)draw(model);
	model->network[draw_below(model, 4)] = TW_BENCH_ADDRESS_A >> 16;
	model->n_services = SERVICES_MAX / 2 + draw_below(model, SERVICES_MAX / 2 + 1);
	model->n_ranges = 4 + draw_below(model, RANGES_MAX - 3);
	for (size_t i = 0; i < RANGES_MAX; i++)
		model->range[i] = draw_range(model);
	for (size_t i = 0; i < SERVICES_MAX; i++)
		model->service[i] = i < sizeof(common) / sizeof(common[0])
					    ? common[i]
					    : (uint16_t)(1 + draw_below(model, 65535));
	model->network_skew = 1.5 + 1.5 * draw_unit(model);
	model->host_skew = 1.5 + 2 * draw_unit(model);
	model->service_skew = 1.5 + 1.5 * draw_unit(model);
	model->about_guests = 0.3 + 0.2 * draw_unit(model);
	model->allow = 0.6 + 0.3 * draw_unit(model);
	for (size_t i = 0; i < N_LENGTHS; i++)
		usual[i] = lengths[i].weight;
	vary(model, model->lengths, usual, N_LENGTHS);
	vary(model, model->source_ports, source_ports, PORTS__MAX);
	vary(model, model->destination_ports, destination_ports, PORTS__MAX);
	vary(model, model->protocols, protocols, PROTOCOL__MAX);
}

static uint32_t mask(uint8_t len)
{
	return len ? ~0u << (32 - len) : 0;
}

/* Draws an address. Popular subnets and hosts have small numbers, which are permuted so that they
 * differ between networks. */
static uint32_t draw_address(struct model *model)
{
	uint32_t network = draw_skewed(model, N_NETWORKS, model->network_skew);
	uint32_t upper = model->network[network];
	uint32_t subnet = draw_skewed(model, 256, model->host_skew) ^ (upper * 167 & 255);
	uint32_t host = draw_skewed(model, 256, model->host_skew) ^ ((upper ^ subnet) * 89 & 255);

	return upper << 16 | subnet << 8 | host;
}

static struct tw_bench_prefix draw_prefix(struct model *model)
{
	size_t class = draw_weighted(model, model->lengths, N_LENGTHS);
	uint8_t min = lengths[class].min, max = lengths[class].max;
	struct tw_bench_prefix prefix = {
		.len = (uint8_t)(min + draw_below(model, (uint32_t)(max - min + 1)))};

	if (draw_unit(model) < model->about_guests)
		prefix.address = draw(model) & 1 ? TW_BENCH_ADDRESS_A : TW_BENCH_ADDRESS_B;
	else
		prefix.address = draw_address(model);
	prefix.address &= mask(prefix.len);
	return prefix;
}

/* Draws a range from the first `popular` entries of the pools. */
static struct tw_bench_range draw_ports(
	struct model *model, const double *weights, uint32_t popular)
{
	uint32_t n_ranges = popular < model->n_ranges ? popular : model->n_ranges;
	uint32_t n_services = popular < model->n_services ? popular : model->n_services;
	struct tw_bench_range range = {0, 65535};

	switch (draw_weighted(model, weights, PORTS__MAX)) {
	case PORTS_LOW:
		range.to = 1023;
		break;
	case PORTS_HIGH:
		range.from = 1024;
		break;
	case PORTS_RANGE:
		return model->range[draw_skewed(model, n_ranges, model->service_skew)];
	case PORTS_ONE:
		range.from = model->service[draw_skewed(model, n_services, model->service_skew)];
		range.to = range.from;
		break;
	default:
		break;
	}
	return range;
}

static void draw_port_pair(struct model *model, struct tw_bench_rule *rule)
{
	bool pair;

	rule->sport = draw_ports(model, model->source_ports, SOURCES_MAX);
	pair = rule->sport.from > 0 || rule->sport.to < 65535;
	rule->dport = draw_ports(
		model, pair ? destination_ports_of_pairs : model->destination_ports, SERVICES_MAX);
}

static struct tw_bench_rule draw_rule(struct model *model)
{
	static const uint8_t numbers[] = {
		[PROTOCOL_TCP] = IPPROTO_TCP,
		[PROTOCOL_UDP] = IPPROTO_UDP,
		[PROTOCOL_ICMP] = IPPROTO_ICMP,
		[PROTOCOL_ANY] = 0,
	};
	struct tw_bench_rule rule = {
		.from = draw_prefix(model),
		.to = draw_prefix(model),
		.protocol = numbers[draw_weighted(model, model->protocols, PROTOCOL__MAX)],
		.sport = {0, 65535},
		.dport = {0, 65535},
		.allow = draw_unit(model) < model->allow,
	};

	if (rule.protocol == IPPROTO_TCP || rule.protocol == IPPROTO_UDP)
		draw_port_pair(model, &rule);
	return rule;
}

static bool covers(const struct tw_bench_prefix *prefix, uint32_t address)
{
	return ((prefix->address ^ address) & mask(prefix->len)) == 0;
}

bool tw_bench_rule_concerns_opened(const struct tw_bench_rule *rule)
{
	return covers(&rule->from, TW_BENCH_ADDRESS_A) && covers(&rule->to, TW_BENCH_ADDRESS_B) &&
	       (rule->protocol == 0 || rule->protocol == IPPROTO_TCP) &&
	       rule->sport.to >= TW_BENCH_SPORT_MIN && rule->dport.to >= TW_BENCH_PORT_OPEN &&
	       rule->dport.from < TW_BENCH_PORT_OPEN + TW_BENCH_N_OPEN;
}

static uint64_t hash(const struct tw_bench_rule *rule)
{
	const uint64_t words[] = {
		(uint64_t)rule->from.address << 32 | rule->to.address,
		(uint64_t)rule->sport.from << 48 | (uint64_t)rule->sport.to << 32 |
			(uint64_t)rule->dport.from << 16 | rule->dport.to,
		(uint64_t)rule->from.len << 16 | (uint64_t)rule->to.len << 8 | rule->protocol,
	};
	struct model model = {0};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		model.state ^= words[i];
		model.state = draw(&model);
	}
	return model.state;
}

static bool same(const struct tw_bench_rule *a, const struct tw_bench_rule *b)
{
	return a->from.address == b->from.address && a->from.len == b->from.len &&
	       a->to.address == b->to.address && a->to.len == b->to.len &&
	       a->protocol == b->protocol && a->sport.from == b->sport.from &&
	       a->sport.to == b->sport.to && a->dport.from == b->dport.from &&
	       a->dport.to == b->dport.to;
}

/* The existing rules, to detect duplicates: positions from 1 in an open-addressed table. */
struct known {
	uint32_t *at;
	size_t n; /* a power of two */
};

/* True if the rule is new. It is then stored as the next rule of the list. */
static bool learn(
	struct known *known, const struct tw_bench_rules *rules, const struct tw_bench_rule *rule)
{
	size_t i = hash(rule) & (known->n - 1);

	for (; known->at[i]; i = (i + 1) & (known->n - 1))
		if (same(&rules->list.at[known->at[i] - 1], rule))
			return false;
	known->at[i] = (uint32_t)rules->list.n + 1;
	return true;
}

bool tw_bench_rule_deciding(size_t n, size_t place, struct tw_bench_rule *ret)
{
	size_t step = n / 10 / TW_BENCH_N_OPEN;
	size_t k = place / step;

	if (place % step || k >= TW_BENCH_N_OPEN)
		return false;
	*ret = (struct tw_bench_rule){
		.from = {TW_BENCH_ADDRESS_A, 32},
		.to = {TW_BENCH_ADDRESS_B, 32},
		.protocol = IPPROTO_TCP,
		.sport = {0, 65535},
		.dport = {(uint16_t)(TW_BENCH_PORT_OPEN + k), (uint16_t)(TW_BENCH_PORT_OPEN + k)},
		.allow = true,
	};
	return true;
}

int tw_bench_rules_generate(struct tw_bench_rules *ret, size_t n, uint64_t seed)
{
	struct known known = {.n = 1};
	struct model model;
	int e = 0;

	while (known.n < 2 * n)
		known.n *= 2;
	known.at = tw_alloc_array(known.n, sizeof(*known.at));
	if (!known.at)
		return -ENOMEM;
	ret->seed = seed;
	model_init(&model, seed);
	while (!e && ret->list.n < n) {
		struct tw_bench_rule rule;

		if (!tw_bench_rule_deciding(n, n - 1 - ret->list.n, &rule)) {
			do {
				rule = draw_rule(&model);
			} while (
				tw_bench_rule_concerns_opened(&rule) || !learn(&known, ret, &rule));
		}
		e = tw_vec_push(&ret->list, rule);
	}
	free(known.at);
	if (e < 0)
		tw_bench_rules_done(ret);
	return e;
}

void tw_bench_rules_done(struct tw_bench_rules *rules)
{
	tw_vec_done(&rules->list);
}

static bool within(const struct tw_bench_range *range, uint16_t port)
{
	return range->from <= port && port <= range->to;
}

bool tw_bench_rules_allow(const struct tw_bench_rules *rules, const struct tw_bench_tuple *tuple)
{
	tw_vec_foreach (&rules->list, rule) {
		if (covers(&rule->from, tuple->from) && covers(&rule->to, tuple->to) &&
			(rule->protocol == 0 || rule->protocol == tuple->protocol) &&
			within(&rule->sport, tuple->sport) && within(&rule->dport, tuple->dport))
			return rule->allow;
	}
	return false;
}

/* Returns a port just outside a range, at its edge, or in it. */
static uint16_t draw_edge(struct model *model, const struct tw_bench_range *range)
{
	switch (draw_below(model, 5)) {
	case 0:
		return (uint16_t)(range->from - (range->from > 0));
	case 1:
		return range->from;
	case 2:
		return range->to;
	case 3:
		return (uint16_t)(range->to + (range->to < 65535));
	default:
		return (uint16_t)(range->from +
				  draw_below(model, (uint32_t)(range->to - range->from + 1)));
	}
}

struct tw_bench_tuple tw_bench_rules_probe(const struct tw_bench_rules *rules, size_t n)
{
	struct model model = {.state = rules->seed ^ (n + 1) << 32};
	bool forth = draw(&model) & 1;
	const struct tw_bench_rule *rule;
	struct tw_bench_tuple tuple = {
		.from = forth ? TW_BENCH_ADDRESS_A : TW_BENCH_ADDRESS_B,
		.to = forth ? TW_BENCH_ADDRESS_B : TW_BENCH_ADDRESS_A,
	};

	/* Draws up to 32 rules, until one covers the addresses of both guests. */
	for (int i = 0; i < 32; i++) {
		rule = &rules->list.at[draw_below(&model, (uint32_t)rules->list.n)];
		if (covers(&rule->from, tuple.from) && covers(&rule->to, tuple.to))
			break;
	}
	tuple.protocol = rule->protocol == IPPROTO_UDP || (!rule->protocol && draw(&model) & 1)
				 ? IPPROTO_UDP
				 : IPPROTO_TCP;
	/* If any source port matches, each probe has its own, so that no probe belongs to the
	 * connection of another. */
	tuple.sport = rule->sport.from == 0 && rule->sport.to == 65535
			      ? (uint16_t)(TW_BENCH_SPORT_MIN + n)
			      : draw_edge(&model, &rule->sport);
	tuple.dport = draw_edge(&model, &rule->dport);
	/* Open vSwitch does not track connections with port 0, whatever the rules. */
	tuple.sport += !tuple.sport;
	tuple.dport += !tuple.dport;
	return tuple;
}
