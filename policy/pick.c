/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/pick.h"

#include <string.h>

#include "policy/named.h"

/* Sets the bits of the rules that use a set of local addresses. */
static void pick(const struct tw_rules_at *rules, size_t local, uint64_t *picked)
{
	for (uint32_t i = rules->first[local]; i < rules->first[local + 1]; i++)
		picked[rules->of[i] / 64] |= (uint64_t)1 << rules->of[i] % 64;
}

void tw_pick_clear(const struct tw_rules_at *rules, uint64_t *picked)
{
	memset(picked, 0, (rules->all.n / 64 + 1) * sizeof(*picked));
}

const struct tw_rule_at *tw_pick_next(
	const struct tw_rules_at *rules, const uint64_t *picked, size_t *i)
{
	size_t word = *i / 64, n_words = rules->all.n / 64 + 1;
	uint64_t bits = picked[word] & ~(uint64_t)0 << *i % 64;

	while (!bits && ++word < n_words)
		bits = picked[word];
	if (!bits)
		return NULL;
	*i = word * 64 + (size_t)__builtin_ctzll(bits) + 1;
	return &rules->all.at[*i - 1];
}

void tw_pick_class(
	const struct tw_compiler *c, enum tw_dir dir, int f, uint32_t class, uint64_t *picked)
{
	const struct tw_rules_at *rules = &c->rules[dir];
	const struct tw_partition *partition = &c->local[f];

	if (c->listed[f]) {
		for (uint32_t m = partition->first.at[class]; m < partition->first.at[class + 1];
			m++)
			pick(rules, partition->members.at[m], picked);
		return;
	}
	for (size_t i = 0; i < c->locals.n; i++)
		if (tw_ranges_has(&c->locals.at[i]->r, partition->sample.at[class]))
			pick(rules, i, picked);
}

/* Among the rules that name the port's workload, picks exactly those that contain a class. */
static void pick_named(const struct tw_compiler *c, enum tw_dir dir, tw_u128 sample)
{
	uint64_t *picked = c->rules[dir].picked;

	tw_vec_foreach (&c->named[dir].rules, rule) {
		uint64_t bit = (uint64_t)1 << *rule % 64;

		if (tw_ranges_has(&tw_named_local(c, dir, *rule)->r, sample))
			picked[*rule / 64] |= bit;
		else
			picked[*rule / 64] &= ~bit;
	}
}

void tw_pick_for_view(struct tw_compiler *c, enum tw_dir dir, const struct tw_layout_view *view)
{
	struct tw_rules_at *rules = &c->rules[dir];

	if (view->kind == TW_VIEW_CLASS) {
		int f = tw_family_index(view->family);

		tw_pick_class(c, dir, f, view->class, rules->picked);
		pick_named(c, dir, c->local[f].sample.at[view->class]);
		return;
	}
	memset(rules->picked, 0xff, rules->all.n / 64 * sizeof(*rules->picked));
	rules->picked[rules->all.n / 64] = ((uint64_t)1 << rules->all.n % 64) - 1;
}

uint32_t tw_pick_families(const struct tw_compiler *c, enum tw_dir dir, size_t index)
{
	const struct tw_rule_at *at = &c->rules[dir].all.at[index];
	const struct tw_set *named = c->named[dir].local[index];

	return named ? named->family &
			       c->ends.of[(size_t)at->number * 2 + (dir == TW_DIR_OUT)]->family
		     : at->family;
}

/* Among the rules that name the port's workload, picks exactly those that concern the port. */
static void pick_near_named(
	const struct tw_compiler *c, enum tw_dir dir, const struct tw_ranges *concern)
{
	uint64_t *near = c->rules[dir].near;

	tw_vec_foreach (&c->named[dir].rules, rule) {
		uint64_t bit = (uint64_t)1 << *rule % 64;

		if (tw_ranges_overlap(&tw_named_local(c, dir, *rule)->r, concern))
			near[*rule / 64] |= bit;
		else
			near[*rule / 64] &= ~bit;
	}
}

/* Picks the rules that concern a port by testing each set. */
static void pick_near(const struct tw_compiler *c, const struct tw_rules_at *rules,
	const struct tw_ranges *concern)
{
	for (size_t i = 0; i < c->locals.n; i++)
		if (rules->first[i] < rules->first[i + 1] &&
			tw_ranges_overlap(&c->locals.at[i]->r, concern))
			pick(rules, i, rules->near);
}

void tw_pick_near(const struct tw_compiler *c, enum tw_dir dir, const struct tw_ranges *concern,
	bool by_class)
{
	if (!by_class)
		pick_near(c, &c->rules[dir], concern);
	pick_near_named(c, dir, concern);
}
