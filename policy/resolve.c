/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* resolve.c: resolves networks, workloads, groups and the ends of rules to address sets.
 *
 * Bounds:     equal lists of entries are resolved once. TW_POLICY_WORK_MAX limits the total
 *             number of steps, of some 10 ns each, so that no policy text takes long.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/diag.h"
#include "policy/model.h"
#include "policy/text.h"

/* Costs in steps: a range is added, sorted and hashed; a service part is sorted and, in the
 * worst case, becomes a cell of its own. */
#define RANGE_STEPS 8
#define PART_STEPS  32

struct resolver {
	struct tw_policy *policy;
	struct tw_diags *diags;
	struct tw_ranges plus;
	struct tw_ranges minus;
	struct tw_ranges result;
	struct tw_index lists;	  /* index of operand lists, by rule number * 2 + end */
	struct tw_index services; /* index of service lists, by rule number */
	size_t work;
};

static int too_large(struct resolver *s)
{
	int err = tw_diags_add(s->diags, TW_SEV_ERROR, 0, 0,
		"use wider prefixes, or fewer and smaller groups",
		"the policy is too large: its groups and rules contain too many addresses");

	return err ? err : -EINVAL;
}

static int spend(struct resolver *s, size_t steps)
{
	s->work += steps;
	if (s->work > TW_POLICY_WORK_MAX || s->policy->sets.n_ranges > TW_POLICY_RANGES_MAX)
		return too_large(s);
	return 0;
}

static int intern(struct resolver *s, const struct tw_ranges *ranges, const struct tw_set **ret)
{
	const struct tw_set *set = tw_sets_intern(&s->policy->sets, ranges);

	if (!set)
		return -ENOMEM;
	*ret = set;
	return spend(s, (ranges->n + 1) * RANGE_STEPS);
}

static int resolve_networks(struct resolver *s)
{
	int err = 0;

	for (size_t n = 0; n < s->policy->networks.n; n++) {
		struct tw_network *network = &s->policy->networks.at[n];

		s->plus.n = 0;
		for (size_t i = 0; i < network->n_prefixes && !err; i++)
			err = tw_prefix_add_to(&network->prefixes[i], &s->plus);
		tw_ranges_sort(&s->plus);
		if (!err)
			err = intern(s, &s->plus, &network->set);
		if (err)
			return err;
	}
	return 0;
}

static int resolve_workload(struct resolver *s, struct tw_workload *workload)
{
	int err = 0;

	s->plus.n = 0;
	workload->learns = workload->any = false;
	for (size_t n = 0; n < workload->n_nics; n++) {
		const struct tw_vnic *vnic = &s->policy->nics.at[workload->first_nic + n].pub;

		workload->learns |= tw_vnic_learns(vnic);
		workload->any |= vnic->any;
		for (size_t i = 0; i < vnic->n_prefixes && !err; i++)
			err = tw_prefix_add_to(&vnic->prefixes[i], &s->plus);
	}
	tw_ranges_sort(&s->plus);
	return err ? err : intern(s, &s->plus, &workload->set);
}

static bool has_tag(const struct tw_workload *workload, uint32_t tag)
{
	for (size_t i = 0; i < workload->n_tags; i++)
		if (workload->tags[i] == tag)
			return true;
	return false;
}

static bool matches(
	const struct tw_tag_expr *expr, const struct tw_workload *workload, size_t *steps)
{
	*steps += 1 + workload->n_tags / 4;
	switch (expr->op) {
	case TW_TAG_IS:
		return has_tag(workload, expr->tag);
	case TW_TAG_NOT:
		return !matches(expr->left, workload, steps);
	case TW_TAG_AND:
		return matches(expr->left, workload, steps) &&
		       matches(expr->right, workload, steps);
	case TW_TAG_OR:
		break;
	}
	return matches(expr->left, workload, steps) || matches(expr->right, workload, steps);
}

static bool selects(const struct tw_group *group, const struct tw_workload *workload, size_t *steps)
{
	if (group->tags && matches(group->tags, workload, steps))
		return true;
	for (size_t i = 0; i < group->n_patterns; i++) {
		*steps += 1 + strlen(workload->name);
		if (tw_text_glob(group->patterns[i], workload->name))
			return true;
	}
	return false;
}

bool tw_policy_selects(const struct tw_group *group, const struct tw_workload *workload)
{
	size_t steps = 0;

	return selects(group, workload, &steps);
}

static const struct tw_set *operand_set(const struct tw_policy *p, const struct tw_operand *operand)
{
	switch (operand->kind) {
	case TW_OP_NETWORK:
		return p->networks.at[operand->index].set;
	case TW_OP_WORKLOAD:
		return p->workloads.at[operand->index].set;
	case TW_OP_GROUP:
		return p->groups.at[operand->index].set;
	case TW_OP_ANY:
	case TW_OP_PREFIX:
		break;
	}
	return p->sets.everything;
}

static int add_operand(struct resolver *s, const struct tw_operand *operand, struct tw_ranges *ret)
{
	const struct tw_set *set;
	int err;

	if (operand->kind == TW_OP_PREFIX)
		return tw_prefix_add_to(&operand->prefix, ret);
	set = operand_set(s->policy, operand);
	err = spend(s, set->r.n * RANGE_STEPS);
	return err ? err : tw_ranges_add_all(ret, &set->r);
}

static void join_group(struct tw_group *group, const struct tw_workload *workload)
{
	group->learns |= workload->learns;
	group->any |= workload->any;
}

static int resolve_group(struct resolver *s, struct tw_group *group)
{
	size_t n_looked_at = group->tags || group->n_patterns ? s->policy->workloads.n : 0;
	int err = 0;

	s->plus.n = 0;
	for (size_t i = 0; i < group->networks.n && !err; i++)
		err = add_operand(s, &group->networks.at[i], &s->plus);
	for (size_t i = 0; i < group->workloads.n && !err; i++) {
		join_group(group, &s->policy->workloads.at[group->workloads.at[i].index]);
		err = add_operand(s, &group->workloads.at[i], &s->plus);
	}
	for (size_t i = 0; i < n_looked_at && !err; i++) {
		const struct tw_workload *workload = &s->policy->workloads.at[i];
		size_t steps = 0;

		if (selects(group, workload, &steps)) {
			join_group(group, workload);
			err = tw_ranges_add_all(&s->plus, &workload->set->r);
			steps += workload->set->r.n * RANGE_STEPS;
		}
		if (!err)
			err = spend(s, steps);
	}
	tw_ranges_sort(&s->plus);
	return err ? err : intern(s, &s->plus, &group->set);
}

static const struct tw_operands *list_at(const struct tw_policy *p, uint32_t number)
{
	const struct tw_rule *rule = &p->rules.at[number / 2];

	return number % 2 ? &rule->to : &rule->from;
}

static bool same_list(const void *owner, uint32_t value, const void *key)
{
	const struct tw_operands *have = list_at(owner, value), *want = key;

	if (have->n != want->n)
		return false;
	for (size_t i = 0; i < have->n; i++) {
		const struct tw_operand *a = &have->at[i], *b = &want->at[i];

		if (a->kind != b->kind || a->negate != b->negate || a->index != b->index ||
			a->prefix.len != b->prefix.len ||
			memcmp(&a->prefix.addr, &b->prefix.addr, sizeof(a->prefix.addr)) != 0)
			return false;
	}
	return true;
}

static uint64_t hash_list(const struct tw_policy *p, const struct tw_operands *list)
{
	uint64_t hash = p->seed;

	for (size_t i = 0; i < list->n; i++) {
		const struct tw_operand *operand = &list->at[i];
		uint64_t words[4] = {(uint64_t)operand->kind << 32 | operand->index,
			(uint64_t)operand->negate << 32 | operand->prefix.len,
			operand->prefix.addr.d[0], operand->prefix.addr.d[1]};

		hash = tw_table_hash(words, sizeof(words), hash);
	}
	return hash;
}

bool tw_operand_names_any(const struct tw_policy *p, const struct tw_operand *operand)
{
	if (operand->kind == TW_OP_WORKLOAD)
		return p->workloads.at[operand->index].any;
	return operand->kind == TW_OP_GROUP && p->groups.at[operand->index].any;
}

/* Makes the end for the ports of the workloads with `any` that the list names: everything but the
 * addresses in s->minus. */
static int resolve_port_end(
	struct resolver *s, const struct tw_operands *list, struct tw_port_end *ret)
{
	struct tw_range all = {.lo = 0, .hi = TW_U128_MAX};
	struct tw_ranges everything = {.at = &all, .n = 1};
	bool names = false;
	int err;

	for (size_t i = 0; i < list->n; i++) {
		bool any = tw_operand_names_any(s->policy, &list->at[i]);

		names |= any && !list->at[i].negate;
		ret->spares |= any && list->at[i].negate;
	}
	if (!names)
		return 0;
	err = tw_ranges_minus(&everything, &s->minus, &s->result);
	return err ? err : intern(s, &s->result, &ret->set);
}

static int resolve_list(struct resolver *s, const struct tw_operands *list,
	const struct tw_set **ret, struct tw_port_end *ret_port)
{
	bool has_plus = false;
	int err = 0;

	*ret_port = (struct tw_port_end){0};
	if (!list->n) {
		*ret = s->policy->sets.everything;
		return 0;
	}
	s->plus.n = s->minus.n = 0;
	for (size_t i = 0; i < list->n && !err; i++) {
		has_plus |= !list->at[i].negate;
		err = add_operand(s, &list->at[i], list->at[i].negate ? &s->minus : &s->plus);
	}
	if (!has_plus && !err)
		err = tw_ranges_add(&s->plus, 0, TW_U128_MAX);
	if (err)
		return err;
	tw_ranges_sort(&s->plus);
	tw_ranges_sort(&s->minus);
	err = tw_ranges_minus(&s->plus, &s->minus, &s->result);
	if (!err)
		err = intern(s, &s->result, ret);
	return err ? err : resolve_port_end(s, list, ret_port);
}

static int resolve_end(struct resolver *s, uint32_t number)
{
	const struct tw_policy *p = s->policy;
	struct tw_rule *rule = &s->policy->rules.at[number / 2];
	const struct tw_set **set = number % 2 ? &rule->to_set : &rule->from_set;
	struct tw_port_end *port = number % 2 ? &rule->to_port : &rule->from_port;
	const struct tw_operands *list = list_at(p, number);
	uint64_t hash = hash_list(p, list);
	uint32_t known = tw_index_find(&s->lists, hash, same_list, p, list);
	int err;

	if (known != TW_INDEX_NONE) {
		const struct tw_rule *same = &p->rules.at[known / 2];

		*set = known % 2 ? same->to_set : same->from_set;
		*port = known % 2 ? same->to_port : same->from_port;
		return 0;
	}
	err = resolve_list(s, list, set, port);
	return err ? err : tw_index_add(&s->lists, hash, number);
}

static bool same_services(const void *owner, uint32_t value, const void *key)
{
	const struct tw_rule *have = &((const struct tw_policy *)owner)->rules.at[value];
	const struct tw_rule *want = key;

	if (have->n_services != want->n_services)
		return false;
	for (size_t i = 0; i < have->n_services; i++) {
		const struct tw_service_ref *a = &have->services[i], *b = &want->services[i];

		if (a->service != b->service || memcmp(&a->part, &b->part, sizeof(a->part)) != 0)
			return false;
	}
	return true;
}

static int resolve_services(struct resolver *s, uint32_t number)
{
	struct tw_policy *p = s->policy;
	struct tw_rule *rule = &p->rules.at[number];
	uint64_t hash = p->seed;
	size_t n_parts = 1;
	uint32_t known;
	int err;

	for (size_t i = 0; i < rule->n_services; i++) {
		const struct tw_service_ref *ref = &rule->services[i];

		hash = tw_table_hash(&ref->part, sizeof(ref->part), hash + ref->service);
		n_parts += ref->service == TW_INDEX_NONE ? 1 : p->services.at[ref->service].n_parts;
	}
	known = tw_index_find(&s->services, hash, same_services, p, rule);
	if (known != TW_INDEX_NONE) {
		rule->cells = p->rules.at[known].cells;
		return 0;
	}
	err = spend(s, n_parts * PART_STEPS);
	if (err)
		return err;
	rule->cells = tw_policy_cells(p, rule->services, rule->n_services);
	return rule->cells ? tw_index_add(&s->services, hash, number) : -ENOMEM;
}

static int resolve_rules(struct resolver *s)
{
	struct tw_policy *p = s->policy;
	int err = 0;

	for (uint32_t i = 0; i < p->rules.n && !err; i++) {
		err = resolve_end(s, i * 2);
		if (!err)
			err = resolve_end(s, i * 2 + 1);
		if (!err)
			err = resolve_services(s, i);
	}
	return err;
}

static void resolver_done(struct resolver *s)
{
	s->policy->text.work = s->work;
	tw_ranges_done(&s->plus);
	tw_ranges_done(&s->minus);
	tw_ranges_done(&s->result);
	tw_index_done(&s->lists);
	tw_index_done(&s->services);
}

int tw_policy_resolve(struct tw_policy *policy, struct tw_diags *diags)
{
	struct resolver s = {.policy = policy, .diags = diags};
	int err = resolve_networks(&s);

	for (size_t i = 0; i < policy->workloads.n && !err; i++)
		err = resolve_workload(&s, &policy->workloads.at[i]);
	for (size_t i = 0; i < policy->groups.n && !err; i++)
		err = resolve_group(&s, &policy->groups.at[i]);
	if (!err)
		err = resolve_rules(&s);
	resolver_done(&s);
	return err;
}

/* ---- again, after a few things changed ---- */

struct again {
	struct resolver s;
	const struct tw_policy *old;
	TW_VEC(uint32_t) workloads; /* workloads that changed */
	bool *workload_changed;	    /* true if its set changed */
	bool *group_changed;
};

static int resolve_changed_workloads(struct again *a, const bool *changed)
{
	struct tw_policy *p = a->s.policy;
	int err = 0;

	for (uint32_t i = 0; i < p->workloads.n && !err; i++) {
		struct tw_workload *workload = &p->workloads.at[i];
		const struct tw_set *was = workload->set;
		bool was_any = workload->any;

		if (!changed[i])
			continue;
		err = tw_vec_push(&a->workloads, i);
		if (!err)
			err = resolve_workload(&a->s, workload);
		a->workload_changed[i] = workload->set != was || workload->any != was_any;
	}
	return err;
}

/* True if a changed workload was in the group or is now. */
static bool group_concerned(const struct again *a, const struct tw_group *group, size_t *steps)
{
	for (size_t i = 0; i < a->workloads.n; i++) {
		uint32_t w = a->workloads.at[i];

		for (size_t k = 0; k < group->workloads.n; k++)
			if (group->workloads.at[k].index == w)
				return true;
		if (selects(group, &a->old->workloads.at[w], steps) ||
			selects(group, &a->s.policy->workloads.at[w], steps))
			return true;
	}
	return false;
}

static int resolve_changed_groups(struct again *a)
{
	struct tw_policy *p = a->s.policy;
	int err = 0;

	for (size_t i = 0; i < p->groups.n && !err; i++) {
		struct tw_group *group = &p->groups.at[i];
		const struct tw_set *was = group->set;
		size_t steps = 0;

		if (group_concerned(a, group, &steps)) {
			a->group_changed[i] = group->any;
			group->learns = group->any = false;
			err = resolve_group(&a->s, group);
			a->group_changed[i] |= group->set != was || group->any;
		}
		if (!err)
			err = spend(&a->s, steps);
	}
	return err;
}

static bool list_concerned(const struct again *a, const struct tw_operands *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct tw_operand *operand = &list->at[i];

		if ((operand->kind == TW_OP_WORKLOAD && a->workload_changed[operand->index]) ||
			(operand->kind == TW_OP_GROUP && a->group_changed[operand->index]))
			return true;
	}
	return false;
}

/* Takes the cells of an old rule with the same services, or makes them. */
static int find_services(struct again *a, uint32_t number)
{
	struct tw_policy *p = a->s.policy;
	struct tw_rule *rule = &p->rules.at[number];

	for (uint32_t i = 0; i + 1 < p->rules.n && !rule->cells; i++)
		if (p->rules.at[i].cells && same_services(p, i, rule))
			rule->cells = p->rules.at[i].cells;
	return rule->cells ? 0 : resolve_services(&a->s, number);
}

static int resolve_changed_rules(struct again *a)
{
	struct tw_policy *p = a->s.policy;
	int err = 0;

	/* The last rule is the default. */
	for (uint32_t i = 0; i + 1 < p->rules.n && !err; i++) {
		struct tw_rule *rule = &p->rules.at[i];
		bool is_new = !rule->cells;

		if (is_new || list_concerned(a, &rule->from))
			err = resolve_end(&a->s, i * 2);
		if (!err && (is_new || list_concerned(a, &rule->to)))
			err = resolve_end(&a->s, i * 2 + 1);
		if (!err && is_new)
			err = find_services(a, i);
	}
	return err;
}

int tw_policy_resolve_again(struct tw_policy *policy, const struct tw_policy *old,
	const bool *changed, struct tw_diags *diags)
{
	struct again a = {
		.old = old, .s = {.policy = policy, .diags = diags, .work = old->text.work}};
	int err = 0;

	a.workload_changed = tw_alloc_array(policy->workloads.n, sizeof(*a.workload_changed));
	a.group_changed = tw_alloc_array(policy->groups.n, sizeof(*a.group_changed));
	if (!a.workload_changed || !a.group_changed)
		err = -ENOMEM;
	if (!err && changed)
		err = resolve_changed_workloads(&a, changed);
	if (!err && a.workloads.n)
		err = resolve_changed_groups(&a);
	if (!err)
		err = resolve_changed_rules(&a);
	resolver_done(&a.s);
	tw_vec_done(&a.workloads);
	free(a.workload_changed);
	free(a.group_changed);
	return err;
}
