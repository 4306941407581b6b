/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "world.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { TAGS_NONE, TAGS_ONE, TAGS_NOT, TAGS_AND, TAGS_OR_NOT, TAGS__N };
enum {
	PART_TCP,
	PART_UDP,
	PART_ICMP,
	PART_ICMP6,
	PART_PROTO,
	PART_TCP_SPORT,
	PART_ALL_TCP,
	PART__N
};
enum { OP_ANY, OP_WORKLOAD, OP_GROUP, OP_NETWORK, OP_PREFIX, OP__N };

static const unsigned int known_ports[] = {0, 22, 53, 80, 443, 1024, 5432, 65535};
static const unsigned int known_protos[] = {0, 1, 2, 6, 17, 47, 58, 132, 255};

#define N_ITEMS(array) ((unsigned int)(sizeof(array) / sizeof((array)[0])))

uint64_t world_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t world_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)(world_random(state) % limit);
}

static struct tw_addr make_v4(uint32_t host)
{
	return (struct tw_addr){.w = {[2] = htonl(0xffff), [3] = htonl(host)}};
}

/* Addresses come from few values, so that rules overlap. */
static struct tw_addr pick_addr(uint64_t *random, bool v6)
{
	struct tw_addr addr = {.b = {0xfd, [15] = (uint8_t)world_below(random, 64)}};
	uint32_t kind = world_below(random, 8);

	if (!v6 && kind == 0)
		return make_v4((uint32_t)world_random(random));
	if (!v6)
		return make_v4(0x0a000000u | world_below(random, 4) << 8 | world_below(random, 32));
	if (kind == 0)
		for (size_t i = 0; i < 16; i++)
			addr.b[i] = (uint8_t)world_random(random);
	addr.b[7] = (uint8_t)(addr.b[7] & 3);
	return addr;
}

static void clear_host_bits(struct world_prefix *p)
{
	unsigned int len = p->len + (p->v6 ? 0 : 96);

	for (unsigned int bit = len; bit < 128; bit++)
		p->addr.b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

static struct world_prefix pick_prefix(uint64_t *random)
{
	static const unsigned int v4_lens[] = {0, 1, 8, 22, 24, 27, 28, 30, 31, 32, 32, 32};
	static const unsigned int v6_lens[] = {0, 1, 7, 56, 62, 64, 64, 120, 124, 127, 128, 128};
	struct world_prefix p = {.v6 = world_below(random, 3) == 0};

	p.addr = pick_addr(random, p.v6);
	p.len = p.v6 ? v6_lens[world_below(random, N_ITEMS(v6_lens))]
		     : v4_lens[world_below(random, N_ITEMS(v4_lens))];
	clear_host_bits(&p);
	return p;
}

static bool prefix_has(const struct world_prefix *p, const struct tw_addr *addr, bool v6)
{
	unsigned int len = p->len + (p->v6 ? 0 : 96);

	if (p->v6 != v6)
		return false;
	for (unsigned int bit = 0; bit < len; bit++)
		if ((p->addr.b[bit / 8] ^ addr->b[bit / 8]) & 0x80u >> bit % 8)
			return false;
	return true;
}

static struct world_part pick_part(uint64_t *random)
{
	struct world_part part = {.kind = world_below(random, PART__N), .sport_hi = 65535};

	switch (part.kind) {
	case PART_ICMP:
	case PART_ICMP6:
		part.lo = world_below(random, 4) << 8;
		part.hi = part.lo | 255;
		if (world_below(random, 2))
			part.hi = part.lo |= world_below(random, 3);
		break;
	case PART_PROTO:
		part.lo = part.hi = known_protos[world_below(random, N_ITEMS(known_protos))];
		break;
	case PART_ALL_TCP:
		part.hi = 65535;
		break;
	default:
		part.lo = part.hi = known_ports[world_below(random, N_ITEMS(known_ports))];
		if (world_below(random, 2))
			part.hi = part.lo + world_below(random, 65536 - part.lo);
		if (part.kind == PART_TCP_SPORT) {
			part.sport_lo = known_ports[world_below(random, N_ITEMS(known_ports))];
			part.sport_hi = part.sport_lo + world_below(random, 65536 - part.sport_lo);
		}
	}
	return part;
}

static struct world_ends pick_ends(uint64_t *random)
{
	struct world_ends ends = {.n = world_below(random, 3)};

	for (unsigned int i = 0; i < ends.n; i++) {
		struct world_operand *o = &ends.at[i];

		o->kind = world_below(random, OP__N);
		o->negate = world_below(random, 4) == 0;
		if (o->kind == OP_WORKLOAD)
			o->index = world_below(random, WORLD_WORKLOADS);
		else if (o->kind == OP_GROUP)
			o->index = world_below(random, WORLD_GROUPS);
		else if (o->kind == OP_NETWORK)
			o->index = world_below(random, WORLD_NETWORKS);
		else if (o->kind == OP_PREFIX)
			o->prefix = pick_prefix(random);
	}
	return ends;
}

static struct world_rule pick_rule(uint64_t *random)
{
	static const enum tw_verdict actions[] = {
		TW_V_ALLOW, TW_V_ALLOW, TW_V_DENY, TW_V_REJECT, TW_V_ASK};
	uint32_t at = world_below(random, 6);

	return (struct world_rule){
		.from = pick_ends(random),
		.to = pick_ends(random),
		.service = (int)world_below(random, WORLD_SERVICES + 4) - 1,
		.part = pick_part(random),
		.action = actions[world_below(random, N_ITEMS(actions))],
		.log = world_below(random, 4) == 0,
		.named = world_below(random, 4) != 0,
		.at_out = at != 0,
		.at_in = at != 1,
	};
}

/* Host addresses contain the workload's number, because workloads cannot share an address. */
static void make_workload(struct world *world, unsigned int number, uint64_t *random)
{
	struct world_workload *w = &world->workloads[number];
	struct tw_addr v6 = {.b = {0xfd, [15] = (uint8_t)(number + 1)}};

	w->tags = world_below(random, 1u << WORLD_TAGS);
	w->any = number == 4 && world_below(random, 2);
	if (w->any)
		return;
	w->addrs[w->n_addrs++] = (struct world_prefix){
		.addr = make_v4(0x0a000001 + number), .len = 32};
	if (world_below(random, 2))
		w->addrs[w->n_addrs++] = (struct world_prefix){.addr = v6, .len = 128, .v6 = true};
	if (number != 5)
		return;
	w->addrs[w->n_addrs] = pick_prefix(random);
	if (w->addrs[w->n_addrs].len != (w->addrs[w->n_addrs].v6 ? 128 : 32))
		w->n_addrs++;
}

void world_make(struct world *world, uint64_t seed, unsigned int n_rules)
{
	uint64_t random = seed;

	*world = (struct world){.n_rules = n_rules, .default_allow = world_below(&random, 3) == 0};
	for (unsigned int i = 0; i < WORLD_WORKLOADS; i++)
		make_workload(world, i, &random);
	for (unsigned int i = 0; i < WORLD_NETWORKS; i++) {
		world->n_prefixes[i] = 1 + world_below(&random, WORLD_LIST_MAX);
		for (unsigned int k = 0; k < world->n_prefixes[i]; k++)
			world->networks[i][k] = pick_prefix(&random);
	}
	for (unsigned int i = 0; i < WORLD_GROUPS; i++) {
		struct world_group *g = &world->groups[i];

		g->tags_kind = world_below(&random, TAGS__N);
		g->tag_a = world_below(&random, WORLD_TAGS);
		g->tag_b = world_below(&random, WORLD_TAGS);
		g->network = (int)world_below(&random, WORLD_NETWORKS + 1) - 1;
		g->workload_glob = (int)world_below(&random, WORLD_WORKLOADS + 3) - 1;
		if (g->tags_kind == TAGS_NONE && g->network < 0 && g->workload_glob < 0)
			g->network = 0;
	}
	for (unsigned int i = 0; i < WORLD_SERVICES; i++) {
		world->services[i].n = 1 + world_below(&random, WORLD_LIST_MAX);
		for (unsigned int k = 0; k < world->services[i].n; k++)
			world->services[i].parts[k] = pick_part(&random);
	}
	for (unsigned int i = 0; i < n_rules; i++)
		world->rules[i] = pick_rule(&random);
}

/* ---- meaning ---- */

static bool group_has_workload(
	const struct world_group *g, const struct world *world, unsigned int number)
{
	unsigned int tags = world->workloads[number].tags;
	bool a = tags >> g->tag_a & 1, b = tags >> g->tag_b & 1;

	if ((g->tags_kind == TAGS_ONE && a) || (g->tags_kind == TAGS_NOT && !a) ||
		(g->tags_kind == TAGS_AND && a && b) || (g->tags_kind == TAGS_OR_NOT && (a || !b)))
		return true;
	if (g->workload_glob >= WORLD_WORKLOADS)
		return g->workload_glob == WORLD_WORKLOADS || number % 2 == 0;
	return g->workload_glob == (int)number;
}

static bool workload_has(const struct world_workload *w, const struct tw_addr *addr, bool v6)
{
	for (unsigned int i = 0; i < w->n_addrs; i++)
		if (prefix_has(&w->addrs[i], addr, v6))
			return true;
	return false;
}

int world_owner(const struct world *world, const struct tw_addr *addr, bool v6)
{
	int owner = -1, best = -1;

	for (int i = 0; i < WORLD_WORKLOADS; i++)
		for (unsigned int k = 0; k < world->workloads[i].n_addrs; k++) {
			const struct world_prefix *p = &world->workloads[i].addrs[k];

			if (prefix_has(p, addr, v6) && (int)p->len > best) {
				best = (int)p->len;
				owner = i;
			}
		}
	return owner;
}

static bool network_has(
	const struct world *world, unsigned int number, const struct tw_addr *addr, bool v6)
{
	for (unsigned int i = 0; i < world->n_prefixes[number]; i++)
		if (prefix_has(&world->networks[number][i], addr, v6))
			return true;
	return false;
}

static bool group_has(
	const struct world *world, const struct world_group *g, const struct tw_addr *addr, bool v6)
{
	if (g->network >= 0 && network_has(world, (unsigned int)g->network, addr, v6))
		return true;
	for (unsigned int i = 0; i < WORLD_WORKLOADS; i++)
		if (group_has_workload(g, world, i) && workload_has(&world->workloads[i], addr, v6))
			return true;
	return false;
}

static bool operand_has(const struct world *world, const struct world_operand *o,
	const struct tw_addr *addr, bool v6)
{
	switch (o->kind) {
	case OP_WORKLOAD:
		return workload_has(&world->workloads[o->index], addr, v6);
	case OP_GROUP:
		return group_has(world, &world->groups[o->index], addr, v6);
	case OP_NETWORK:
		return network_has(world, o->index, addr, v6);
	case OP_PREFIX:
		return prefix_has(&o->prefix, addr, v6);
	default:
		return true;
	}
}

/* True if an entry names the workload. */
static bool operand_names(const struct world *world, const struct world_operand *o, int workload)
{
	if (workload < 0)
		return false;
	if (o->kind == OP_WORKLOAD)
		return o->index == (unsigned int)workload;
	return o->kind == OP_GROUP &&
	       group_has_workload(&world->groups[o->index], world, (unsigned int)workload);
}

/* `workload`: the workload without an address guard at whose port the end is; -1: none. */
static bool ends_have(const struct world *world, const struct world_ends *ends,
	const struct tw_addr *addr, bool v6, int workload)
{
	bool any_plus = false, in_plus = false;

	for (unsigned int i = 0; i < ends->n; i++) {
		bool has = operand_has(world, &ends->at[i], addr, v6) ||
			   operand_names(world, &ends->at[i], workload);

		if (ends->at[i].negate && has)
			return false;
		any_plus |= !ends->at[i].negate;
		in_plus |= !ends->at[i].negate && has;
	}
	return in_plus || !any_plus;
}

static bool part_has(const struct world_part *part, const struct world_tuple *t)
{
	bool port = t->dport >= part->lo && t->dport <= part->hi;

	switch (part->kind) {
	case PART_TCP:
	case PART_ALL_TCP:
		return t->proto == 6 && port;
	case PART_TCP_SPORT:
		return t->proto == 6 && port && t->sport >= part->sport_lo &&
		       t->sport <= part->sport_hi;
	case PART_UDP:
		return t->proto == 17 && port;
	case PART_ICMP:
		return t->proto == 1 && !t->v6 && port;
	case PART_ICMP6:
		return t->proto == 58 && t->v6 && port;
	default:
		return t->proto == part->lo;
	}
}

static bool service_has(
	const struct world *world, const struct world_rule *rule, const struct world_tuple *t)
{
	if (rule->service < 0)
		return true;
	if (rule->service >= WORLD_SERVICES)
		return part_has(&rule->part, t);
	for (unsigned int i = 0; i < world->services[rule->service].n; i++)
		if (part_has(&world->services[rule->service].parts[i], t))
			return true;
	return false;
}

unsigned int world_decide(const struct world *world, enum tw_dir end, const struct world_tuple *t)
{
	return world_decide_at(world, -1, end, t);
}

unsigned int world_decide_at(
	const struct world *world, int workload, enum tw_dir end, const struct world_tuple *t)
{
	int guest = workload >= 0 && world->workloads[workload].any ? workload : -1;
	unsigned int i = 0;

	for (; i < world->n_rules; i++) {
		const struct world_rule *rule = &world->rules[i];

		if ((end == TW_DIR_OUT ? rule->at_out : rule->at_in) &&
			ends_have(world, &rule->from, &t->from, t->v6,
				end == TW_DIR_OUT ? guest : -1) &&
			ends_have(world, &rule->to, &t->to, t->v6, end == TW_DIR_IN ? guest : -1) &&
			service_has(world, rule, t))
			break;
	}
	return i;
}

bool world_own(const struct world *world, unsigned int workload, bool v6, uint64_t *random,
	struct tw_addr *ret)
{
	const struct world_workload *w = &world->workloads[workload];
	const struct world_prefix *p;

	if (!w->n_addrs)
		return false;
	p = &w->addrs[world_below(random, w->n_addrs)];
	if (p->v6 != v6)
		return false;
	*ret = p->addr;
	for (unsigned int bit = p->len + (v6 ? 0 : 96); bit < 128; bit++)
		if (world_random(random) & 1)
			ret->b[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	/* An IPv4-mapped address is IPv4. */
	return !v6 || ret->d[0] || ret->w[2] != htonl(0xffff);
}

struct world_tuple world_tuple(const struct world *world, uint64_t *random)
{
	struct world_tuple t = {.v6 = world_below(random, 3) == 0};
	uint32_t kind = world_below(random, 5);

	t.from = pick_addr(random, t.v6);
	t.to = pick_addr(random, t.v6);
	if (world_below(random, 2))
		(void)world_own(world, world_below(random, WORLD_WORKLOADS), t.v6, random, &t.from);
	if (world_below(random, 2))
		(void)world_own(world, world_below(random, WORLD_WORKLOADS), t.v6, random, &t.to);
	t.proto = kind < 2    ? 6
		  : kind == 2 ? 17
		  : kind == 3 ? (t.v6 ? 58 : 1)
			      : known_protos[world_below(random, N_ITEMS(known_protos))];
	/* No rule ever judges ICMP in IPv6 or ICMPv6 in IPv4. */
	if (t.proto == 1 || t.proto == 58)
		t.proto = t.v6 ? 58 : 1;
	if (t.proto == 6 || t.proto == 17) {
		t.sport = known_ports[world_below(random, N_ITEMS(known_ports))];
		t.dport = known_ports[world_below(random, N_ITEMS(known_ports))];
		if (world_below(random, 2))
			t.dport = world_below(random, 65536);
	} else if (t.proto == 1 || t.proto == 58) {
		t.dport = world_below(random, 5) << 8 | world_below(random, 4);
	}
	return t;
}

/* ---- as text ---- */

static void print_prefix(const struct world_prefix *p, struct tw_buf *out)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(p->v6 ? AF_INET6 : AF_INET, p->v6 ? (const void *)&p->addr : &p->addr.w[3], text,
		sizeof(text));
	tw_buf_adds(out, text);
	if (p->len != (p->v6 ? 128 : 32))
		tw_buf_addf(out, "/%u", p->len);
}

static void print_workload_name(unsigned int number, struct tw_buf *out)
{
	tw_buf_addf(out, "%s-%u", number % 2 ? "odd" : "even", number);
}

static void print_workload(const struct world *world, unsigned int number, struct tw_buf *out)
{
	const struct world_workload *w = &world->workloads[number];

	tw_buf_adds(out, "  ");
	print_workload_name(number, out);
	tw_buf_addf(out, ": {port: tap%u, addresses: [%s", number, w->any ? "any" : "");
	for (unsigned int i = 0; i < w->n_addrs; i++) {
		tw_buf_adds(out, i ? ", \"" : "\"");
		print_prefix(&w->addrs[i], out);
		tw_buf_adds(out, "\"");
	}
	tw_buf_adds(out, "], tags: [");
	for (unsigned int tag = 0, n = 0; tag < WORLD_TAGS; tag++)
		if (w->tags >> tag & 1)
			tw_buf_addf(out, "%st%u", n++ ? ", " : "", tag);
	tw_buf_adds(out, "]}\n");
}

static void print_group(const struct world_group *g, unsigned int number, struct tw_buf *out)
{
	char tags[32] = "";

	if (g->tags_kind == TAGS_ONE || g->tags_kind == TAGS_NOT)
		snprintf(tags, sizeof(tags), g->tags_kind == TAGS_ONE ? "t%u" : "!t%u", g->tag_a);
	else if (g->tags_kind != TAGS_NONE)
		snprintf(tags, sizeof(tags),
			g->tags_kind == TAGS_AND ? "t%u & t%u" : "(t%u | !t%u)", g->tag_a,
			g->tag_b);
	tw_buf_addf(out, "  g%u:\n", number);
	if (*tags)
		tw_buf_addf(out, "    tags: \"%s\"\n", tags);
	if (g->network >= 0)
		tw_buf_addf(out, "    networks: n%d\n", g->network);
	if (g->workload_glob < 0)
		return;
	tw_buf_adds(out, "    workloads: [\"");
	if (g->workload_glob < WORLD_WORKLOADS)
		print_workload_name((unsigned int)g->workload_glob, out);
	else
		tw_buf_adds(out, g->workload_glob == WORLD_WORKLOADS ? "*-*" : "even-?");
	tw_buf_adds(out, "\"]\n");
}

static void print_range(unsigned int lo, unsigned int hi, struct tw_buf *out)
{
	if (lo == hi)
		tw_buf_addf(out, "%u", lo);
	else
		tw_buf_addf(out, "%u-%u", lo, hi);
}

static void print_part(const struct world_part *part, struct tw_buf *out)
{
	switch (part->kind) {
	case PART_ALL_TCP:
		tw_buf_adds(out, "tcp");
		break;
	case PART_TCP:
	case PART_UDP:
		tw_buf_adds(out, part->kind == PART_TCP ? "tcp/" : "udp/");
		print_range(part->lo, part->hi, out);
		break;
	case PART_TCP_SPORT:
		tw_buf_adds(out, "{proto: tcp, port: ");
		print_range(part->lo, part->hi, out);
		tw_buf_adds(out, ", source-port: ");
		print_range(part->sport_lo, part->sport_hi, out);
		tw_buf_adds(out, "}");
		break;
	case PART_PROTO:
		tw_buf_addf(out, "proto/%u", part->lo);
		break;
	default:
		tw_buf_addf(
			out, "%s/%u", part->kind == PART_ICMP ? "icmp" : "icmp6", part->lo >> 8);
		if (part->lo == part->hi)
			tw_buf_addf(out, ".%u", part->lo & 255);
	}
}

static void print_ends(const char *key, const struct world_ends *ends, struct tw_buf *out)
{
	if (!ends->n)
		return;
	tw_buf_addf(out, "    %s: [", key);
	for (unsigned int i = 0; i < ends->n; i++) {
		const struct world_operand *o = &ends->at[i];

		tw_buf_addf(out, "%s\"%s", i ? ", " : "", o->negate ? "!" : "");
		if (o->kind == OP_WORKLOAD)
			print_workload_name(o->index, out);
		else if (o->kind == OP_PREFIX)
			print_prefix(&o->prefix, out);
		else if (o->kind == OP_ANY)
			tw_buf_adds(out, "any");
		else
			tw_buf_addf(out, "%c%u", o->kind == OP_GROUP ? 'g' : 'n', o->index);
		tw_buf_adds(out, "\"");
	}
	tw_buf_adds(out, "]\n");
}

static void print_rule(const struct world *world, unsigned int number, struct tw_buf *out)
{
	static const char *const actions[] = {[TW_V_ALLOW] = "allow",
		[TW_V_DENY] = "deny",
		[TW_V_REJECT] = "reject",
		[TW_V_ASK] = "ask"};
	const struct world_rule *rule = &world->rules[number];

	tw_buf_addf(out, "  - action: %s\n", actions[rule->action]);
	if (rule->named)
		tw_buf_addf(out, "    name: r%u\n", number);
	print_ends("from", &rule->from, out);
	print_ends("to", &rule->to, out);
	if (rule->service >= WORLD_SERVICES) {
		tw_buf_adds(out, "    service: ");
		print_part(&rule->part, out);
		tw_buf_adds(out, "\n");
	} else if (rule->service >= 0) {
		tw_buf_addf(out, "    service: s%d\n", rule->service);
	}
	if (rule->log)
		tw_buf_adds(out, "    log: true\n");
	if (!rule->at_in || !rule->at_out)
		tw_buf_addf(out, "    at: %s\n", rule->at_out ? "from" : "to");
}

void world_print(const struct world *world, struct tw_buf *out)
{
	tw_buf_adds(out, "version: 1\nnetworks:\n");
	for (unsigned int i = 0; i < WORLD_NETWORKS; i++) {
		tw_buf_addf(out, "  n%u: [", i);
		for (unsigned int k = 0; k < world->n_prefixes[i]; k++) {
			tw_buf_adds(out, k ? ", \"" : "\"");
			print_prefix(&world->networks[i][k], out);
			tw_buf_adds(out, "\"");
		}
		tw_buf_adds(out, "]\n");
	}
	tw_buf_adds(out, "services:\n");
	for (unsigned int i = 0; i < WORLD_SERVICES; i++) {
		tw_buf_addf(out, "  s%u: [", i);
		for (unsigned int k = 0; k < world->services[i].n; k++) {
			tw_buf_adds(out, k ? ", " : "");
			print_part(&world->services[i].parts[k], out);
		}
		tw_buf_adds(out, "]\n");
	}
	tw_buf_adds(out, "workloads:\n");
	for (unsigned int i = 0; i < WORLD_WORKLOADS; i++)
		print_workload(world, i, out);
	tw_buf_adds(out, "groups:\n");
	for (unsigned int i = 0; i < WORLD_GROUPS; i++)
		print_group(&world->groups[i], i, out);
	tw_buf_adds(out, "rules:\n");
	for (unsigned int i = 0; i < world->n_rules; i++)
		print_rule(world, i, out);
	tw_buf_addf(out, "default: %s\n", world->default_allow ? "allow" : "deny");
}
