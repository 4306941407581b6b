/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/propose_groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "policy/text.h"

#define LISTED_MAX 2  /* workloads that are listed rather than grouped */
#define LABEL_MAX  48 /* bytes of a name within another */

static void done_set(struct tw_groups_set *set)
{
	free(set->name);
	free(set->members);
}

void tw_groups_drafted_done(struct tw_groups_drafted *groups)
{
	tw_vec_foreach (&groups->sets, set)
		done_set(set);
	tw_vec_foreach (&groups->tags, set)
		done_set(set);
	tw_vec_done(&groups->sets);
	tw_vec_done(&groups->tags);
	tw_buf_done(&groups->text);
}

/* ---- sets ---- */

static bool same_members(const struct tw_groups_set *set, const uint32_t *members, size_t n)
{
	return set->n == n && !memcmp(set->members, members, n * sizeof(*members));
}

static const char *find_group(
	const struct tw_groups_drafted *groups, const uint32_t *members, size_t n)
{
	tw_vec_foreach (&groups->sets, set)
		if (same_members(set, members, n))
			return set->name;
	return NULL;
}

/* Makes a set with copies of a name and of members. */
static int add_set(const char *name, const uint32_t *members, size_t n, struct tw_groups_set *ret)
{
	struct tw_groups_set set = {.name = tw_strdup(name),
		.members = tw_alloc_array(n ? n : 1, sizeof(*members)),
		.n = n};

	if (!set.name || !set.members) {
		done_set(&set);
		return -ENOMEM;
	}
	if (n)
		memcpy(set.members, members, n * sizeof(*members));
	*ret = set;
	return 0;
}

#define PUSH_SET(vec, name, members, n)                            \
	({                                                         \
		struct tw_groups_set set_;                         \
		int ret_ = add_set((name), (members), (n), &set_); \
		if (!ret_ && tw_vec_push((vec), set_) < 0) {       \
			done_set(&set_);                           \
			ret_ = -ENOMEM;                            \
		}                                                  \
		ret_;                                              \
	})

/* Collects the members of a group of the policy, if it has workloads only. */
static int add_known(struct tw_groups_drafted *groups, size_t index, uint32_t *members)
{
	const struct tw_policy *policy = groups->policy;
	const struct tw_group *group = &policy->groups.at[index];
	size_t n = 0;

	if (group->networks.n)
		return 0;
	for (uint32_t w = 0; w < policy->workloads.n; w++) {
		bool member = tw_policy_selects(group, &policy->workloads.at[w]);

		for (size_t i = 0; i < group->workloads.n && !member; i++)
			member = group->workloads.at[i].index == w;
		if (member)
			members[n++] = w;
	}
	return PUSH_SET(&groups->sets, group->name, members, n);
}

static bool has_tag(const struct tw_workload *workload, uint32_t tag)
{
	for (size_t i = 0; i < workload->n_tags; i++)
		if (workload->tags[i] == tag)
			return true;
	return false;
}

static int add_tag(struct tw_groups_drafted *groups, uint32_t tag, uint32_t *members)
{
	const struct tw_policy *policy = groups->policy;
	size_t n = 0;

	for (uint32_t w = 0; w < policy->workloads.n; w++)
		if (has_tag(&policy->workloads.at[w], tag))
			members[n++] = w;
	if (!n)
		return 0;
	return PUSH_SET(&groups->tags, policy->tag_names.all.at[tag].text, members, n);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(
		((const struct tw_groups_set *)a)->name, ((const struct tw_groups_set *)b)->name);
}

/* ---- new groups ---- */

static bool is_taken(const struct tw_groups_drafted *groups, const char *name)
{
	tw_vec_foreach (&groups->sets, set)
		if (!strcmp(set->name, name))
			return true;
	return tw_names_find(&groups->policy->names, name) || !strcmp(name, "any") ||
	       !strcmp(name, "default");
}

/* Turns a text into a free name of a group: tags have characters that names do not have. */
static void make_name(
	const struct tw_groups_drafted *groups, const char *text, char *ret, size_t max)
{
	struct tw_prefix prefix;
	bool host_bits;
	size_t len;

	snprintf(ret, max, "%.*s", LABEL_MAX * 2, text);
	for (char *c = ret; *c; c++)
		if (strchr(":/=@+ &", *c))
			*c = '-';
	if (!tw_text_is_name(ret) || !tw_text_prefix(ret, &prefix, &host_bits))
		snprintf(ret, max, "tag-%.*s", LABEL_MAX, text);
	len = strlen(ret);
	for (unsigned int n = 1; is_taken(groups, ret); n++)
		snprintf(ret + len, max - len, n == 1 ? "-group" : "-group-%u", n);
}

static int add_new(struct tw_groups_drafted *groups, const char *label, const char *tags,
	const uint32_t *members, size_t n)
{
	char name[TW_NAME_MAX + 1];

	make_name(groups, label, name, sizeof(name));
	tw_buf_adds(&groups->text, "  ");
	tw_text_yaml_print(name, &groups->text);
	if (tags) {
		tw_buf_addf(&groups->text, ": {tags: \"%s\"}\n", tags);
	} else {
		tw_buf_adds(&groups->text, ": {workloads: [");
		for (size_t i = 0; i < n; i++) {
			tw_buf_adds(&groups->text, i ? ", " : "");
			tw_text_yaml_print(
				groups->policy->workloads.at[members[i]].name, &groups->text);
		}
		tw_buf_adds(&groups->text, "]}\n");
	}
	if (groups->text.failed)
		return -ENOMEM;
	return PUSH_SET(&groups->sets, name, members, n);
}

/* True if two tags together select exactly the members. */
static bool select_together(const struct tw_groups_set *a, const struct tw_groups_set *b,
	const uint32_t *members, size_t n)
{
	size_t found = 0;

	for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
		if (a->members[i] == b->members[j]) {
			if (found == n || a->members[i] != members[found])
				return false;
			found++;
			i++;
			j++;
		} else if (a->members[i] < b->members[j]) {
			i++;
		} else {
			j++;
		}
	}
	return found == n;
}

/* Makes a group by tags for a set. Returns 1 if no tags select it, 0, or -ENOMEM. */
static int add_by_tags(struct tw_groups_drafted *groups, const uint32_t *members, size_t n)
{
	char both[2 * TW_NAME_MAX + 4], label[2 * LABEL_MAX + 8];

	tw_vec_foreach (&groups->tags, tag)
		if (same_members(tag, members, n))
			return add_new(groups, tag->name, tag->name, members, n);
	tw_vec_foreach (&groups->tags, a) {
		if (a->n <= n)
			continue;
		for (struct tw_groups_set *b = a + 1; b < groups->tags.at + groups->tags.n; b++) {
			if (b->n <= n || !select_together(a, b, members, n))
				continue;
			snprintf(both, sizeof(both), "%s & %s", a->name, b->name);
			snprintf(label, sizeof(label), "%.*s-and-%.*s", LABEL_MAX / 2, a->name,
				LABEL_MAX / 2, b->name);
			return add_new(groups, label, both, members, n);
		}
	}
	return 1;
}

/* Fills the workloads at a rule's end, in ascending order, and returns their number. */
static size_t members_of(const struct tw_propose_rule *rule, enum tw_dir dir, uint32_t *members)
{
	size_t n = 0;

	tw_vec_foreach (&rule->end[dir], end)
		if (end->workload != TW_INDEX_NONE)
			members[n++] = end->workload;
	return n;
}

static int add_for_end(struct tw_groups_drafted *groups, const struct tw_propose_rule *rule,
	enum tw_dir dir, uint32_t *members)
{
	size_t n = members_of(rule, dir, members);
	const struct tw_propose_service *service = &rule->services.at[0];
	char name[40], label[64];
	int ret;

	if (n < 2 || find_group(groups, members, n))
		return 0;
	ret = add_by_tags(groups, members, n);
	if (ret <= 0 || n <= LISTED_MAX)
		return ret < 0 ? ret : 0;
	tw_propose_label(service, name, sizeof(name));
	snprintf(label, sizeof(label), "%s-%s", name, dir == TW_DIR_OUT ? "clients" : "servers");
	return add_new(groups, label, NULL, members, n);
}

/* Makes the group that rules exclude from prefixes that are wider than what was seen. */
static int add_guests(struct tw_groups_drafted *groups, uint32_t *members)
{
	const struct tw_policy *policy = groups->policy;
	size_t n = 0;
	int ret;

	for (uint32_t w = 0; w < policy->workloads.n; w++)
		if (!tw_propose_is_router(policy, w) &&
			(policy->workloads.at[w].learns || policy->workloads.at[w].set->r.n))
			members[n++] = w;
	if (!n)
		return 0;
	if (n == policy->workloads.n) {
		char name[TW_NAME_MAX + 1];

		make_name(groups, "guests", name, sizeof(name));
		tw_buf_addf(&groups->text, "  %s: {workloads: [\"*\"]}\n", name);
		ret = PUSH_SET(&groups->sets, name, members, n);
	} else {
		ret = add_new(groups, "guests", NULL, members, n);
	}
	if (!ret)
		groups->guests = groups->sets.at[groups->sets.n - 1].name;
	return ret;
}

static bool has_wide(const struct tw_propose *propose)
{
	tw_vec_foreach (&propose->rules, rule)
		for (int dir = 0; dir < TW_DIR__MAX; dir++)
			if (tw_propose_is_wide(&rule->end[dir].at[0]))
				return true;
	return false;
}

int tw_groups_drafted_make(struct tw_groups_drafted *groups, const struct tw_propose *propose)
{
	const struct tw_policy *policy = propose->policy;
	tw_autofree uint32_t *members = tw_alloc_array(policy->workloads.n + 1, sizeof(*members));
	int ret = members ? 0 : -ENOMEM;

	groups->policy = policy;
	for (size_t i = 0; i < policy->groups.n && !ret; i++)
		ret = add_known(groups, i, members);
	for (uint32_t tag = 0; tag < policy->tag_names.all.n && !ret; tag++)
		ret = add_tag(groups, tag, members);
	if (groups->tags.n)
		qsort(groups->tags.at, groups->tags.n, sizeof(*groups->tags.at), compare_names);
	tw_vec_foreach (&propose->rules, rule)
		for (int dir = 0; dir < TW_DIR__MAX && !ret; dir++)
			ret = add_for_end(groups, rule, (enum tw_dir)dir, members);
	return ret || !has_wide(propose) ? ret : add_guests(groups, members);
}

const char *tw_groups_drafted_of(
	const struct tw_groups_drafted *groups, const struct tw_propose_rule *rule, enum tw_dir dir)
{
	tw_autofree uint32_t *members = tw_alloc_array(rule->end[dir].n + 1, sizeof(*members));
	size_t n = members ? members_of(rule, dir, members) : 0;

	return n > 1 ? find_group(groups, members, n) : NULL;
}
