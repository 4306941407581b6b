/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* check.c: warns of valid but probably unintended parts of a policy: empty groups, and rules
 * that no packet can match.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/diag.h"
#include "policy/model.h"
#include "policy/shadow.h"
#include "policy/sharing.h"

struct checker {
	const struct tw_policy *policy;
	struct tw_diags *diags;
	struct tw_ranges concern[TW_DIR__MAX]; /* local addresses of all ports together */
	struct tw_ranges known[TW_DIR__MAX];   /* local addresses of ports with an address guard */
	bool learns;			       /* true if a port learns addresses */
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

		if (!group->set->r.n && !group->learns && !group->any)
			err = tw_diags_add(c->diags, TW_SEV_WARNING, group->line, group->column,
				"ignore this if its workloads are added later",
				"group %s contains no address", group->name);
	}
	return err;
}

/* True if an address of this end of the rule can be local at some port. */
static bool is_at_port(const struct checker *c, const struct tw_rule *rule, enum tw_dir end)
{
	return tw_ranges_overlap(&tw_rule_reach(rule, end)->r, &c->concern[end]);
}

/* True if a frame at some port could match this rule. */
static bool is_enforced(const struct checker *c, const struct tw_rule *rule)
{
	return (rule->info.at_out && is_at_port(c, rule, TW_DIR_OUT)) ||
	       (rule->info.at_in && is_at_port(c, rule, TW_DIR_IN));
}

/* True if both ends of the rule have addresses of one family, as an end sees them: the other end is
 * known by its addresses only. */
static bool meets_at(const struct tw_rule *rule, enum tw_dir end)
{
	const struct tw_set *far = end == TW_DIR_OUT ? rule->to_set : rule->from_set;
	uint32_t families = tw_rule_reach(rule, end)->family & far->family;

	for (size_t i = 0; i < rule->cells->n; i++)
		if (rule->cells->at[i].family & families)
			return true;
	return false;
}

static const char *ends_without_port(const struct tw_rule *rule)
{
	if (!rule->info.at_in)
		return "it is enforced at the 'from' end, and no workload is there";
	if (!rule->info.at_out)
		return "it is enforced at the 'to' end, and no workload is there";
	return "no workload is at either end";
}

static int check_rule(struct checker *c, const struct tw_rule *rule, bool *ret_dead)
{
	const char *empty_hint = "look for an empty group, or a ! entry that removes all";
	const struct tw_set *from = tw_rule_reach(rule, TW_DIR_OUT);
	const struct tw_set *to = tw_rule_reach(rule, TW_DIR_IN);

	*ret_dead = true;
	if (!from->r.n)
		return warn(c, rule, empty_hint, "'from' contains no address");
	if (!to->r.n)
		return warn(c, rule, empty_hint, "'to' contains no address");
	if ((!rule->info.at_out || !rule->to_set->r.n) &&
		(!rule->info.at_in || !rule->from_set->r.n))
		return warn(c, rule,
			"give one of the two ends addresses, or enforce the rule at that workload's own end (at)",
			"the other end knows no address of a workload with addresses: any");
	if (!(rule->info.at_out && meets_at(rule, TW_DIR_OUT)) &&
		!(rule->info.at_in && meets_at(rule, TW_DIR_IN)))
		return warn(c, rule, "IPv4 and IPv6 never meet; icmp is IPv4, icmp6 is IPv6",
			"'from', 'to' and the service have no address family in common");
	if (c->policy->nics.n && !c->learns && !is_enforced(c, rule))
		return warn(c, rule, "check 'from', 'to' and 'at'", ends_without_port(rule));
	*ret_dead = false;
	return 0;
}

/* True if an end of a rule may learn addresses. A warning about its current addresses
 * may then become wrong. */
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

/* True if the list means all addresses except some. */
static bool only_subtracts(const struct tw_operands *list)
{
	bool subtracts = false;

	for (size_t i = 0; i < list->n; i++) {
		subtracts |= list->at[i].negate;
		if (!list->at[i].negate && list->at[i].kind != TW_OP_ANY)
			return false;
	}
	return subtracts;
}

/* Returns the TW_FAMILY_* bits of families that the set contains completely. */
static uint32_t whole_families(const struct tw_set *set)
{
	struct tw_range v4 = {TW_V4_FIRST, TW_V4_LAST};
	struct tw_range v6[] = {{0, TW_V4_FIRST - 1}, {TW_V4_LAST + 1, TW_U128_MAX}};
	const struct tw_ranges all_v4 = {.at = &v4, .n = 1}, all_v6 = {.at = v6, .n = 2};

	return (tw_ranges_contain(&set->r, &all_v4) ? TW_FAMILY_V4 : 0) |
	       (tw_ranges_contain(&set->r, &all_v6) ? TW_FAMILY_V6 : 0);
}

/* Warns of `to: "!10.0.0.0/8"` in an allowing rule: it includes all of IPv6, which its author
 * probably did not intend. */
static int check_subtraction(struct checker *c, const struct tw_rule *rule, const char *end,
	const struct tw_operands *list, const struct tw_set *set, const struct tw_set *far)
{
	uint32_t whole = only_subtracts(list) ? whole_families(set) : 0, met = 0;
	bool lets_pass = rule->info.action == TW_V_ALLOW || rule->info.action == TW_V_ASK;

	for (size_t i = 0; i < rule->cells->n; i++)
		met |= rule->cells->at[i].family & far->family;
	if (!lets_pass || whole == TW_FAMILY_ANY || !(whole & met))
		return 0;
	return tw_diags_add(c->diags, TW_SEV_WARNING, rule->info.line, rule->column,
		whole == TW_FAMILY_V6
			? "subtract IPv6 addresses too, or put 0.0.0.0/0 before it for IPv4 only"
			: "subtract IPv4 addresses too, or put ::/0 before it for IPv6 only",
		"rule %s: its %s subtracts only %s addresses, so it includes every %s address",
		rule->info.name, end, whole == TW_FAMILY_V6 ? "IPv4" : "IPv6",
		whole == TW_FAMILY_V6 ? "IPv6" : "IPv4");
}

static int check_subtractions(struct checker *c, const struct tw_rule *rule)
{
	int err = check_subtraction(c, rule, "from", &rule->from, rule->from_set, rule->to_set);

	return err ? err
		   : check_subtraction(c, rule, "to", &rule->to, rule->to_set, rule->from_set);
}

/* Returns the first entry that names a workload with `any`, with or without `!`; NULL: none. */
static const struct tw_operand *find_any(
	const struct tw_policy *p, const struct tw_operands *list, bool negate)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].negate == negate && tw_operand_names_any(p, &list->at[i]))
			return &list->at[i];
	return NULL;
}

/* True if the rule may be enforced at a port of this end: by the port's addresses, or because the rule
 * names a workload with `any`. */
static bool has_near_ports(const struct checker *c, const struct tw_rule *rule, enum tw_dir near)
{
	const struct tw_set *set = near == TW_DIR_OUT ? rule->from_set : rule->to_set;

	if (near == TW_DIR_OUT ? !rule->info.at_out : !rule->info.at_in)
		return false;
	return c->learns || tw_rule_reach(rule, near) != set || whole_families(set) ||
	       tw_ranges_overlap(&set->r, &c->known[near]);
}

/* Warns if the far end of a rule names a workload with `any`, and the rule is enforced at the near end,
 * where the addresses of that workload are not known. A rule that refuses needs no warning if the
 * workload's own port enforces it, too; a rule that allows must match at both ends. With a `!` entry,
 * it is the other way round. */
static int check_far(struct checker *c, const struct tw_rule *rule, enum tw_dir near, bool negate)
{
	bool out = near == TW_DIR_OUT, far_at = out ? rule->info.at_in : rule->info.at_out;
	bool lets_pass = rule->info.action == TW_V_ALLOW || rule->info.action == TW_V_ASK;
	const struct tw_operand *named = find_any(c->policy, out ? &rule->to : &rule->from, negate);

	if (!named || (far_at && lets_pass == negate) || !has_near_ports(c, rule, near))
		return 0;
	return tw_diags_add(c->diags, TW_SEV_WARNING, rule->info.line, rule->column,
		!far_at ? "name addresses or a network instead, or write at: both"
		: out	? "name addresses or a network instead, or write at: to"
			: "name addresses or a network instead, or write at: from",
		"rule %s: at the ports of '%s' it %s to %s%s, whose addresses (any) are not known there",
		rule->info.name, out ? "from" : "to", negate ? "also applies" : "does not apply",
		named->kind == TW_OP_GROUP ? "workloads of group " : "",
		named->kind == TW_OP_GROUP ? c->policy->groups.at[named->index].name
					   : c->policy->workloads.at[named->index].name);
}

static int check_far_ends(struct checker *c, const struct tw_rule *rule)
{
	int err = 0;

	for (enum tw_dir near = 0; near < TW_DIR__MAX && !err; near++) {
		err = check_far(c, rule, near, false);
		if (!err)
			err = check_far(c, rule, near, true);
	}
	return err;
}

static int check_rules(struct checker *c)
{
	size_t n = tw_policy_n_rules(c->policy);
	struct tw_shadow *shadow = NULL;
	int err = tw_shadow_new(c->policy, c->diags, &shadow);

	for (size_t i = 0; i < n && !err; i++) {
		const struct tw_rule *rule = &c->policy->rules.at[i];
		bool dead = false;
		bool changes = learns(c->policy, &rule->from) || learns(c->policy, &rule->to);

		if (rule->info.expired && !rule->info.disabled)
			tw_diags_add(c->diags, TW_SEV_WARNING, rule->info.line, rule->column,
				"remove it, or write a later until", "rule %s has ended",
				rule->info.name);
		if (rule->info.disabled || rule->info.expired)
			continue;
		if (!changes)
			err = check_rule(c, rule, &dead);
		if (!err && !dead)
			err = check_far_ends(c, rule);
		if (changes)
			continue;
		if (!err && !dead)
			err = check_subtractions(c, rule);
		if (!err && !dead)
			err = tw_shadow_check(shadow, i);
	}
	tw_shadow_free(shadow);
	return err;
}

static int check_view(const struct tw_policy *policy, struct tw_diags *diags)
{
	struct checker c = {.policy = policy, .diags = diags};
	int err = 0;

	if (!policy->nics.n)
		err = tw_diags_add(diags, TW_SEV_WARNING, 0, 0, "list the guests under workloads",
			"the policy has no workloads, so it protects no port");
	for (size_t i = 0; i < policy->nics.n && !err; i++) {
		const struct tw_vnic *vnic = &policy->nics.at[i].pub;

		if (policy->is_view && vnic->space != policy->view_of)
			continue;
		c.learns |= tw_vnic_learns(vnic);
		for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++) {
			err = tw_vnic_concern(vnic, dir, &c.concern[dir]);
			if (!err && !vnic->any)
				err = tw_vnic_concern(vnic, dir, &c.known[dir]);
		}
	}
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX; dir++) {
		tw_ranges_sort(&c.concern[dir]);
		tw_ranges_sort(&c.known[dir]);
	}
	if (!err)
		err = tw_sharing_check(policy, diags);
	if (!err)
		err = check_groups(&c);
	if (!err)
		err = check_rules(&c);
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX; dir++) {
		tw_ranges_done(&c.concern[dir]);
		tw_ranges_done(&c.known[dir]);
	}
	tw_diags_sort(diags);
	return err;
}

/* ---- address spaces ---- */

/* True if a warning says that a rule or group has no effect. It is given only if that is so in every
 * address space. */
static bool is_void(const struct tw_diag *diag)
{
	return strstr(diag->text, " can never match: ") ||
	       strstr(diag->text, " contains no address");
}

static const struct tw_diag *find_diag(const struct tw_diags *diags, const struct tw_diag *like)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct tw_diag *at = &diags->at[i];

		if (at->line == like->line && at->column == like->column &&
			is_void(at) == is_void(like) &&
			(is_void(like) || !strcmp(at->text, like->text)))
			return at;
	}
	return NULL;
}

static const struct tw_rule *rule_of(const struct tw_policy *p, const struct tw_diag *diag)
{
	for (size_t i = 0; i + 1 < p->rules.n; i++)
		if (p->rules.at[i].info.line == diag->line && p->rules.at[i].column == diag->column)
			return &p->rules.at[i];
	return NULL;
}

/* Adds a warning of one space if each space that it is about has a like one. `of` has the warnings of
 * each space. */
static int add_void(const struct tw_policy *p, const struct tw_diags *of,
	const struct tw_diag *diag, struct tw_diags *diags)
{
	const struct tw_rule *rule = rule_of(p, diag);
	const struct tw_diag *shadowed = NULL;
	bool alike = true;

	for (uint32_t space = 0; space < tw_spaces_n(p); space++) {
		const struct tw_diag *same;

		if (rule && rule->space && rule->space != space)
			continue;
		same = find_diag(&of[space], diag);
		if (!same)
			return 0;
		alike &= !strcmp(same->text, diag->text);
		if (strstr(same->text, " already decide"))
			shadowed = same;
	}
	if (shadowed)
		diag = shadowed;
	if (alike || shadowed || !rule)
		return tw_diags_add(diags, TW_SEV_WARNING, diag->line, diag->column, diag->hint,
			"%s", diag->text);
	return tw_diags_add(diags, TW_SEV_WARNING, diag->line, diag->column,
		"name addresses instead, or write network: NAME to limit it to one network",
		"rule %s can never match: its ends have no network in common", rule->info.name);
}

static int merge_spaces(
	const struct tw_policy *p, const struct tw_diags *of, struct tw_diags *diags)
{
	int err = 0;

	for (size_t space = 0; space < tw_spaces_n(p); space++)
		for (size_t i = 0; i < of[space].n && !err; i++) {
			const struct tw_diag *diag = &of[space].at[i];

			if (find_diag(diags, diag))
				continue;
			err = is_void(diag) ? add_void(p, of, diag, diags)
					    : tw_diags_add(diags, TW_SEV_WARNING, diag->line,
						      diag->column, diag->hint, "%s", diag->text);
		}
	tw_diags_sort(diags);
	return err;
}

int tw_policy_check(const struct tw_policy *policy, struct tw_diags *diags)
{
	size_t n = tw_spaces_n(policy);
	tw_autofree struct tw_diags *of = NULL;
	int err = 0;

	if (!policy->views)
		return check_view(policy, diags);
	of = tw_alloc_array(n, sizeof(*of));
	if (!of)
		return -ENOMEM;
	for (uint32_t space = 0; space < n && !err; space++)
		err = check_view(tw_spaces_view(policy, space), &of[space]);
	if (!err)
		err = merge_spaces(policy, of, diags);
	for (size_t i = 0; i < n; i++)
		tw_diags_done(&of[i]);
	return err;
}
