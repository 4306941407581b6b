/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* check.c: warns of what is lawful but surely not meant: things that stand for nothing, and rules
 * that no packet can ever meet.
 */
#include <errno.h>

#include "policy/diag.h"
#include "policy/model.h"
#include "policy/shadow.h"

struct checker {
	const struct tw_policy *policy;
	struct tw_diags *diags;
	struct tw_ranges concern[TW_DIR__MAX]; /* of all ports together */
	bool learns; /* some port's addresses are not known before DHCP gives them */
};

static int warn(struct checker *c, const struct tw_rule *rule, const char *hint, const char *why)
{
	return tw_diags_add(c->diags, TW_SEV_WARNING, rule->info.line, rule->column, hint,
		"rule %s can never match: %s", rule->info.name, why);
}

static int check_groups(struct checker *c)
{
	const struct tw_policy *p = c->policy;
	int err = 0;

	for (size_t i = 0; i < p->groups.n && !err; i++) {
		const struct tw_group *group = &p->groups.at[i];

		if (!group->set->r.n && !group->learns)
			err = tw_diags_add(c->diags, TW_SEV_WARNING, group->line, group->column,
				"fine if its workloads come later",
				"group %s stands for no address", group->name);
	}
	return err;
}

/* Is there a port where some frame could meet this rule? */
static bool is_enforced(const struct checker *c, const struct tw_rule *rule)
{
	return (rule->info.at_out &&
		       tw_ranges_overlap(&rule->from_set->r, &c->concern[TW_DIR_OUT])) ||
	       (rule->info.at_in && tw_ranges_overlap(&rule->to_set->r, &c->concern[TW_DIR_IN]));
}

static bool has_family(const struct tw_rule *rule)
{
	uint32_t families = rule->from_set->family & rule->to_set->family;

	for (size_t i = 0; i < rule->cells->n; i++)
		if (rule->cells->at[i].family & families)
			return true;
	return false;
}

static const char *ends_without_port(const struct tw_rule *rule)
{
	if (!rule->info.at_in)
		return "it is enforced at the from end, and no workload is there";
	if (!rule->info.at_out)
		return "it is enforced at the to end, and no workload is there";
	return "no workload is at either end";
}

static int check_rule(struct checker *c, const struct tw_rule *rule, bool *ret_dead)
{
	const char *empty_hint =
		"a group is empty, all is subtracted, or a workload has addresses: any";

	*ret_dead = true;
	if (!rule->from_set->r.n)
		return warn(c, rule, empty_hint, "its from stands for no address");
	if (!rule->to_set->r.n)
		return warn(c, rule, empty_hint, "its to stands for no address");
	if (!has_family(rule))
		return warn(c, rule, "IPv4 and IPv6 never meet; icmp is IPv4, icmp6 is IPv6",
			"its from, to and service have no address family in common");
	if (c->policy->nics.n && !c->learns && !is_enforced(c, rule))
		return warn(c, rule, "check its from, to and at", ends_without_port(rule));
	*ret_dead = false;
	return 0;
}

/* Whether an end of a rule stands for more when guests learn addresses: what can be said of it now
 * may not hold then. */
static bool learns(const struct tw_policy *p, const struct tw_operands *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct tw_operand *operand = &list->at[i];

		if ((operand->kind == TW_OP_WORKLOAD && p->workloads.at[operand->index].learns) ||
			(operand->kind == TW_OP_GROUP && p->groups.at[operand->index].learns))
			return true;
	}
	return false;
}

static int check_rules(struct checker *c)
{
	size_t n = tw_policy_n_rules(c->policy);
	struct tw_shadow *shadow = NULL;
	int err = tw_shadow_new(c->policy, c->diags, &shadow);

	for (size_t i = 0; i < n && !err; i++) {
		const struct tw_rule *rule = &c->policy->rules.at[i];
		bool dead;

		if (learns(c->policy, &rule->from) || learns(c->policy, &rule->to))
			continue;
		err = check_rule(c, rule, &dead);
		if (!err && !dead)
			err = tw_shadow_check(shadow, i);
	}
	tw_shadow_free(shadow);
	return err;
}

int tw_policy_check(const struct tw_policy *policy, struct tw_diags *diags)
{
	struct checker c = {.policy = policy, .diags = diags};
	int err = 0;

	if (!policy->nics.n)
		err = tw_diags_add(diags, TW_SEV_WARNING, 0, 0, "list the guests under workloads",
			"the policy has no workloads, so it protects no port");
	for (size_t i = 0; i < policy->nics.n && !err; i++) {
		c.learns |= policy->nics.at[i].pub.dhcp;
		err = tw_vnic_concern(&policy->nics.at[i].pub, TW_DIR_OUT, &c.concern[TW_DIR_OUT]);
		if (!err)
			err = tw_vnic_concern(
				&policy->nics.at[i].pub, TW_DIR_IN, &c.concern[TW_DIR_IN]);
	}
	tw_ranges_sort(&c.concern[TW_DIR_OUT]);
	tw_ranges_sort(&c.concern[TW_DIR_IN]);
	if (!err)
		err = check_groups(&c);
	if (!err)
		err = check_rules(&c);
	tw_ranges_done(&c.concern[TW_DIR_OUT]);
	tw_ranges_done(&c.concern[TW_DIR_IN]);
	tw_diags_sort(diags);
	return err;
}
