/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/diff/generate.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "fastpath/abi/names.h"

#define N_TAGS		    6
#define LIST_MAX	    4
#define GROW(gen, array, n) grow(gen, (void **)&(array), n, sizeof(*(array)))

static const char *const tags[N_TAGS] = {"web", "db", "prod", "test", "ops", "pci"};

static bool grow(struct tw_gen *gen, void **array, size_t n, size_t size)
{
	void *grown = tw_realloc(*array, (n + 1) * size);

	if (!grown) {
		gen->failed = true;
		return false;
	}
	*array = grown;
	return true;
}

/* ---- addresses ---- */

static void mask(struct tw_addr *addr, unsigned int len)
{
	for (unsigned int bit = len; bit < 128; bit++)
		addr->b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

/* Few distinct values for each byte, so that prefixes and hosts often overlap. */
void tw_gen_addr(struct tw_gen *gen, bool v6, struct tw_addr *ret)
{
	struct tw_random *r = &gen->random;

	*ret = (struct tw_addr){0};
	if (v6) {
		ret->b[0] = 0xfd;
		ret->b[7] = (uint8_t)tw_random_below(r, 3);
		ret->b[13] = (uint8_t)tw_random_below(r, 2);
		ret->b[14] = (uint8_t)(tw_random_below(r, 4) << 6);
		ret->b[15] = (uint8_t)(1 + tw_random_below(r, 255));
		return;
	}
	ret->b[10] = ret->b[11] = 0xff;
	ret->b[12] = tw_random_one_in(r, 8) ? (uint8_t)(11 + tw_random_below(r, 100)) : 10;
	ret->b[13] = (uint8_t)tw_random_below(r, 4);
	ret->b[14] = (uint8_t)(tw_random_below(r, 4) << 6);
	ret->b[15] = (uint8_t)(1 + tw_random_below(r, 254));
}

static void remember_addr(struct tw_gen *gen, const struct tw_addr *addr)
{
	if (tw_vec_reserve_(
		    (void **)&gen->addrs, &gen->addrs_max, gen->n_addrs + 1, sizeof(*gen->addrs)))
		gen->failed = true;
	else
		gen->addrs[gen->n_addrs++] = *addr;
}

static void random_prefix(struct tw_gen *gen, struct tw_oracle_prefix *ret)
{
	struct tw_random *r = &gen->random;
	bool v6 = tw_random_one_in(r, 4);

	tw_gen_addr(gen, v6, &ret->addr);
	if (tw_random_one_in(r, 3))
		ret->len = 128;
	else if (v6)
		ret->len = (uint8_t)(8 + tw_random_below(r, 120));
	else
		ret->len = (uint8_t)(100 + tw_random_below(r, 29));
	if (tw_random_one_in(r, 40))
		ret->len = v6 ? 1 : 96;
	mask(&ret->addr, ret->len);
	remember_addr(gen, &ret->addr);
}

static void print_prefix(const struct tw_oracle_prefix *prefix, struct tw_buf *out)
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = prefix->len >= 96 && prefix->addr.d[0] == 0 && prefix->addr.w[2] == htonl(0xffff);

	tw_addr_format(&prefix->addr, text);
	if (prefix->len == 128)
		tw_buf_addf(out, "\"%s\"", text);
	else
		tw_buf_addf(out, "\"%s/%u\"", text, v4 ? prefix->len - 96u : prefix->len);
}

static void add_prefix(struct tw_gen *gen, struct tw_oracle_prefix **at, size_t *n,
	const struct tw_oracle_prefix *prefix)
{
	if (GROW(gen, *at, *n))
		(*at)[(*n)++] = *prefix;
}

static void add_prefixes(struct tw_gen *gen, struct tw_oracle_prefix **at, size_t *n,
	const struct tw_gen_named *from)
{
	for (size_t i = 0; i < from->n_prefixes; i++)
		add_prefix(gen, at, n, &from->prefixes[i]);
}

/* ---- networks and services ---- */

static void make_network(struct tw_gen *gen, struct tw_gen_named *ret)
{
	size_t n = 1 + tw_random_below(&gen->random, 5);

	tw_buf_adds(&ret->text, "[");
	for (size_t i = 0; i < n; i++) {
		struct tw_oracle_prefix prefix;

		random_prefix(gen, &prefix);
		add_prefix(gen, &ret->prefixes, &ret->n_prefixes, &prefix);
		tw_buf_adds(&ret->text, i ? ", " : "");
		print_prefix(&prefix, &ret->text);
	}
	tw_buf_adds(&ret->text, "]");
}

static uint16_t random_port(struct tw_gen *gen)
{
	struct tw_random *r = &gen->random;
	uint16_t port = (uint16_t)tw_random_below(r, tw_random_one_in(r, 3) ? 65536 : 1024);

	/* No rule ever judges DHCP, so a rule for it would have no effect. */
	if (port == 67 || port == 68 || port == 546 || port == 547)
		port = 69;
	if (gen->n_ports < sizeof(gen->ports) / sizeof(gen->ports[0]))
		gen->ports[gen->n_ports++] = port;
	return port;
}

static void random_range(struct tw_gen *gen, uint16_t *ret_low, uint16_t *ret_high)
{
	uint16_t a = random_port(gen), b = random_port(gen);

	if (tw_random_one_in(&gen->random, 2))
		b = a;
	*ret_low = a < b ? a : b;
	*ret_high = a < b ? b : a;
}

static void print_range(const char *before, uint16_t low, uint16_t high, struct tw_buf *out)
{
	if (low == high)
		tw_buf_addf(out, "%s%u", before, low);
	else
		tw_buf_addf(out, "%s%u-%u", before, low, high);
}

static void make_icmp(struct tw_gen *gen, struct tw_oracle_service *s, struct tw_buf *out)
{
	static const uint8_t types[2][4] = {{8, 13, 42, 200}, {128, 150, 200, 201}};
	struct tw_random *r = &gen->random;
	bool v6 = tw_random_one_in(r, 2);
	unsigned int type = types[v6][tw_random_below(r, 4)], code = tw_random_below(r, 3);

	s->proto = v6 ? 58 : 1;
	tw_buf_adds(out, v6 ? "icmp6" : "icmp");
	if (tw_random_one_in(r, 4)) {
		s->high = 0xffff;
	} else if (tw_random_one_in(r, 2)) {
		s->low = (uint16_t)(type << 8);
		s->high = (uint16_t)(s->low | 0xff);
		tw_buf_addf(out, "/%u", type);
	} else {
		s->low = s->high = (uint16_t)(type << 8 | code);
		tw_buf_addf(out, "/%u.%u", type, code);
	}
}

static void make_one_service(struct tw_gen *gen, struct tw_oracle_service *s, struct tw_buf *out)
{
	static const uint8_t numbers[] = {2, 47, 50, 89, 132};
	struct tw_random *r = &gen->random;
	const char *name;

	*s = (struct tw_oracle_service){.source_high = 65535};
	switch (tw_random_below(r, 8)) {
	case 0:
		make_icmp(gen, s, out);
		return;
	case 1:
		s->proto = numbers[tw_random_below(r, sizeof(numbers))];
		s->high = 0xffff;
		tw_buf_addf(out, "proto/%u", s->proto);
		return;
	default:
		s->proto = tw_random_one_in(r, 3) ? 17 : 6;
		name = s->proto == 6 ? "tcp" : "udp";
	}
	if (tw_random_one_in(r, 10)) {
		s->high = 65535;
		tw_buf_adds(out, name);
		return;
	}
	random_range(gen, &s->low, &s->high);
	if (tw_random_one_in(r, 5)) {
		random_range(gen, &s->source_low, &s->source_high);
		tw_buf_addf(out, "{proto: %s, ", name);
		print_range("port: ", s->low, s->high, out);
		print_range(", source-port: ", s->source_low, s->source_high, out);
		tw_buf_adds(out, "}");
		return;
	}
	tw_buf_addf(out, "%s", name);
	print_range("/", s->low, s->high, out);
}

static void make_service(struct tw_gen *gen, struct tw_gen_named *ret)
{
	size_t n = 1 + tw_random_below(&gen->random, LIST_MAX);

	tw_buf_adds(&ret->text, "[");
	for (size_t i = 0; i < n; i++) {
		tw_buf_adds(&ret->text, i ? ", " : "");
		if (GROW(gen, ret->services, ret->n_services))
			make_one_service(gen, &ret->services[ret->n_services++], &ret->text);
	}
	tw_buf_adds(&ret->text, "]");
}

/* ---- workloads and groups ---- */

static bool is_taken(const struct tw_gen *gen, const struct tw_oracle_prefix *prefix)
{
	for (size_t w = 0; w < gen->n_workloads; w++) {
		for (size_t i = 0; i < gen->workloads[w].n_prefixes; i++) {
			const struct tw_oracle_prefix *other = &gen->workloads[w].prefixes[i];

			if (prefix->len == other->len &&
				!memcmp(&prefix->addr, &other->addr, sizeof(prefix->addr)))
				return true;
		}
	}
	return false;
}

static void make_workload(struct tw_gen *gen, struct tw_gen_named *ret)
{
	struct tw_random *r = &gen->random;
	size_t number = (size_t)(ret - gen->workloads), n = 1 + tw_random_below(r, 3);
	const char *comma = "";

	tw_buf_addf(&ret->text, "{port: tap%zu, mac: \"52:54:00:00:%02zx:%02zx\", addresses: [",
		number, number >> 8, number & 255);
	for (size_t tries = 0; ret->n_prefixes < n && tries < 100; tries++) {
		struct tw_oracle_prefix prefix = {.len = 128};

		tw_gen_addr(gen, tw_random_one_in(r, 3), &prefix.addr);
		if (tw_random_one_in(r, 25)) { /* a router */
			prefix.len = (uint8_t)(118 + tw_random_below(r, 8));
			mask(&prefix.addr, prefix.len);
		}
		if (is_taken(gen, &prefix))
			continue;
		remember_addr(gen, &prefix.addr);
		add_prefix(gen, &ret->prefixes, &ret->n_prefixes, &prefix);
		tw_buf_adds(&ret->text, comma);
		print_prefix(&prefix, &ret->text);
		comma = ", ";
		gen->n_workloads = number + 1; /* is_taken() considers it from now on */
	}
	gen->n_workloads = number;
	tw_buf_adds(&ret->text, "], tags: [");
	comma = "";
	for (int i = 0; i < N_TAGS; i++) {
		if (tw_random_one_in(r, 3)) {
			ret->tags |= 1u << i;
			tw_buf_addf(&ret->text, "%s%s", comma, tags[i]);
			comma = ", ";
		}
	}
	tw_buf_adds(&ret->text, "]}");
}

/* Writes a random tag expression; returns a bit for each of the 2^N_TAGS tag sets for which it is
 * true. */
static uint64_t make_tags(struct tw_gen *gen, int depth, struct tw_buf *out)
{
	struct tw_random *r = &gen->random;
	uint64_t a = 0, b;
	unsigned int kind = depth ? tw_random_below(r, 5) : 0, tag;

	switch (kind) {
	case 2:
		tw_buf_adds(out, "!(");
		a = ~make_tags(gen, depth - 1, out);
		tw_buf_adds(out, ")");
		return a;
	case 3:
	case 4:
		tw_buf_adds(out, "(");
		a = make_tags(gen, depth - 1, out);
		tw_buf_adds(out, kind == 3 ? " & " : " | ");
		b = make_tags(gen, depth - 1, out);
		tw_buf_adds(out, ")");
		return kind == 3 ? a & b : a | b;
	default:
		tag = tw_random_below(r, N_TAGS);
		for (unsigned int set = 0; set < 1u << N_TAGS; set++)
			a |= (uint64_t)(set >> tag & 1) << set;
		tw_buf_adds(out, tags[tag]);
		return a;
	}
}

static void group_by_tags(struct tw_gen *gen, struct tw_gen_named *ret)
{
	uint64_t sets;

	tw_buf_adds(&ret->text, "tags: \"");
	sets = make_tags(gen, 3, &ret->text);
	tw_buf_adds(&ret->text, "\"");
	for (size_t i = 0; i < gen->n_workloads; i++)
		if (sets >> gen->workloads[i].tags & 1)
			add_prefixes(gen, &ret->prefixes, &ret->n_prefixes, &gen->workloads[i]);
}

/* "w1*" matches w1, w10 … w19, w100 …; its members are computed from this plain meaning. */
static void group_by_name(struct tw_gen *gen, struct tw_gen_named *ret)
{
	const struct tw_gen_named *w =
		&gen->workloads[tw_random_below(&gen->random, (uint32_t)gen->n_workloads)];
	bool star = tw_random_one_in(&gen->random, 2);
	size_t len = star ? 2 : strlen(w->name);

	tw_buf_addf(&ret->text, "workloads: [\"%.*s%s\"]", (int)len, w->name, star ? "*" : "");
	for (size_t i = 0; i < gen->n_workloads; i++)
		if (star ? !strncmp(gen->workloads[i].name, w->name, len)
			 : !strcmp(gen->workloads[i].name, w->name))
			add_prefixes(gen, &ret->prefixes, &ret->n_prefixes, &gen->workloads[i]);
}

static void make_group(struct tw_gen *gen, struct tw_gen_named *ret)
{
	struct tw_random *r = &gen->random;
	unsigned int lines = 1 + tw_random_below(r, 7);
	const char *comma = "";

	tw_buf_adds(&ret->text, "{");
	if (lines & 1) {
		group_by_tags(gen, ret);
		comma = ", ";
	}
	if (lines & 2) {
		tw_buf_adds(&ret->text, comma);
		group_by_name(gen, ret);
		comma = ", ";
	}
	if (lines & 4 && gen->n_networks) {
		const struct tw_gen_named *network =
			&gen->networks[tw_random_below(r, (uint32_t)gen->n_networks)];

		tw_buf_addf(&ret->text, "%snetworks: [%s]", comma, network->name);
		add_prefixes(gen, &ret->prefixes, &ret->n_prefixes, network);
	} else if (!(lines & 3)) {
		group_by_tags(gen, ret);
	}
	tw_buf_adds(&ret->text, "}");
}

/* ---- rules ---- */

static const struct tw_gen_named *pick_named(struct tw_gen *gen)
{
	struct tw_random *r = &gen->random;

	switch (tw_random_below(r, 5)) {
	case 0:
		return &gen->networks[tw_random_below(r, (uint32_t)gen->n_networks)];
	case 1:
		return &gen->workloads[tw_random_below(r, (uint32_t)gen->n_workloads)];
	default:
		return &gen->groups[tw_random_below(r, (uint32_t)gen->n_groups)];
	}
}

static void make_set_entry(
	struct tw_gen *gen, struct tw_oracle_set *set, bool minus, struct tw_buf *out)
{
	struct tw_oracle_prefix **at = minus ? &set->minus : &set->plus;
	size_t *n = minus ? &set->n_minus : &set->n_plus;
	struct tw_oracle_prefix prefix;

	if (tw_random_one_in(&gen->random, 2)) {
		const struct tw_gen_named *named = pick_named(gen);

		tw_buf_addf(out, minus ? "\"!%s\"" : "%s", named->name);
		add_prefixes(gen, at, n, named);
		return;
	}
	random_prefix(gen, &prefix);
	if (minus) {
		tw_auto_buf struct tw_buf text = {0};

		print_prefix(&prefix, &text);
		if (text.data)
			tw_buf_addf(out, "\"!%s", text.data + 1);
	} else {
		print_prefix(&prefix, out);
	}
	add_prefix(gen, at, n, &prefix);
}

static void make_set(struct tw_gen *gen, struct tw_oracle_set *set, struct tw_buf *out)
{
	struct tw_random *r = &gen->random;
	size_t n = 1 + tw_random_below(r, LIST_MAX);
	bool plain = false;

	if (tw_random_one_in(r, 4)) {
		set->any = true;
		tw_buf_adds(out, "any");
		return;
	}
	tw_buf_adds(out, "[");
	for (size_t i = 0; i < n; i++) {
		bool minus = tw_random_one_in(r, 4);

		tw_buf_adds(out, i ? ", " : "");
		make_set_entry(gen, set, minus, out);
		plain |= !minus;
	}
	tw_buf_adds(out, "]");
	set->any = !plain;
}

static void make_rule_service(struct tw_gen *gen, struct tw_oracle_rule *rule, struct tw_buf *out)
{
	struct tw_random *r = &gen->random;
	size_t n = 1 + tw_random_below(r, 3);

	if (tw_random_one_in(r, 6))
		return;
	tw_buf_adds(out, ", service: [");
	for (size_t i = 0; i < n; i++) {
		tw_buf_adds(out, i ? ", " : "");
		if (gen->n_services && tw_random_one_in(r, 3)) {
			const struct tw_gen_named *named =
				&gen->services[tw_random_below(r, (uint32_t)gen->n_services)];

			tw_buf_adds(out, named->name);
			for (size_t k = 0; k < named->n_services; k++)
				if (GROW(gen, rule->services, rule->n_services))
					rule->services[rule->n_services++] = named->services[k];
		} else if (GROW(gen, rule->services, rule->n_services)) {
			make_one_service(gen, &rule->services[rule->n_services++], out);
		}
	}
	tw_buf_adds(out, "]");
}

static void make_rule(struct tw_gen *gen, struct tw_oracle_rule *rule, struct tw_gen_rule *ret)
{
	static const char *const ends[] = {"both", "from", "to"};
	struct tw_random *r = &gen->random;
	tw_auto_buf struct tw_buf text = {0};
	unsigned int action = tw_random_below(r, 10), at = tw_random_below(r, 6);

	rule->action = action < 5   ? TW_V_ALLOW
		       : action < 8 ? TW_V_DENY
		       : action < 9 ? TW_V_REJECT
				    : TW_V_ASK;
	rule->at_out = at != 2;
	rule->at_in = at != 1;
	tw_buf_adds(&text, "from: ");
	make_set(gen, &rule->from, &text);
	tw_buf_adds(&text, ", to: ");
	make_set(gen, &rule->to, &text);
	make_rule_service(gen, rule, &text);
	tw_buf_addf(&text, ", action: %s", tw_verdict_name(rule->action));
	if (at < 3)
		tw_buf_addf(&text, ", at: %s", ends[at]);
	if (tw_random_one_in(r, 8))
		tw_buf_adds(&text, ", log: true");
	ret->text = text.failed ? NULL : tw_strdup(text.data);
	gen->failed |= !ret->text;
}

/* ---- the policy ---- */

static void make_named(struct tw_gen *gen, struct tw_gen_named *list, size_t *n, char letter,
	size_t count, void (*make)(struct tw_gen *gen, struct tw_gen_named *ret))
{
	for (*n = 0; *n < count; (*n)++) {
		struct tw_gen_named *named = &list[*n];

		snprintf(named->name, sizeof(named->name), "%c%zu", letter, *n % 100);
		make(gen, named);
		gen->failed |= named->text.failed;
	}
}

static void make_policy(struct tw_gen *gen, size_t n_rules)
{
	struct tw_random *r = &gen->random;
	struct tw_oracle_policy *p = &gen->oracle;

	make_named(gen, gen->networks, &gen->n_networks, 'n', 1 + tw_random_below(r, 12),
		make_network);
	make_named(gen, gen->services, &gen->n_services, 's', tw_random_below(r, 12), make_service);
	make_named(gen, gen->workloads, &gen->n_workloads, 'w', 1 + tw_random_below(r, 40),
		make_workload);
	make_named(gen, gen->groups, &gen->n_groups, 'g', 1 + tw_random_below(r, 12), make_group);
	p->fallback = tw_random_one_in(r, 4) ? TW_V_ALLOW : TW_V_DENY;
	p->nics = tw_alloc_array(gen->n_workloads, sizeof(*p->nics));
	p->rules = tw_alloc_array(n_rules, sizeof(*p->rules));
	gen->rules = tw_alloc_array(n_rules, sizeof(*gen->rules));
	if (!p->nics || !p->rules || !gen->rules) {
		gen->failed = true;
		return;
	}
	for (p->n_nics = 0; p->n_nics < gen->n_workloads; p->n_nics++)
		p->nics[p->n_nics] = (struct tw_oracle_nic){
			.prefixes = gen->workloads[p->n_nics].prefixes,
			.n_prefixes = gen->workloads[p->n_nics].n_prefixes};
	for (; p->n_rules < n_rules && !gen->failed; p->n_rules++)
		make_rule(gen, &p->rules[p->n_rules], &gen->rules[p->n_rules]);
}

void tw_gen_observe(struct tw_gen *gen, uint64_t seed)
{
	for (size_t i = 0; i < gen->oracle.n_nics; i++) {
		struct tw_buf *text = &gen->workloads[i].text;

		if ((seed + i) % 3)
			continue;
		gen->oracle.nics[i].observed = true;
		text->len--; /* the closing brace */
		tw_buf_adds(text, ", mode: observe}");
	}
}

void tw_gen_liberal(struct tw_gen *gen, uint64_t seed)
{
	for (size_t i = 0; i < gen->oracle.n_nics; i++) {
		struct tw_buf *text = &gen->workloads[i].text;

		if ((seed + i) % 2)
			continue;
		gen->oracle.nics[i].liberal = true;
		text->len--; /* the closing brace */
		tw_buf_adds(text, ", tcp: liberal}");
	}
}

struct tw_gen *tw_gen_new(uint64_t seed, size_t n_rules)
{
	struct tw_gen *gen = tw_alloc(sizeof(*gen));

	if (!gen)
		return NULL;
	gen->random = tw_random_from(seed);
	make_policy(gen, n_rules);
	if (gen->failed) {
		tw_gen_free(gen);
		return NULL;
	}
	return gen;
}

static void free_named(struct tw_gen_named *list)
{
	for (size_t i = 0; i < TW_GEN_NAMES_MAX; i++) {
		tw_buf_done(&list[i].text);
		free(list[i].prefixes);
		free(list[i].services);
	}
}

void tw_gen_free(struct tw_gen *gen)
{
	if (!gen)
		return;
	free_named(gen->networks);
	free_named(gen->services);
	free_named(gen->workloads);
	free_named(gen->groups);
	for (size_t i = 0; i < gen->oracle.n_rules; i++) {
		struct tw_oracle_rule *rule = &gen->oracle.rules[i];

		free(rule->from.plus);
		free(rule->from.minus);
		free(rule->to.plus);
		free(rule->to.minus);
		free(rule->services);
		free(gen->rules[i].text);
	}
	free(gen->oracle.nics);
	free(gen->oracle.rules);
	free(gen->rules);
	free(gen->addrs);
	free(gen);
}

static void print_named(
	const char *heading, const struct tw_gen_named *list, size_t n, struct tw_buf *out)
{
	if (n)
		tw_buf_addf(out, "%s:\n", heading);
	for (size_t i = 0; i < n; i++)
		tw_buf_addf(out, "  %s: %s\n", list[i].name, list[i].text.data);
}

const char *tw_gen_rule_name(const struct tw_gen *gen, size_t rule, char text[16])
{
	if (rule == gen->oracle.n_rules)
		return "default";
	snprintf(text, 16, "r%u", (unsigned int)rule % 1000000);
	return text;
}

void tw_gen_print(const struct tw_gen *gen, struct tw_buf *out)
{
	char name[16];

	tw_buf_adds(out, "version: 1\n");
	print_named("networks", gen->networks, gen->n_networks, out);
	print_named("services", gen->services, gen->n_services, out);
	print_named("workloads", gen->workloads, gen->n_workloads, out);
	print_named("groups", gen->groups, gen->n_groups, out);
	tw_buf_adds(out, "rules:\n");
	for (size_t i = 0; i < gen->oracle.n_rules; i++)
		if (!gen->oracle.rules[i].disabled)
			tw_buf_addf(out, "  - {name: %s, %s}\n", tw_gen_rule_name(gen, i, name),
				gen->rules[i].text);
	tw_buf_addf(out, "default: %s\n", tw_verdict_name(gen->oracle.fallback));
}
