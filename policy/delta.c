/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* delta.c: finds the images that a new policy shares with an old one, from the rules that differ.
 *
 * How:        the common beginning and end of both lists of rules is skipped. If the parts between
 *             have the same length, rules are compared in order; otherwise all of them count as
 *             changed. A port is unaffected if no changed rule, old or new, is enforced at its
 *             local addresses, and no changed rule distinguishes these addresses differently than
 *             before. Then layout.c projects the same rules on it.
 * Groups:     members of groups at the remote end of a rule do not affect images, because they are
 *             in the table of members (ends.h).
 * Exact:      two policies that leave a port unaffected have equal layouts for it
 *             (tests/policy/unit/delta.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/layout.h"

/* A policy as ports see it: decisions name slots instead of rule numbers, and the ends of rules
 * name groups. */
struct side {
	const struct tw_policy *policy;
	const uint32_t *slots;
	const struct tw_ends *ends;
};

/* Lists of ranges, by number: `mine` of each direction, then `tells`. */
enum { LIST_TELLS = TW_DIR__MAX, LIST__MAX };

struct tw_delta {
	struct side old;
	struct side now;
	bool all;     /* the default has changed: every port is affected */
	bool guarded; /* refusing rules towards guests are in every image (layout.h) */
	struct tw_ranges mine[TW_DIR__MAX]; /* ends where changed rules are enforced; has `tells` */
	struct tw_ranges far[TW_DIR__MAX]; /* ends of rules whose groups at the other end changed */
	struct tw_ranges tells;		   /* addresses that sets gained or lost */
	uint8_t *has_far; /* by set id of the new policy: bit per direction in which `far` has it */
	/* By set id of the old and of the new policy: bits of the lists that have the set, because many rules name
	 * the same group. */
	uint8_t *has[2];
	/* By list and set id of the new policy: the old set whose difference the list has; NULL: none. */
	const struct tw_set **differs;
	bool everyone; /* some of `mine` are local addresses of every port */
	bool everyone_far;
	struct tw_ranges scratch;
};

static bool same_set(const struct tw_set *a, const struct tw_set *b)
{
	return a == b || !memcmp(a->digest, b->digest, sizeof(a->digest));
}

static bool same_cells(const struct tw_cells *a, const struct tw_cells *b)
{
	if (a->n_joined != b->n_joined)
		return false;
	for (size_t i = 0; i < a->n_joined; i++)
		if (!same_set(a->joined[i].keys, b->joined[i].keys) ||
			!same_set(a->joined[i].sports, b->joined[i].sports))
			return false;
	return true;
}

static const struct tw_rule *rule_at(const struct side *side, size_t number)
{
	return &side->policy->rules.at[number];
}

static bool same_end(const struct tw_delta *d, size_t old_end, size_t end)
{
	return !memcmp(d->old.ends->of[old_end]->digest, d->now.ends->of[end]->digest,
		sizeof(d->now.ends->of[end]->digest));
}

static uint32_t slot_of(const struct side *side, size_t number)
{
	return side->slots ? side->slots[number] : (uint32_t)number;
}

/* True if the rules are equal except for their ends. */
static bool same_body(
	const struct side *old, size_t old_number, const struct side *now, size_t number)
{
	const struct tw_rule *o = rule_at(old, old_number), *n = rule_at(now, number);

	return o->info.action == n->info.action && o->info.log == n->info.log &&
	       o->info.at_out == n->info.at_out && o->info.at_in == n->info.at_in &&
	       slot_of(old, old_number) == slot_of(now, number) &&
	       (!o->cells || same_cells(o->cells, n->cells));
}

static bool same_rule(const struct tw_delta *d, size_t old_number, size_t number)
{
	const struct tw_rule *o = rule_at(&d->old, old_number), *n = rule_at(&d->now, number);

	return same_set(o->from_set, n->from_set) && same_set(o->to_set, n->to_set) &&
	       same_end(d, old_number * 2, number * 2) &&
	       same_end(d, old_number * 2 + 1, number * 2 + 1) &&
	       same_body(&d->old, old_number, &d->now, number);
}

static int add_set(struct tw_ranges *ret, const struct tw_set *set)
{
	return tw_ranges_add_all(ret, &set->r);
}

/* Adds a set of one side to a list of ranges, whose bit is `list`, unless it is there. */
static int add_once(struct tw_delta *d, const struct side *side, unsigned int list,
	struct tw_ranges *ret, const struct tw_set *set)
{
	uint8_t *has = &d->has[side == &d->now][set->id];

	if (*has & 1u << list)
		return 0;
	*has |= (uint8_t)(1u << list);
	return add_set(ret, set);
}

static int add_mine(
	struct tw_delta *d, const struct side *side, enum tw_dir dir, const struct tw_set *set)
{
	return add_once(d, side, dir, &d->mine[dir], set);
}

/* Adds the addresses that only one of two sets has, `a` of the old and `b` of the new policy. */
static int add_difference(struct tw_delta *d, unsigned int list, struct tw_ranges *ret,
	const struct tw_set *a, const struct tw_set *b)
{
	const struct tw_set **known = &d->differs[list * d->now.policy->sets.all.n + b->id];
	int err = 0;

	if (same_set(a, b) || *known == a)
		return 0;
	*known = a;
	for (int turn = 0; turn < 2 && !err; turn++) {
		err = turn ? tw_ranges_minus(&b->r, &a->r, &d->scratch)
			   : tw_ranges_minus(&a->r, &b->r, &d->scratch);
		if (!err)
			err = tw_ranges_add_all(ret, &d->scratch);
	}
	return err;
}

static bool is_at(const struct tw_rule *rule, enum tw_dir dir)
{
	return dir == TW_DIR_OUT ? rule->info.at_out : rule->info.at_in;
}

static int add_everywhere(struct tw_ranges *ret)
{
	return tw_ranges_add(ret, 0, TW_U128_MAX);
}

/* True if every port's image has the rule. */
static bool is_everywhere(const struct tw_delta *d, enum tw_dir dir, const struct tw_rule *rule)
{
	return d->guarded && dir == TW_DIR_IN && is_at(rule, dir) &&
	       rule->info.action != TW_V_ALLOW;
}

/* Adds a rule that has no counterpart in the other policy. */
static int add_alone(struct tw_delta *d, const struct side *side, size_t number)
{
	const struct tw_rule *rule = rule_at(side, number);
	const struct tw_set *ends[] = {[TW_DIR_OUT] = rule->from_set, [TW_DIR_IN] = rule->to_set};
	int err = 0;

	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++) {
		if (is_everywhere(d, dir, rule))
			err = add_everywhere(&d->mine[dir]);
		else if (is_at(rule, dir))
			err = add_mine(d, side, dir, ends[dir]);
		if (!err && ends[dir] != side->policy->sets.everything)
			err = add_once(d, side, LIST_TELLS, &d->tells, ends[dir]);
	}
	return err;
}

/* Adds the ports at one end: all of them if the rule's meaning or its other end has changed,
 * otherwise those that enter or leave the end. */
static int add_end(struct tw_delta *d, enum tw_dir dir, bool says_else, const struct tw_rule *o,
	const struct tw_rule *n)
{
	const struct tw_set *old_mine = dir == TW_DIR_OUT ? o->from_set : o->to_set;
	const struct tw_set *now_mine = dir == TW_DIR_OUT ? n->from_set : n->to_set;
	int err = 0;

	if (is_everywhere(d, dir, o) || is_everywhere(d, dir, n))
		return says_else || !same_set(old_mine, now_mine) ? add_everywhere(&d->mine[dir])
								  : 0;
	if (!says_else)
		return is_at(n, dir) ? add_difference(d, dir, &d->mine[dir], old_mine, now_mine)
				     : 0;
	if (is_at(o, dir))
		err = add_mine(d, &d->old, dir, old_mine);
	if (!err && is_at(n, dir))
		err = add_mine(d, &d->now, dir, now_mine);
	return err;
}

/* Adds the ports at one end, whose images depend on the other end's groups or set. */
static int add_far(
	struct tw_delta *d, enum tw_dir dir, const struct tw_rule *o, const struct tw_rule *n)
{
	const struct tw_set *old_far = dir == TW_DIR_OUT ? o->to_set : o->from_set;
	const struct tw_set *now_far = dir == TW_DIR_OUT ? n->to_set : n->from_set;
	const struct tw_set *mine = dir == TW_DIR_OUT ? n->from_set : n->to_set;

	if (same_set(old_far, now_far) || !is_at(n, dir))
		return 0;
	if (is_everywhere(d, dir, n))
		return add_everywhere(&d->far[dir]);
	/* Many rules name the same group, so most sets are found here. */
	if (d->has_far[mine->id] & 1u << dir)
		return 0;
	d->has_far[mine->id] |= (uint8_t)(1u << dir);
	return add_set(&d->far[dir], mine);
}

static int add_pair(struct tw_delta *d, size_t old_number, size_t number)
{
	const struct tw_rule *o = rule_at(&d->old, old_number), *n = rule_at(&d->now, number);
	bool says_else = !same_body(&d->old, old_number, &d->now, number);
	int err = 0;

	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++) {
		size_t far = dir == TW_DIR_OUT;

		err = add_end(d, dir,
			says_else || !same_end(d, old_number * 2 + far, number * 2 + far), o, n);
		if (!err)
			err = add_far(d, dir, o, n);
	}
	if (!err)
		err = add_difference(d, LIST_TELLS, &d->tells, o->from_set, n->from_set);
	return err ? err : add_difference(d, LIST_TELLS, &d->tells, o->to_set, n->to_set);
}

static int compare(struct tw_delta *d)
{
	size_t n_old = tw_policy_n_rules(d->old.policy), n_now = tw_policy_n_rules(d->now.policy);
	size_t same = 0, old_end = n_old, now_end = n_now;
	int err = 0;

	d->all = !same_body(&d->old, n_old, &d->now, n_now);
	d->guarded = rule_at(&d->now, n_now)->info.action == TW_V_ALLOW;
	if (d->all)
		return 0;
	while (same < n_old && same < n_now && same_rule(d, same, same))
		same++;
	while (old_end > same && now_end > same && same_rule(d, old_end - 1, now_end - 1)) {
		old_end--;
		now_end--;
	}
	if (old_end == now_end) {
		for (size_t i = same; i < now_end && !err; i++)
			if (!same_rule(d, i, i))
				err = add_pair(d, i, i);
		return err;
	}
	for (size_t i = same; i < old_end && !err; i++)
		err = add_alone(d, &d->old, i);
	for (size_t i = same; i < now_end && !err; i++)
		err = add_alone(d, &d->now, i);
	return err;
}

int tw_delta_new(
	const struct tw_compiler *old, const struct tw_compiler *now, struct tw_delta **ret)
{
	tw_auto(tw_delta) struct tw_delta *d = tw_alloc(sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->old = (struct side){old->policy, old->slots, &old->ends};
	d->now = (struct side){now->policy, now->slots, &now->ends};
	d->all = old->spaces || now->spaces;
	if (d->all) {
		*ret = TW_TAKE_PTR(d);
		return 0;
	}
	d->has_far = tw_alloc_array(now->policy->sets.all.n, sizeof(*d->has_far));
	d->has[0] = tw_alloc_array(old->policy->sets.all.n, sizeof(*d->has[0]));
	d->has[1] = tw_alloc_array(now->policy->sets.all.n, sizeof(*d->has[1]));
	d->differs = tw_alloc_array(LIST__MAX * now->policy->sets.all.n, sizeof(*d->differs));
	if (!d->has_far || !d->has[0] || !d->has[1] || !d->differs)
		return -ENOMEM;
	err = compare(d);
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++) {
		err = tw_ranges_add_all(&d->mine[dir], &d->tells);
		tw_ranges_sort(&d->mine[dir]);
		tw_ranges_sort(&d->far[dir]);
		d->everyone |= tw_concern_meets(dir, &d->mine[dir]);
		d->everyone_far |= tw_concern_meets(dir, &d->far[dir]);
	}
	if (!err)
		*ret = TW_TAKE_PTR(d);
	return err;
}

void tw_delta_free(struct tw_delta *d)
{
	if (!d)
		return;
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX; dir++) {
		tw_ranges_done(&d->mine[dir]);
		tw_ranges_done(&d->far[dir]);
	}
	tw_ranges_done(&d->tells);
	tw_ranges_done(&d->scratch);
	free(d->has_far);
	free(d->has[0]);
	free(d->has[1]);
	free(d->differs);
	free(d);
}

/* Returns the vNIC of the old policy that corresponds to this one, or NULL. */
static const struct tw_vnic *find_old(const struct tw_delta *d, const struct tw_vnic *vnic)
{
	const struct tw_vnic *first, *old = tw_policy_vnic(d->old.policy, vnic->index);

	/* An unchanged vNIC has kept its place. */
	if (old && old->workload == vnic->workload)
		return old;
	first = tw_policy_find_workload(d->now.policy, vnic->workload);
	old = tw_policy_find_workload(d->old.policy, vnic->workload);
	if (!first || !old)
		return NULL;
	old = tw_policy_vnic(d->old.policy, old->index + (vnic->index - first->index));
	return old && !strcmp(old->workload, vnic->workload) ? old : NULL;
}

static bool same_addresses(const struct tw_vnic *a, const struct tw_vnic *b)
{
	if (a->any != b->any || a->n_prefixes != b->n_prefixes || a->n_learned != b->n_learned)
		return false;
	for (size_t i = 0; i < a->n_prefixes; i++)
		if (a->prefixes[i].len != b->prefixes[i].len ||
			memcmp(&a->prefixes[i].addr, &b->prefixes[i].addr,
				sizeof(a->prefixes[i].addr)) != 0)
			return false;
	return true;
}

long tw_delta_find(struct tw_delta *d, const struct tw_vnic *vnic, bool resolved)
{
	const struct tw_vnic *old = d->all || d->everyone ? NULL : find_old(d, vnic);

	/* Rules name a vNIC with `any` without containing an address of it. */
	if (!old || vnic->any || !same_addresses(old, vnic) || (resolved && d->everyone_far))
		return -ENOENT;
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX; dir++)
		if (tw_vnic_meets(vnic, dir, &d->mine[dir]) ||
			(resolved && tw_vnic_meets(vnic, dir, &d->far[dir])))
			return -ENOENT;
	return (long)old->index;
}
