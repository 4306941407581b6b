/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/ends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/path/bytes.h"

#define ADDRS_MAX (TW_MEMBERS_MAX / 2) /* the table holds the members of two epochs */

/* A workload's single address. */
struct host {
	tw_u128 number;
	uint32_t n;
	struct tw_group_set set;
};

struct finder {
	const struct tw_policy *policy;
	TW_VEC(struct host) hosts;    /* ascending */
	TW_VEC(struct tw_range) wide; /* prefixes of routers */
	bool *told;		      /* by group: a rule names it in a list without `!` */
	struct tw_ranges fixed;	      /* scratch */
};

static void finder_done(struct finder *s)
{
	tw_vec_done(&s->hosts);
	tw_vec_done(&s->wide);
	free(s->told);
	tw_ranges_done(&s->fixed);
}

static int compare_hosts(const void *a, const void *b)
{
	const struct host *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static bool in_order(const struct finder *s)
{
	for (size_t i = 1; i < s->hosts.n; i++)
		if (s->hosts.at[i - 1].number > s->hosts.at[i].number)
			return false;
	return true;
}

static int list_hosts(struct finder *s, bool v4)
{
	int err = 0;

	for (size_t i = 0; i < s->policy->nics.n; i++) {
		const struct tw_vnic *vnic = &s->policy->nics.at[i].pub;

		for (size_t k = 0; k < vnic->n_prefixes && !err; k++) {
			struct host host = {.number = tw_set_number(&vnic->prefixes[k].addr)};
			struct tw_range wide = {host.number, tw_prefix_last(&vnic->prefixes[k])};

			if (tw_addr_is_v4(&vnic->prefixes[k].addr) == v4)
				err = vnic->prefixes[k].len == 128 ? tw_vec_push(&s->hosts, host)
								   : tw_vec_push(&s->wide, wide);
		}
	}
	return err;
}

/* Lists the hosts. A policy usually lists addresses of each family in order; then they need no
 * sorting. */
static int find_hosts(struct finder *s)
{
	size_t n = 0;
	int err = list_hosts(s, true);

	if (!err)
		err = list_hosts(s, false);
	if (!in_order(s))
		qsort(s->hosts.at, s->hosts.n, sizeof(*s->hosts.at), compare_hosts);
	for (size_t i = 0; i < s->hosts.n; i++)
		if (!i || s->hosts.at[i].number != s->hosts.at[n - 1].number)
			s->hosts.at[n++] = s->hosts.at[i];
	s->hosts.n = n;
	return err;
}

static bool takes_away(const struct tw_operands *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].negate)
			return true;
	return false;
}

static void find_told(struct finder *s, const struct tw_operands *list)
{
	if (takes_away(list))
		return;
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].kind == TW_OP_GROUP && list->at[i].index < UINT16_MAX)
			s->told[list->at[i].index] = true;
}

/* Addresses in a group's networks are fixed, even if a workload owns them. */
static int find_fixed(struct finder *s, const struct tw_group *group)
{
	int err = 0;

	s->fixed.n = 0;
	for (size_t i = 0; i < group->networks.n && !err; i++) {
		const struct tw_operand *operand = &group->networks.at[i];

		if (operand->kind == TW_OP_NETWORK)
			err = tw_ranges_add_all(
				&s->fixed, &s->policy->networks.at[operand->index].set->r);
		else
			err = tw_prefix_add_to(&operand->prefix, &s->fixed);
	}
	tw_ranges_sort(&s->fixed);
	return err;
}

/* Returns the index of the first host that is not below a number. */
static size_t seek(const struct finder *s, tw_u128 number)
{
	size_t low = 0, high = s->hosts.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->hosts.at[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int enter_group(struct finder *s, uint32_t g)
{
	const struct tw_group *group = &s->policy->groups.at[g];
	int err = find_fixed(s, group);

	for (size_t r = 0; r < group->set->r.n && !err; r++) {
		const struct tw_range *range = &group->set->r.at[r];

		for (size_t i = seek(s, range->lo);
			i < s->hosts.n && s->hosts.at[i].number <= range->hi; i++) {
			struct host *host = &s->hosts.at[i];

			if (tw_ranges_has(&s->fixed, host->number))
				continue;
			if (host->n < TW_GROUP_SET_MAX)
				host->set.number[host->n] = (uint16_t)(g + 1);
			host->n++;
		}
	}
	return err;
}

/* Lists the members of groups. Returns -E2BIG if the table cannot hold them. */
static int list_members(const struct finder *s, struct tw_members *ret)
{
	int err = 0;

	tw_vec_foreach (&s->hosts, host) {
		struct tw_member member = {.addr = tw_set_addr(host->number), .in = host->set};

		if (host->n && host->n <= TW_GROUP_SET_MAX && !err)
			err = tw_vec_push(&ret->all, member);
	}
	return !err && ret->all.n > ADDRS_MAX ? -E2BIG : err;
}

static int find_members(struct finder *s, struct tw_members *ret)
{
	const struct tw_policy *p = s->policy;
	int err;

	s->told = tw_alloc_array(p->groups.n, sizeof(*s->told));
	err = s->told ? find_hosts(s) : -ENOMEM;
	/* The table is by address, and a view shares addresses with others. */
	for (size_t i = 0; i + 1 < p->rules.n && !err && !p->is_view; i++) {
		find_told(s, &p->rules.at[i].from);
		find_told(s, &p->rules.at[i].to);
	}
	for (uint32_t g = 0; g < p->groups.n && !err; g++)
		if (s->told[g])
			err = enter_group(s, g);
	if (!err)
		err = list_members(s, ret);
	if (err != -E2BIG)
		return err;
	/* The table is too small: all addresses are fixed. */
	tw_members_done(ret);
	memset(s->told, 0, p->groups.n * sizeof(*s->told));
	return 0;
}

void tw_members_done(struct tw_members *members)
{
	tw_vec_done(&members->all);
}

int tw_policy_members(const struct tw_policy *policy, struct tw_members *ret)
{
	struct finder s = {.policy = policy};
	struct tw_members members = {0};
	int err = policy->views ? 0 : find_members(&s, &members);

	finder_done(&s);
	if (err)
		tw_members_done(&members);
	else
		*ret = members;
	return err;
}

/* ---- ends ---- */

struct maker {
	struct finder s;
	struct tw_ends *ends;
	const struct tw_set **plain_of; /* by group in the table of members */
	uint32_t host_family;		/* families of all hosts */
	const struct tw_end *
		*of_set; /* by set id of the policy: the end that consists of this set only */
	const struct tw_end *
		*of_group; /* by group in the table: the end that consists of this group only */
	struct tw_ranges scratch;
	TW_VEC(uint16_t) groups;
};

/* Makes the fixed part of a group: its networks, its routers, and hosts in too many groups. */
static int make_plain(struct maker *m, uint32_t g)
{
	const struct tw_set *all = m->s.policy->groups.at[g].set;
	int err = find_fixed(&m->s, &m->s.policy->groups.at[g]);

	tw_vec_foreach (&m->s.wide, wide) {
		struct tw_ranges one = {.at = wide, .n = 1};

		if (!err && tw_ranges_contain(&all->r, &one))
			err = tw_ranges_add(&m->s.fixed, wide->lo, wide->hi);
	}
	tw_vec_foreach (&m->s.hosts, host)
		if (!err && host->n > TW_GROUP_SET_MAX && tw_ranges_has(&all->r, host->number))
			err = tw_ranges_add(&m->s.fixed, host->number, host->number);
	tw_ranges_sort(&m->s.fixed);
	m->plain_of[g] = err ? NULL : tw_sets_intern(&m->ends->plain, &m->s.fixed);
	return m->plain_of[g] ? 0 : -ENOMEM;
}

static bool same_end(const void *owner, uint32_t value, const void *key)
{
	const struct tw_end *have = ((const struct tw_ends *)owner)->all.at[value], *want = key;

	return !memcmp(have->digest, want->digest, sizeof(have->digest)) && have->all == want->all;
}

/* Returns the interned end equal to `end`, with the groups collected so far. */
static int intern(struct maker *m, struct tw_end end, const struct tw_end **ret)
{
	struct tw_ends *ends = m->ends;
	struct tw_end *made;
	uint32_t found;

	end.n_groups = m->groups.n;
	end.family = end.plain->family | (end.n_groups ? m->host_family : 0);
	for (int lane = 0; lane < 2; lane++)
		end.digest[lane] = end.n_groups ? tw_table_hash(m->groups.at,
							  end.n_groups * sizeof(uint16_t),
							  end.plain->digest[lane] + end.family)
						: end.plain->digest[lane];
	found = tw_index_find(&ends->index, end.digest[0], same_end, ends, &end);
	if (found != TW_INDEX_NONE) {
		*ret = ends->all.at[found];
		return 0;
	}
	end.id = (uint32_t)ends->all.n;
	end.groups = tw_arena_copy(&ends->arena, m->groups.at, end.n_groups, sizeof(uint16_t));
	made = tw_arena_copy(&ends->arena, &end, 1, sizeof(end));
	if (!end.groups || !made || tw_vec_push(&ends->all, made) < 0)
		return -ENOMEM;
	*ret = made;
	return tw_index_add(&ends->index, end.digest[0], end.id);
}

static int compare_numbers(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static int add_plain(struct maker *m, const struct tw_operand *operand)
{
	const struct tw_policy *p = m->s.policy;

	switch (operand->kind) {
	case TW_OP_NETWORK:
		return tw_ranges_add_all(&m->scratch, &p->networks.at[operand->index].set->r);
	case TW_OP_WORKLOAD:
		return tw_ranges_add_all(&m->scratch, &p->workloads.at[operand->index].set->r);
	case TW_OP_GROUP:
		return tw_ranges_add_all(&m->scratch,
			m->s.told[operand->index] ? &m->plain_of[operand->index]->r
						  : &p->groups.at[operand->index].set->r);
	case TW_OP_PREFIX:
		return tw_prefix_add_to(&operand->prefix, &m->scratch);
	case TW_OP_ANY:
		break;
	}
	return tw_ranges_add(&m->scratch, 0, TW_U128_MAX);
}

/* Lists the group numbers in a list, each once. */
static int list_groups(struct maker *m, const struct tw_operands *list)
{
	size_t n = 0;
	int err = 0;

	m->groups.n = 0;
	if (takes_away(list))
		return 0;
	for (size_t i = 0; i < list->n && !err; i++)
		if (list->at[i].kind == TW_OP_GROUP && list->at[i].index < UINT16_MAX &&
			m->s.told[list->at[i].index])
			err = tw_vec_push(&m->groups, (uint16_t)(list->at[i].index + 1));
	if (m->groups.n > 1)
		qsort(m->groups.at, m->groups.n, sizeof(*m->groups.at), compare_numbers);
	for (size_t i = 0; i < m->groups.n; i++)
		if (!i || m->groups.at[i] != m->groups.at[n - 1])
			m->groups.at[n++] = m->groups.at[i];
	m->groups.n = n;
	return err;
}

static int make_end(struct maker *m, const struct tw_operands *list, const struct tw_set *all,
	const struct tw_end **ret)
{
	struct tw_end end = {.all = all, .plain = all};
	bool lone = list->n == 1 && list->at[0].kind == TW_OP_GROUP && !list->at[0].negate;
	int err;

	if (lone && m->of_group[list->at[0].index]) {
		*ret = m->of_group[list->at[0].index];
		return 0;
	}
	err = list_groups(m, list);
	if (!err && !m->groups.n) {
		if (!m->of_set[all->id])
			err = intern(m, end, &m->of_set[all->id]);
		*ret = m->of_set[all->id];
		return err;
	}
	if (lone) {
		end.plain = m->plain_of[list->at[0].index];
		if (!err)
			err = intern(m, end, ret);
		m->of_group[list->at[0].index] = err ? NULL : *ret;
		return err;
	}
	m->scratch.n = 0;
	for (size_t i = 0; i < list->n && !err; i++)
		err = add_plain(m, &list->at[i]);
	tw_ranges_sort(&m->scratch);
	end.plain = err ? NULL : tw_sets_intern(&m->ends->plain, &m->scratch);
	return end.plain ? intern(m, end, ret) : -ENOMEM;
}

static int make_all(struct maker *m)
{
	const struct tw_policy *p = m->s.policy;
	struct tw_ends *ends = m->ends;
	int err = find_members(&m->s, &ends->members);

	m->plain_of = tw_alloc_array(p->groups.n, sizeof(*m->plain_of));
	m->of_set = tw_alloc_array(p->sets.all.n, sizeof(*m->of_set));
	m->of_group = tw_alloc_array(p->groups.n, sizeof(*m->of_group));
	ends->of = tw_alloc_array(p->rules.n * 2, sizeof(*ends->of));
	if (!m->plain_of || !m->of_set || !m->of_group || !ends->of)
		return -ENOMEM;
	tw_vec_foreach (&m->s.hosts, host)
		m->host_family |= host->number >= TW_V4_FIRST && host->number <= TW_V4_LAST
					  ? TW_FAMILY_V4
					  : TW_FAMILY_V6;
	for (uint32_t g = 0; g < p->groups.n && !err; g++)
		if (m->s.told[g])
			err = make_plain(m, g);
	for (size_t i = 0; i + 1 < p->rules.n && !err; i++) {
		const struct tw_rule *rule = &p->rules.at[i];

		err = make_end(m, &rule->from, rule->from_set, &ends->of[i * 2]);
		if (!err)
			err = make_end(m, &rule->to, rule->to_set, &ends->of[i * 2 + 1]);
	}
	return err;
}

int tw_ends_make(struct tw_ends *ends, const struct tw_policy *policy)
{
	struct maker m = {.s = {.policy = policy}, .ends = ends};
	int err = tw_sets_init(&ends->plain, policy->seed, (uint32_t)policy->sets.all.n);

	if (!err)
		err = make_all(&m);
	finder_done(&m.s);
	free(m.plain_of);
	free(m.of_set);
	free(m.of_group);
	tw_ranges_done(&m.scratch);
	tw_vec_done(&m.groups);
	return err;
}

void tw_ends_done(struct tw_ends *ends)
{
	tw_arena_done(&ends->arena);
	tw_sets_done(&ends->plain);
	tw_members_done(&ends->members);
	tw_vec_done(&ends->all);
	tw_index_done(&ends->index);
	free(ends->of);
}
