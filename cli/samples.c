/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/samples.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "fastpath/abi/names.h"
#include "policy/model.h"
#include "policy/set.h"

#define ENDS_MAX     16 /* addresses of an end of a rule */
#define SERVICES_MAX 12 /* services of a rule */
#define SPORT	     40000

struct sampler {
	const struct tw_policy *old, *now;
	size_t left, n;
	bool all;
	void (*each)(void *arg, const struct tw_query *tuple);
	void *arg;
};

struct ends {
	struct tw_addr at[ENDS_MAX];
	size_t n;
};

struct services {
	struct tw_part at[SERVICES_MAX];
	size_t n;
};

static void add_end(struct ends *ends, const struct tw_set *set, const struct tw_addr *addr)
{
	if (ends->n == ENDS_MAX || (set && !tw_ranges_has(&set->r, tw_set_number(addr))))
		return;
	for (size_t i = 0; i < ends->n; i++)
		if (!memcmp(&ends->at[i], addr, sizeof(*addr)))
			return;
	ends->at[ends->n++] = *addr;
}

/* Adds the first address of each vNIC that is in the set. */
static void add_workloads(
	struct ends *ends, const struct tw_policy *policy, const struct tw_set *set)
{
	for (size_t i = 0; i < tw_policy_n_vnics(policy) && ends->n + 4 < ENDS_MAX; i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(policy, i);

		for (size_t k = 0; k < vnic->n_prefixes && k < 2; k++)
			add_end(ends, set, &vnic->prefixes[k].addr);
	}
}

/* Chooses addresses of an end of a rule: those of workloads, those for documentation (RFC 5737, RFC 3849),
 * and one at the beginning of each range. */
static void choose_ends(const struct sampler *sampler, const struct tw_set *set, struct ends *ret)
{
	static const char *const outside[] = {"198.51.100.1", "2001:db8::1"};
	struct tw_addr addr;

	ret->n = 0;
	add_workloads(ret, sampler->old, set);
	add_workloads(ret, sampler->now, set);
	for (size_t i = 0; i < 2; i++)
		if (!tw_addr_parse(outside[i], &addr))
			add_end(ret, set, &addr);
	for (size_t i = 0; set && i < set->r.n && ret->n < ENDS_MAX; i++) {
		addr = tw_set_addr(set->r.at[i].lo);
		/* Zero is no address, and the first address of a network is seldom a host's. */
		if (set->r.at[i].hi > set->r.at[i].lo)
			addr = tw_set_addr(set->r.at[i].lo + 1);
		if (set->r.at[i].lo)
			add_end(ret, set, &addr);
	}
}

static void add_part(struct services *services, const struct tw_part *part, uint32_t key)
{
	if (services->n == SERVICES_MAX)
		return;
	services->at[services->n] = *part;
	services->at[services->n++].key_lo = key;
}

static void add_parts(struct services *services, const struct tw_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		add_part(services, &parts[i], parts[i].key_lo);
		/* The last port of a range, unless the range spans protocols. */
		if (parts[i].key_hi != parts[i].key_lo &&
			parts[i].key_hi >> TW_PROTO_SHIFT == parts[i].key_lo >> TW_PROTO_SHIFT)
			add_part(services, &parts[i], parts[i].key_hi);
	}
}

static void choose_services(
	const struct tw_policy *policy, const struct tw_rule *rule, struct services *ret)
{
	static const uint32_t usual[] = {TW_PROTO_TCP << TW_PROTO_SHIFT | 80,
		TW_PROTO_UDP << TW_PROTO_SHIFT | 53, TW_PROTO_ICMP << TW_PROTO_SHIFT | 8 << 8,
		TW_PROTO_ICMP6 << TW_PROTO_SHIFT | 128 << 8};
	const struct tw_part any = TW_PART_ANY;

	ret->n = 0;
	for (size_t i = 0; i < rule->n_services; i++) {
		const struct tw_service_ref *ref = &rule->services[i];

		if (ref->service == TW_INDEX_NONE)
			add_parts(ret, &ref->part, 1);
		else
			add_parts(ret, policy->services.at[ref->service].parts,
				policy->services.at[ref->service].n_parts);
	}
	for (size_t i = 0; !ret->n || (!rule->n_services && i < sizeof(usual) / sizeof(usual[0]));
		i++)
		add_part(ret, &any, usual[i]);
}

static bool is_v4(const struct tw_addr *addr)
{
	tw_u128 number = tw_set_number(addr);

	return number >= TW_V4_FIRST && number <= TW_V4_LAST;
}

static void try_tuple(struct sampler *sampler, const struct tw_addr *from, const struct tw_addr *to,
	const struct tw_part *part)
{
	uint32_t low = part->key_lo & TW_PORT_MAX;
	struct tw_query tuple = {
		.addr = {*from, *to}, .proto = (uint8_t)(part->key_lo >> TW_PROTO_SHIFT)};
	uint32_t wrong = is_v4(from) ? TW_PROTO_ICMP6 : TW_PROTO_ICMP;

	if (is_v4(from) != is_v4(to) || tuple.proto == wrong || !memcmp(from, to, sizeof(*from)))
		return;
	if (!sampler->left) {
		sampler->all = false;
		return;
	}
	sampler->left--;
	sampler->n++;
	for (int i = 0; i < TW_DIR__MAX; i++)
		tuple.vnic[i] = tw_policy_find_owner(sampler->old, &tuple.addr[i]);
	if (tw_tuple_is_icmp(tuple.proto)) {
		tuple.type = (uint8_t)(low >> 8);
		tuple.code = (uint8_t)low;
	} else if (tw_tuple_has_ports(tuple.proto)) {
		tuple.sport = SPORT >= part->sport_lo && SPORT <= part->sport_hi
				      ? SPORT
				      : (uint16_t)part->sport_lo;
		tuple.dport = (uint16_t)low;
	}
	sampler->each(sampler->arg, &tuple);
}

static void try_rule(
	struct sampler *sampler, const struct tw_policy *policy, const struct tw_rule *rule)
{
	struct services services;
	struct ends from, to;

	choose_ends(sampler, rule->from_set, &from);
	choose_ends(sampler, rule->to_set, &to);
	choose_services(policy, rule, &services);
	for (size_t i = 0; i < from.n; i++)
		for (size_t k = 0; k < to.n; k++)
			for (size_t s = 0; s < services.n; s++)
				try_tuple(sampler, &from.at[i], &to.at[k], &services.at[s]);
}

/* ---- the rules that differ ---- */

static bool same_set(const struct tw_set *a, const struct tw_set *b)
{
	return a == b || (a && b && !memcmp(a->digest, b->digest, sizeof(a->digest)));
}

/* Returns 1 if two rules decide alike, 0 if not, or -ENOMEM. */
static int is_alike(const struct tw_policy *old, size_t was, const struct tw_policy *now, size_t is)
{
	const struct tw_rule *a = &old->rules.at[was], *b = &now->rules.at[is];
	tw_auto_buf struct tw_buf x = {0}, y = {0};

	if (!same_set(a->from_set, b->from_set) || !same_set(a->to_set, b->to_set) ||
		a->info.at_out != b->info.at_out || a->info.at_in != b->info.at_in)
		return 0;
	tw_policy_print_rule(old, was, &x);
	tw_policy_print_rule(now, is, &y);
	return x.failed || y.failed ? -ENOMEM : x.len == y.len && !memcmp(x.data, y.data, x.len);
}

/* Tries the rules of one policy that the other one lacks, or has with another meaning or in another order. */
static int try_policy(
	struct sampler *sampler, const struct tw_policy *policy, const struct tw_policy *other)
{
	long latest = -1;

	for (size_t i = 0; i < policy->rules.n; i++) {
		const struct tw_rule *rule = &policy->rules.at[i];
		bool last = i + 1 == policy->rules.n;
		long twin = last ? (long)other->rules.n - 1
				 : tw_policy_rule_index(other, rule->info.name);
		int alike = twin < 0 ? 0 : is_alike(policy, i, other, (size_t)twin);

		if (alike < 0)
			return alike;
		if (!alike || twin < latest)
			try_rule(sampler, policy, rule);
		if (twin > latest)
			latest = twin;
	}
	return 0;
}

int tw_samples_each(const struct tw_policy *old, const struct tw_policy *now, size_t max,
	void (*each)(void *arg, const struct tw_query *tuple), void *arg, size_t *ret_n,
	bool *ret_all)
{
	struct sampler sampler = {
		.old = old, .now = now, .left = max, .all = true, .each = each, .arg = arg};
	int code = try_policy(&sampler, old, now);

	if (!code)
		code = try_policy(&sampler, now, old);
	*ret_n = sampler.n;
	*ret_all = sampler.all;
	return code;
}
