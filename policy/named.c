/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/named.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

/* The names of groups follow those of workloads. */
static uint32_t name_of(const struct tw_policy *p, const struct tw_operand *operand)
{
	if (!tw_operand_names_any(p, operand))
		return TW_INDEX_NONE;
	return operand->kind == TW_OP_WORKLOAD ? operand->index
					       : (uint32_t)p->workloads.n + operand->index;
}

static const struct tw_operands *own_list(const struct tw_rule *rule, enum tw_dir dir)
{
	return dir == TW_DIR_OUT ? &rule->from : &rule->to;
}

static const struct tw_port_end *own_end(const struct tw_rule *rule, enum tw_dir dir)
{
	return dir == TW_DIR_OUT ? &rule->from_port : &rule->to_port;
}

static const struct tw_rule *rule_at(const struct tw_compiler *c, enum tw_dir dir, size_t index)
{
	return &c->policy->rules.at[c->rules[dir].all.at[index].number];
}

static int compare_mentions(const void *a, const void *b)
{
	const struct tw_mention *x = a, *y = b;

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

static int list_mentions(struct tw_compiler *c, enum tw_dir dir)
{
	struct tw_named *named = &c->named[dir];
	int err = 0;

	for (uint32_t i = 0; i < c->rules[dir].all.n; i++) {
		const struct tw_rule *rule = rule_at(c, dir, i);
		const struct tw_operands *list = own_list(rule, dir);

		if (!own_end(rule, dir)->set && !own_end(rule, dir)->spares)
			continue;
		for (size_t k = 0; k < list->n && !err; k++) {
			struct tw_mention mention = {name_of(c->policy, &list->at[k]), i};

			if (mention.name != TW_INDEX_NONE)
				err = tw_vec_push(&named->mentions, mention);
		}
	}
	if (named->mentions.n)
		qsort(named->mentions.at, named->mentions.n, sizeof(*named->mentions.at),
			compare_mentions);
	return err;
}

int tw_named_init(struct tw_compiler *c)
{
	int err = 0;

	c->is_name = tw_alloc_array(
		c->policy->workloads.n + c->policy->groups.n + 1, sizeof(*c->is_name));
	if (!c->is_name)
		return -ENOMEM;
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++) {
		c->named[dir].local = tw_alloc_array(
			c->rules[dir].all.n + 1, sizeof(*c->named[dir].local));
		err = c->named[dir].local ? list_mentions(c, dir) : -ENOMEM;
	}
	return err;
}

void tw_named_done(struct tw_compiler *c)
{
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		tw_vec_done(&c->named[dir].mentions);
		tw_vec_done(&c->named[dir].rules);
		free(c->named[dir].local);
	}
	free(c->is_name);
}

/* Returns the set of a rule that names the port's workload. */
static const struct tw_set *local_by_name(
	const struct tw_compiler *c, const struct tw_rule *rule, enum tw_dir dir)
{
	static const struct tw_set nothing;
	const struct tw_operands *list = own_list(rule, dir);

	for (size_t i = 0; i < list->n; i++) {
		uint32_t name = name_of(c->policy, &list->at[i]);

		if (name != TW_INDEX_NONE && c->is_name[name] && list->at[i].negate)
			return &nothing;
	}
	return own_end(rule, dir)->set;
}

static int enter_name(struct tw_compiler *c, enum tw_dir dir, uint32_t name)
{
	struct tw_named *named = &c->named[dir];
	size_t low = 0, high = named->mentions.n;
	int err = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (named->mentions.at[middle].name < name)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < named->mentions.n && named->mentions.at[low].name == name && !err; low++) {
		uint32_t rule = named->mentions.at[low].rule;

		if (named->local[rule])
			continue;
		err = tw_vec_push(&named->rules, rule);
		if (!err)
			named->local[rule] = local_by_name(c, rule_at(c, dir, rule), dir);
	}
	return err;
}

/* Marks the names of a workload: its own, and those of its groups. */
static void mark_names(struct tw_compiler *c, uint32_t workload, bool is_name)
{
	const struct tw_policy *p = c->policy;

	c->is_name[workload] = is_name;
	for (size_t g = 0; g < p->groups.n; g++)
		if (p->groups.at[g].any)
			c->is_name[p->workloads.n + g] = is_name &&
							 tw_group_has(&p->groups.at[g],
								 &p->workloads.at[workload],
								 workload);
}

int tw_named_enter(struct tw_compiler *c, const struct tw_vnic *vnic)
{
	const struct tw_policy *p = c->policy;
	const struct tw_name *found;
	int err = 0;

	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		tw_vec_foreach (&c->named[dir].rules, rule)
			c->named[dir].local[*rule] = NULL;
		c->named[dir].rules.n = 0;
	}
	found = vnic->any && (c->named[TW_DIR_OUT].mentions.n || c->named[TW_DIR_IN].mentions.n)
			? tw_names_find(&p->names, vnic->workload)
			: NULL;
	if (!found)
		return 0;
	mark_names(c, found->index, true);
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++) {
		err = enter_name(c, dir, found->index);
		for (size_t g = 0; g < p->groups.n && !err; g++)
			if (c->is_name[p->workloads.n + g])
				err = enter_name(c, dir, (uint32_t)(p->workloads.n + g));
	}
	mark_names(c, found->index, false);
	return err;
}

const struct tw_set *tw_named_local(const struct tw_compiler *c, enum tw_dir dir, size_t index)
{
	const struct tw_set *local = c->named[dir].local[index];

	return local ? local : c->locals.at[c->rules[dir].all.at[index].local];
}
