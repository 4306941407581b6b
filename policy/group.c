/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* group.c: the members of a group, by name, and the number of its addresses. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "policy/model.h"
#include "policy/text.h"

static_assert(TW_GROUP_TEXT_MAX >= TW_PREFIX_TEXT_MAX, "a prefix fits");

/* Returns the number of addresses in a set, at most UINT64_MAX. */
static uint64_t count_addresses(const struct tw_set *set)
{
	tw_u128 n = 0;

	for (size_t i = 0; i < set->r.n; i++) {
		tw_u128 more = set->r.at[i].hi - set->r.at[i].lo;

		if (more >= UINT64_MAX || n + more + 1 >= UINT64_MAX)
			return UINT64_MAX;
		n += more + 1;
	}
	return (uint64_t)n;
}

static bool is_named(const struct tw_group *group, size_t workload)
{
	for (size_t i = 0; i < group->workloads.n; i++)
		if (group->workloads.at[i].index == workload)
			return true;
	return false;
}

bool tw_group_has(const struct tw_group *group, const struct tw_workload *workload, uint32_t number)
{
	return is_named(group, number) || tw_policy_selects(group, workload);
}

static void list_workloads(
	const struct tw_policy *p, const struct tw_group *group, struct tw_group_info *info)
{
	for (size_t i = 0; i < p->workloads.n; i++) {
		const struct tw_workload *workload = &p->workloads.at[i];

		if (is_named(group, i) || tw_policy_selects(group, workload))
			info->workloads[info->n_workloads++] = workload->name;
	}
}

static void list_networks(
	const struct tw_policy *p, const struct tw_group *group, struct tw_group_info *info)
{
	for (size_t i = 0; i < group->networks.n; i++) {
		const struct tw_operand *operand = &group->networks.at[i];
		char *text = info->texts[i];

		if (operand->kind == TW_OP_NETWORK)
			info->networks[i] = p->networks.at[operand->index].name;
		else
			info->networks[i] = tw_prefix_format(&operand->prefix, text);
	}
	info->n_networks = group->networks.n;
}

int tw_policy_group(const struct tw_policy *p, size_t index, struct tw_group_info *ret)
{
	const struct tw_group *group = &p->groups.at[index];
	struct tw_group_info info = {
		.name = group->name,
		.n_addresses = count_addresses(group->set),
		.workloads = tw_alloc_array(p->workloads.n, sizeof(char *)),
		.networks = tw_alloc_array(group->networks.n, sizeof(char *)),
		.texts = tw_alloc_array(group->networks.n, sizeof(*info.texts)),
	};

	if (!info.workloads || !info.networks || !info.texts) {
		tw_group_info_done(&info);
		return -ENOMEM;
	}
	list_workloads(p, group, &info);
	list_networks(p, group, &info);
	*ret = info;
	return 0;
}

void tw_group_info_done(struct tw_group_info *info)
{
	free(info->workloads);
	free(info->networks);
	free(info->texts);
	*info = (struct tw_group_info){0};
}
