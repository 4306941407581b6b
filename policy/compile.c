/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* compile.c: compiles a layout to the words of an image. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/diag.h"
#include "policy/layout.h"
#include "policy/named.h"
#include "policy/views.h"

/* Largest size of a view's cells; a larger view uses vectors. */
#define CELL_WORDS_MAX ((size_t)16 * 1024 * 1024) /* 64 MiB */

#define LOCAL_MEMBERS_MAX ((size_t)1024 * 1024)

#define HEAD_WORDS (sizeof(struct tw_image_head) / 4)
#define DIR_WORDS  (sizeof(struct tw_image_dir) / 4)
#define VIEW_WORDS (sizeof(struct tw_image_view) / 4)

/* ---- the compiler ---- */

/* Numbers the sets in the rules' from and to. */
static int find_locals(struct tw_compiler *c)
{
	const struct tw_policy *p = c->policy;
	int err = 0;

	for (size_t i = 0; i < tw_policy_n_rules(p) && !err; i++) {
		const struct tw_rule *rule = &p->rules.at[i];
		const struct tw_set *ends[] = {
			rule->from_set, rule->to_set, rule->from_port.set, rule->to_port.set};

		for (int e = 0; e < 4 && !err; e++) {
			if (!ends[e] || c->local_of[ends[e]->id])
				continue;
			err = tw_vec_push(&c->locals, ends[e]);
			c->local_of[ends[e]->id] = (uint32_t)c->locals.n;
		}
	}
	return err;
}

/* True if a set contains multicast addresses, and no range of them extends beyond multicast. */
static bool names_multicast(const struct tw_set *set)
{
	static const struct tw_range multicast[] = {
		{(tw_u128)0xffffe0000000, (tw_u128)0xffffefffffff}, /* 224.0.0.0/4 */
		{(tw_u128)0xff << 120, TW_U128_MAX},		    /* ff00::/8 */
	};
	bool names = false;

	for (int f = 0; f < 2; f++) {
		const struct tw_range *all = &multicast[f];
		size_t i = tw_ranges_seek(&set->r, all->lo);

		if (i < set->r.n && set->r.at[i].lo < all->lo)
			return false;
		for (; i < set->r.n && set->r.at[i].lo <= all->hi; i++) {
			if (set->r.at[i].hi > all->hi)
				return false;
			names = true;
		}
	}
	return names;
}

static int add_rule(
	struct tw_compiler *c, enum tw_dir dir, uint32_t number, const struct tw_rule *rule)
{
	const struct tw_set *mine = dir == TW_DIR_OUT ? rule->from_set : rule->to_set;
	const struct tw_end *remote = c->ends.of[(size_t)number * 2 + (dir == TW_DIR_OUT)];
	const struct tw_set *everything = c->policy->sets.everything;
	const struct tw_rule_at at = {.number = number,
		.local = c->local_of[mine->id] - 1,
		.family = mine->family & remote->family,
		.allows = rule->info.action == TW_V_ALLOW,
		.named = dir == TW_DIR_OUT && names_multicast(rule->to_set),
		.wide = remote->plain == everything && rule->cells->n_joined &&
			rule->cells->joined[0].keys == everything &&
			rule->cells->joined[0].sports == everything};

	return tw_vec_push(&c->rules[dir].all, at);
}

/* Lists, for each set of local addresses, the rules that use it. */
static int sort_by_local(struct tw_rules_at *rules, size_t n_locals)
{
	uint32_t sum = 0;

	rules->first = tw_alloc_array(n_locals + 2, sizeof(*rules->first));
	rules->of = tw_alloc_array(rules->all.n, sizeof(*rules->of));
	rules->picked = tw_alloc_array(rules->all.n / 64 + 1, sizeof(*rules->picked));
	rules->near = tw_alloc_array(rules->all.n / 64 + 1, sizeof(*rules->near));
	if (!rules->first || !rules->of || !rules->picked || !rules->near)
		return -ENOMEM;
	/* Offsets start one place too high; filling the lists moves them down. */
	tw_vec_foreach (&rules->all, at)
		rules->first[at->local + 2]++;
	for (size_t i = 2; i < n_locals + 2; i++) {
		sum += rules->first[i];
		rules->first[i] = sum;
	}
	for (uint32_t i = 0; i < rules->all.n; i++)
		rules->of[rules->first[rules->all.at[i].local + 1]++] = i;
	return 0;
}

static int list_rules(struct tw_compiler *c)
{
	const struct tw_policy *p = c->policy;
	int err = 0;

	for (uint32_t i = 0; i < tw_policy_n_rules(p) && !err; i++) {
		const struct tw_rule *rule = &p->rules.at[i];

		if (rule->info.at_out)
			err = add_rule(c, TW_DIR_OUT, i, rule);
		if (rule->info.at_in && !err)
			err = add_rule(c, TW_DIR_IN, i, rule);
	}
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++)
		err = sort_by_local(&c->rules[dir], c->locals.n);
	return err;
}

/* Cuts the address space at the bounds of local sets. If sets overlap so much that the lists of
 * each class would be long, no lists are made. */
static int cut_locals(struct tw_compiler *c, int f)
{
	struct tw_partition_limits limits = {
		.bounds = 4 * TW_POLICY_RANGES_MAX, .members = LOCAL_MEMBERS_MAX};
	tw_u128 lo = f ? 0 : TW_V4_FIRST, hi = f ? TW_U128_MAX : TW_V4_LAST;
	int err = tw_partition_make(&c->local[f], c->locals.at, c->locals.n, lo, hi, &limits);

	c->listed[f] = err != -E2BIG;
	if (err == -E2BIG) {
		tw_partition_done(&c->local[f]);
		c->local[f] = (struct tw_partition){0};
		limits.members = 0;
		err = tw_partition_make(&c->local[f], c->locals.at, c->locals.n, lo, hi, &limits);
	}
	if (err)
		return err;
	c->memo[f] = tw_alloc_array(c->local[f].n_classes, sizeof(*c->memo[f]));
	return c->memo[f] ? 0 : -ENOMEM;
}

/* Makes a compiler for each address space. */
static int make_spaces(struct tw_compiler *c)
{
	int err = 0;

	c->spaces = tw_alloc_array(tw_spaces_n(c->policy), sizeof(struct tw_compiler *));
	if (!c->spaces)
		return -ENOMEM;
	for (; c->n_spaces < tw_spaces_n(c->policy) && !err; c->n_spaces++)
		err = tw_compiler_new(tw_spaces_view(c->policy, (uint32_t)c->n_spaces), c->slots,
			&c->spaces[c->n_spaces]);
	return err;
}

int tw_compiler_new(const struct tw_policy *policy, const uint32_t *slots, struct tw_compiler **ret)
{
	tw_auto(tw_compiler) struct tw_compiler *c = tw_alloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->policy = policy;
	c->slots = slots;
	if (policy->views) {
		err = make_spaces(c);
		if (!err)
			*ret = TW_TAKE_PTR(c);
		return err;
	}
	err = tw_ends_make(&c->ends, policy);
	if (!err)
		err = tw_sets_init(&c->cuts, policy->seed,
			(uint32_t)(policy->sets.all.n + c->ends.plain.all.n));
	c->local_of = tw_alloc_array(policy->sets.all.n, sizeof(*c->local_of));
	c->cut = tw_alloc_array(policy->sets.all.n, sizeof(*c->cut));
	if (!c->local_of || !c->cut)
		err = -ENOMEM;
	if (!err)
		err = find_locals(c);
	if (!err)
		err = list_rules(c);
	for (int f = 0; f < 2 && !err; f++)
		err = cut_locals(c, f);
	if (!err)
		err = tw_named_init(c);
	if (!err)
		*ret = TW_TAKE_PTR(c);
	return err;
}

void tw_compiler_follow(struct tw_compiler *compiler, const struct tw_compiler *old)
{
	const struct tw_compiler *from = old->spaces ? old->spaces[0] : old;

	for (size_t i = 0; i < compiler->n_spaces; i++)
		tw_compiler_follow(compiler->spaces[i], from);
	if (compiler->spaces)
		return;
	if (!compiler->views && from->views)
		compiler->views = tw_views_ref(from->views);
	compiler->n_words = from->n_words;
}

const struct tw_members *tw_compiler_members(const struct tw_compiler *compiler)
{
	return &compiler->ends.members;
}

void tw_compiler_free(struct tw_compiler *compiler)
{
	if (!compiler)
		return;
	for (size_t i = 0; i < compiler->n_spaces; i++)
		tw_compiler_free(compiler->spaces[i]);
	free(compiler->spaces);
	tw_views_free(compiler->views);
	tw_sets_done(&compiler->cuts);
	tw_ends_done(&compiler->ends);
	tw_vec_done(&compiler->locals);
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		tw_vec_done(&compiler->rules[dir].all);
		free(compiler->rules[dir].first);
		free(compiler->rules[dir].of);
		free(compiler->rules[dir].picked);
		free(compiler->rules[dir].near);
	}
	for (int f = 0; f < 2; f++) {
		tw_partition_done(&compiler->local[f]);
		free(compiler->memo[f]);
	}
	tw_named_done(compiler);
	free(compiler->local_of);
	free(compiler->cut);
	tw_ranges_done(&compiler->scratch);
	free(compiler);
}

/* ---- one image ---- */

struct maker {
	struct tw_compiler *c;
	const struct tw_layout *layout;
	struct tw_words words;
	struct tw_entries entries; /* entries of the current view */
	struct tw_image *image;
	struct tw_diags *diags;
};

static int too_large(const struct maker *m, enum tw_dir dir, size_t n_entries)
{
	const struct tw_vnic *vnic = m->layout->vnic;
	const struct tw_nic *nic = &m->c->policy->nics.at[vnic->index];
	const char *hint = "merge rules by using groups, networks and services in them";
	const char *direction = dir == TW_DIR_OUT ? "out" : "in";
	int err;

	if (n_entries > TW_IMAGE_ENTRIES_MAX)
		err = tw_diags_add(m->diags, TW_SEV_ERROR, nic->line, 1, hint,
			"workload %s: %zu rule entries concern its port (%s); they do not fit cells, and vectors hold at most %u",
			vnic->workload, n_entries, direction, TW_IMAGE_ENTRIES_MAX);
	else
		err = tw_diags_add(m->diags, TW_SEV_ERROR, nic->line, 1, hint,
			"workload %s: the rules of its port (%s) distinguish too many addresses or ports",
			vnic->workload, direction);
	return err ? err : -E2BIG;
}

/* Replaces groups by their current members, because vectors have no groups. */
static void resolve_groups(struct maker *m, struct tw_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++) {
		struct tw_entry *entry = &entries->at[i];

		if (!entry->remote)
			continue;
		m->image->resolved |= entry->remote->n_groups != 0;
		entry->set[TW_DIM_REMOTE] = entry->remote->all;
		entry->remote = NULL;
	}
}

/* Builds one view: of cells if they fit, otherwise of vectors. */
static int build_view(struct maker *m, enum tw_dir dir, const struct tw_layout_view *from,
	const struct tw_view_key *key, struct tw_view_built *ret)
{
	struct tw_engine_input in = {.entries = &m->entries,
		.family = from->family,
		.fallback = key->fallback,
		.n_ids = m->c->policy->sets.all.n + m->c->ends.plain.all.n + m->c->ends.all.n +
			 m->c->cuts.all.n,
		.words_max = CELL_WORDS_MAX};
	size_t before = m->words.v.n;
	int err = tw_layout_entries(m->c, dir, from, &m->entries);

	if (err)
		return err;
	m->words.links.n = 0;
	err = from->kind == TW_VIEW_CLASS ? tw_cells_build(&m->words, &in, &ret->view, &ret->facts)
					  : -E2BIG;
	if (!err)
		tw_views_keep(m->c->views, key, &m->words, before, ret);
	if (err != -E2BIG)
		return err;
	m->words.v.n = before;
	in.words_max = TW_WORDS_MAX;
	resolve_groups(m, &m->entries);
	err = tw_vectors_build(&m->words, &in, &ret->view, &ret->facts);
	return err == -E2BIG ? too_large(m, dir, m->entries.n) : err;
}

static const char *why_vectors(const struct tw_image_facts *facts)
{
	if (facts->engine == TW_ENGINE_CELLS)
		return NULL;
	return facts->wide ? "its local addresses fall into many classes"
			   : "cells would take more than 64 MiB";
}

/* Adds one view: a copy of an equal one, or a new one. */
static int make_view(struct maker *m, enum tw_dir dir, const struct tw_layout_view *from,
	struct tw_image_view *ret)
{
	struct tw_view_key key = {.entries = {from->key[0], from->key[1]},
		.family = from->family,
		.fallback = m->words.v.at[HEAD_WORDS + (size_t)dir * DIR_WORDS]};
	struct tw_image_facts *facts = &m->image->views[m->image->n_views];
	struct tw_view_built built = {0};
	uint32_t at;
	int err = tw_words_add(&m->words, 0, TW_VIEW_ALIGN, &at);

	if (!err)
		err = from->kind == TW_VIEW_CLASS
			      ? tw_views_copy(m->c->views, &key, &m->words, &built)
			      : -ENOENT;
	if (err == -ENOENT)
		err = build_view(m, dir, from, &key, &built);
	if (err)
		return err;
	*facts = (struct tw_image_facts){
		.dir = dir, .family = from->family, .wide = from->kind != TW_VIEW_CLASS};
	facts->engine = built.view.engine;
	facts->why = why_vectors(facts);
	facts->n_entries = built.view.n_entries;
	memcpy(facts->classes, built.facts.classes, sizeof(facts->classes));
	facts->services = built.facts.services;
	facts->rows = built.facts.rows;
	facts->groups = built.facts.groups;
	facts->bytes = (m->words.v.n - at) * 4;
	m->image->n_views++;
	*ret = built.view;
	return 0;
}

static int make_locals(struct maker *m, const struct tw_layout_side *side, struct tw_image_dir *dir)
{
	int err = 0;

	for (int f = 0; f < 2 && !err; f++)
		err = tw_tree_add_addrs(&m->words, side->keys[f].at, side->values[f].at,
			side->keys[f].n, f ? TW_FAMILY_V6 : TW_FAMILY_V4, &dir->local[f]);
	return err;
}

static int make_side(struct maker *m, enum tw_dir dir, uint32_t views)
{
	const struct tw_layout_side *side = &m->layout->side[dir];
	size_t head = HEAD_WORDS + (size_t)dir * DIR_WORDS, n_rules = m->c->policy->rules.n - 1;
	const struct tw_rule_info *info = &m->c->policy->rules.at[n_rules].info;
	struct tw_image_dir d = {.views = views,
		.n_views = (uint32_t)side->views.n + 1,
		.n_entries = (uint32_t)side->n_entries};
	int err;

	d.fallback = tw_decision(
		info->action, info->log, m->c->slots ? m->c->slots[n_rules] : (uint32_t)n_rules);
	m->words.v.at[head] = d.fallback;
	memcpy(d.own, side->own, sizeof(d.own));
	memcpy(d.broadcast, side->broadcast, sizeof(d.broadcast));
	m->image->n_entries[dir] = side->n_entries;
	err = make_locals(m, side, &d);
	for (size_t i = 0; i < side->views.n && !err; i++) {
		struct tw_image_view view = {0};

		err = make_view(m, dir, &side->views.at[i], &view);
		if (!err)
			memcpy(m->words.v.at + views + (i + 1) * VIEW_WORDS, &view, sizeof(view));
	}
	if (!err)
		memcpy(m->words.v.at + head, &d, sizeof(d));
	return err;
}

static int make(struct maker *m)
{
	const struct tw_layout_side *side = m->layout->side;
	size_t n_views = side[TW_DIR_OUT].views.n + side[TW_DIR_IN].views.n;
	struct tw_image_head head = {.magic = TW_IMAGE_MAGIC};
	uint32_t at, views[TW_DIR__MAX];
	int err = tw_words_add(&m->words, HEAD_WORDS + TW_DIR__MAX * DIR_WORDS, 16, &at);

	m->image->views = tw_alloc_array(n_views, sizeof(*m->image->views));
	if (!m->image->views)
		return -ENOMEM;
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++)
		err = tw_words_add(
			&m->words, (side[dir].views.n + 1) * VIEW_WORDS, VIEW_WORDS, &views[dir]);
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++)
		err = make_side(m, dir, views[dir]);
	if (err)
		return err;
	head.n_words = (uint32_t)m->words.v.n;
	memcpy(m->words.v.at, &head, sizeof(head));
	return 0;
}

int tw_layout_compile(struct tw_compiler *compiler, const struct tw_layout *layout,
	struct tw_image **ret, struct tw_diags *diags)
{
	struct tw_compiler *c = tw_compiler_of(compiler, layout->vnic->space);
	tw_auto(tw_image) struct tw_image *image = tw_alloc(sizeof(*image));
	struct maker m = {.c = c,
		.layout = layout,
		.words = {.max = TW_WORDS_MAX},
		.image = image,
		.diags = diags};
	int err = image ? 0 : -ENOMEM;

	if (!err && !c->views)
		err = tw_views_new(&c->views);
	/* Reserves the expected size, so that the image is not moved while it grows. */
	if (!err)
		err = tw_vec_reserve_(
			(void **)&m.words.v.at, &m.words.v.max, c->n_words, sizeof(*m.words.v.at));
	if (!err)
		err = tw_named_enter(c, layout->vnic);
	if (!err)
		err = make(&m);
	tw_vec_done(&m.words.links);
	tw_vec_done(&m.entries);
	if (err) {
		tw_vec_done(&m.words.v);
		return err == -E2BIG && !diags->n_errors ? too_large(&m, TW_DIR_IN, 0) : err;
	}
	image->words = m.words.v.at;
	image->n_words = c->n_words = m.words.v.n;
	*ret = TW_TAKE_PTR(image);
	return 0;
}

int tw_policy_compile(const struct tw_policy *policy, const struct tw_vnic *vnic,
	const uint32_t *slots, struct tw_image **ret, struct tw_diags *diags)
{
	tw_auto(tw_compiler) struct tw_compiler *compiler = NULL;
	tw_auto(tw_layout) struct tw_layout *layout = NULL;
	int err = tw_compiler_new(policy, slots, &compiler);

	if (!err)
		err = tw_layout_new(compiler, vnic, &layout);
	return err ? err : tw_layout_compile(compiler, layout, ret, diags);
}

void tw_image_free(struct tw_image *image)
{
	if (!image)
		return;
	free(image->words);
	free(image->views);
	free(image);
}
