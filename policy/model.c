/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* model.c: makes a policy, empty or as a copy, and frees it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/model.h"

int tw_policy_new(uint64_t seed, struct tw_policy **ret)
{
	tw_auto(tw_policy) struct tw_policy *policy = tw_alloc(sizeof(*policy));

	if (!policy)
		return -ENOMEM;
	policy->refs = 1;
	policy->seed = seed;
	policy->names.seed = policy->service_names.seed = seed;
	policy->rule_names.seed = policy->tag_names.seed = policy->space_names.seed = seed;
	if (tw_sets_init(&policy->sets, seed, 0) < 0)
		return -ENOMEM;
	*ret = TW_TAKE_PTR(policy);
	return 0;
}

/* ---- copies ---- */

static void *copy_items(const void *items, size_t n, size_t size)
{
	void *copy = tw_alloc_array(n, size);

	if (copy && n)
		memcpy(copy, items, n * size);
	return copy;
}

/* Gives a vector that was copied as a struct its own items. */
#define own_vec(vec, err)                                                                        \
	do {                                                                                     \
		(vec)->at = *(err) ? NULL : copy_items((vec)->at, (vec)->n, sizeof(*(vec)->at)); \
		(vec)->max = (vec)->n;                                                           \
		if (!(vec)->at) {                                                                \
			(vec)->n = (vec)->max = 0;                                               \
			*(err) = -ENOMEM;                                                        \
		}                                                                                \
	} while (0)

static void own_index(struct tw_index *index, int *err)
{
	index->slots = *err ? NULL
			    : copy_items(index->slots, index->n_slots, sizeof(*index->slots));
	if (index->slots)
		return;
	*index = (struct tw_index){0};
	*err = -ENOMEM;
}

static void own_names(struct tw_names *names, int *err)
{
	own_vec(&names->all, err);
	own_index(&names->index, err);
}

int tw_policy_copy(const struct tw_policy *old, bool apart, struct tw_policy **ret)
{
	tw_auto(tw_policy) struct tw_policy *p = tw_alloc(sizeof(*p));
	int err = 0;

	if (!p)
		return -ENOMEM;
	/* Another thread may take a reference to `old` meanwhile. */
	memcpy((char *)p + sizeof(p->refs), (const char *)old + sizeof(old->refs),
		sizeof(*p) - sizeof(p->refs));
	p->refs = 1;
	p->arena = (struct tw_arena){0};
	p->sets.arena = (struct tw_arena){0};
	memset(p->kept, 0, sizeof(p->kept));
	tw_arena_share(apart ? &p->kept[0] : &p->arena, &old->arena);
	tw_arena_share(apart ? &p->kept[1] : &p->sets.arena, &old->sets.arena);
	own_vec(&p->sets.all, &err);
	own_index(&p->sets.index, &err);
	own_names(&p->names, &err);
	own_names(&p->service_names, &err);
	own_names(&p->tag_names, &err);
	own_names(&p->space_names, &err);
	p->views = NULL;
	own_vec(&p->networks, &err);
	own_vec(&p->services, &err);
	own_vec(&p->workloads, &err);
	own_vec(&p->nics, &err);
	own_vec(&p->groups, &err);
	own_vec(&p->owned, &err);
	own_index(&p->owned_index, &err);
	own_index(&p->port_index, &err);
	own_index(&p->mac_index, &err);
	own_vec(&p->text.said, &err);
	p->rules.at = NULL;
	p->rules.n = p->rules.max = 0;
	p->rule_names.all.at = NULL;
	p->rule_names.all.n = p->rule_names.all.max = 0;
	p->rule_names.index = (struct tw_index){0};
	if (!err)
		*ret = TW_TAKE_PTR(p);
	return err;
}

int tw_policy_copy_rules(struct tw_policy *policy, const struct tw_policy *old)
{
	int err = 0;

	memcpy(&policy->rules, &old->rules, sizeof(policy->rules));
	own_vec(&policy->rules, &err);
	policy->rule_names = old->rule_names;
	own_names(&policy->rule_names, &err);
	return err;
}

int tw_policy_said(struct tw_policy *policy, const struct tw_diag *diag)
{
	struct tw_said said = {.line = diag->line, .column = diag->column};

	said.text = tw_arena_strndup(&policy->arena, diag->text, strlen(diag->text));
	if (diag->hint)
		said.hint = tw_arena_strndup(&policy->arena, diag->hint, strlen(diag->hint));
	if (!said.text || (diag->hint && !said.hint))
		return -ENOMEM;
	return tw_vec_push(&policy->text.said, said);
}

const char *tw_policy_file_of(
	const struct tw_policy *policy, unsigned int line, unsigned int *ret_line)
{
	const struct tw_text_file *file = tw_files_at(&policy->text.files, line);

	*ret_line = file ? line - file->line : line;
	return file ? file->name : NULL;
}

struct tw_policy *tw_policy_ref(struct tw_policy *policy)
{
	policy->refs++;
	return policy;
}

void tw_policy_free(struct tw_policy *policy)
{
	if (!policy || --policy->refs)
		return;
	tw_spaces_done(policy);
	tw_vec_done(&policy->networks);
	tw_vec_done(&policy->services);
	tw_vec_done(&policy->workloads);
	tw_vec_done(&policy->nics);
	tw_vec_done(&policy->groups);
	tw_vec_done(&policy->rules);
	tw_vec_done(&policy->owned);
	tw_vec_done(&policy->text.said);
	tw_index_done(&policy->owned_index);
	tw_index_done(&policy->port_index);
	tw_index_done(&policy->mac_index);
	tw_names_done(&policy->names);
	tw_names_done(&policy->service_names);
	tw_names_done(&policy->rule_names);
	tw_names_done(&policy->tag_names);
	tw_names_done(&policy->space_names);
	tw_sets_done(&policy->sets);
	tw_arena_done(&policy->arena);
	tw_arena_done(&policy->kept[0]);
	tw_arena_done(&policy->kept[1]);
	free(policy);
}
