/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* compile.c: from lowered rules to the image of one port (fastpath/abi/image.h).
 *
 * Projection: of each rule only what can concern the port is kept: its local addresses are cut to
 *             those that concern.c lists. A rule that is left without any gives no entry. Addresses
 *             beyond get the default. Where the default allows, refusing rules towards the guest
 *             are kept uncut, so that a frame for somebody else is not let in by the cutting.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/diag.h"
#include "policy/image.h"
#include "policy/model.h"

#define IMAGE_LINES_MAX ((size_t)1 << 20) /* 64 MiB */
#define WORDS_PER_LINE	(TW_IMAGE_LINE / sizeof(uint64_t))

/* The entries of one direction; one array a dimension, so that each can be swept by itself. */
struct entries {
	TW_VEC(const struct tw_set *) set[TW_DIM__MAX];
	TW_VEC(uint32_t) decisions;
};

struct compiler {
	const struct tw_policy *policy;
	const struct tw_vnic *vnic;
	const uint32_t *slots;
	struct tw_sets cuts;	   /* local sets, cut; their ids follow those of the policy's */
	const struct tw_set **cut; /* by id of the policy's set; NULL: not cut yet */
	struct tw_ranges concern;
	struct tw_ranges scratch;
	struct entries entries[TW_DIR__MAX];
	struct tw_dimension dimension[TW_DIR__MAX][TW_DIM__MAX];
};

static void compiler_done(struct compiler *c)
{
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		for (int dim = 0; dim < TW_DIM__MAX; dim++) {
			tw_vec_done(&c->entries[dir].set[dim]);
			tw_dimension_done(&c->dimension[dir][dim]);
		}
		tw_vec_done(&c->entries[dir].decisions);
	}
	tw_sets_done(&c->cuts);
	tw_ranges_done(&c->concern);
	tw_ranges_done(&c->scratch);
	free(c->cut);
}

static uint32_t decision_of(const struct compiler *c, size_t number)
{
	const struct tw_rule_info *info = &c->policy->rules.at[number].info;

	return tw_decision(info->action, info->log, c->slots ? c->slots[number] : (uint32_t)number);
}

/* The part of a policy's set that concerns the port, as a set of `cuts`. */
static const struct tw_set *cut(struct compiler *c, const struct tw_set *set)
{
	if (c->cut[set->id])
		return c->cut[set->id];
	if (tw_ranges_and(&set->r, &c->concern, &c->scratch) < 0)
		return NULL;
	c->cut[set->id] = tw_sets_intern(&c->cuts, &c->scratch);
	return c->cut[set->id];
}

/* One more than an image takes: enough to know that it does not. */
static bool is_full(const struct entries *e)
{
	return e->decisions.n > TW_IMAGE_ENTRIES_MAX;
}

static int push_entry(struct entries *e, const struct tw_set *remote, const struct tw_set *local,
	const struct tw_cell *cell, uint32_t decision)
{
	const struct tw_set *sets[TW_DIM__MAX] = {
		[TW_DIM_REMOTE] = remote,
		[TW_DIM_LOCAL] = local,
		[TW_DIM_PROTO] = cell->keys,
		[TW_DIM_SPORT] = cell->sports,
	};
	int err = tw_vec_push(&e->decisions, decision);

	for (int dim = 0; dim < TW_DIM__MAX && !err; dim++)
		err = tw_vec_push(&e->set[dim], sets[dim]);
	return err;
}

static int add_rule(struct compiler *c, enum tw_dir dir, size_t number, bool whole)
{
	const struct tw_rule *rule = &c->policy->rules.at[number];
	const struct tw_set *mine = dir == TW_DIR_OUT ? rule->from_set : rule->to_set;
	const struct tw_set *remote = dir == TW_DIR_OUT ? rule->to_set : rule->from_set;
	const struct tw_set *local = whole ? tw_sets_intern(&c->cuts, &mine->r) : cut(c, mine);
	int err = local ? 0 : -ENOMEM;

	if (err || !(local->family & remote->family))
		return err;
	for (size_t i = 0; i < rule->cells->n_joined && !err && !is_full(&c->entries[dir]); i++)
		err = push_entry(&c->entries[dir], remote, local, &rule->cells->joined[i],
			decision_of(c, number));
	return err;
}

/* Nothing after an entry that matches everything here can ever match. */
static bool ends_list(const struct compiler *c, const struct entries *e)
{
	size_t last = e->decisions.n - 1;
	const struct tw_set *everything = c->policy->sets.everything;

	return e->decisions.n && e->set[TW_DIM_REMOTE].at[last] == everything &&
	       e->set[TW_DIM_PROTO].at[last] == everything &&
	       e->set[TW_DIM_SPORT].at[last] == everything &&
	       tw_ranges_contain(&e->set[TW_DIM_LOCAL].at[last]->r, &c->concern);
}

static int project(struct compiler *c, enum tw_dir dir)
{
	const struct tw_policy *p = c->policy;
	size_t n_rules = tw_policy_n_rules(p);
	bool guarded_default = dir == TW_DIR_IN && p->rules.at[n_rules].info.action == TW_V_ALLOW;
	int err;

	c->concern.n = 0;
	err = tw_vnic_concern(c->vnic, dir, &c->concern);
	memset(c->cut, 0, p->sets.all.n * sizeof(*c->cut));
	for (size_t i = 0; i < n_rules && !err; i++) {
		const struct tw_rule_info *info = &p->rules.at[i].info;
		bool whole = guarded_default && info->action != TW_V_ALLOW;

		if (!(dir == TW_DIR_OUT ? info->at_out : info->at_in))
			continue;
		err = add_rule(c, dir, i, whole);
		if (is_full(&c->entries[dir]))
			break;
		if (!err && (whole || !guarded_default) && ends_list(c, &c->entries[dir]))
			break;
	}
	return err;
}

static int too_many(const struct compiler *c, enum tw_dir dir, struct tw_diags *diags)
{
	const struct tw_nic *nic = &c->policy->nics.at[c->vnic->index];
	int err = tw_diags_add(diags, TW_SEV_ERROR, nic->line, 1,
		"join rules by naming groups, networks and services in them",
		"workload %s: more than %u rule entries concern its port (%s), and no more are possible",
		c->vnic->workload, TW_IMAGE_ENTRIES_MAX, dir == TW_DIR_OUT ? "out" : "in");

	return err ? err : -E2BIG;
}

static int too_large(const struct compiler *c, struct tw_diags *diags)
{
	const struct tw_nic *nic = &c->policy->nics.at[c->vnic->index];
	int err = tw_diags_add(diags, TW_SEV_ERROR, nic->line, 1,
		"join rules by naming groups, networks and services in them",
		"workload %s: the rules of its port tell too many addresses or ports apart",
		c->vnic->workload);

	return err ? err : -E2BIG;
}

static size_t lines_for(size_t n, size_t per_line)
{
	return (n + per_line - 1) / per_line;
}

static size_t vector_lines(const struct entries *e)
{
	return lines_for(e->decisions.n, TW_IMAGE_LINE * 8);
}

static int build_dimensions(struct compiler *c, enum tw_dir dir, struct tw_diags *diags)
{
	struct entries *e = &c->entries[dir];
	size_t n_ids = c->policy->sets.all.n + c->cuts.all.n;
	int err = 0;

	if (is_full(e))
		return too_many(c, dir, diags);
	for (int dim = 0; dim < TW_DIM__MAX && !err && e->decisions.n; dim++)
		err = tw_dimension_build(&c->dimension[dir][dim], e->set[dim].at, e->decisions.n,
			n_ids, vector_lines(e) * WORDS_PER_LINE, IMAGE_LINES_MAX * WORDS_PER_LINE);
	return err == -E2BIG ? too_large(c, diags) : err;
}

static bool is_address(int dim)
{
	return dim == TW_DIM_REMOTE || dim == TW_DIM_LOCAL;
}

/* Gives every section of a direction its lines, from *next on. */
static void lay_out(struct compiler *c, enum tw_dir dir, size_t *next, struct tw_image_dir *ret)
{
	const struct entries *e = &c->entries[dir];

	ret->fallback = decision_of(c, tw_policy_n_rules(c->policy));
	ret->n_entries = (uint32_t)e->decisions.n;
	if (!ret->n_entries)
		return;
	ret->vector_lines = (uint32_t)vector_lines(e);
	for (int dim = 0; dim < TW_DIM__MAX; dim++) {
		const struct tw_dimension *d = &c->dimension[dir][dim];
		struct tw_image_dim_ref *ref = &ret->dim[dim];

		ref->keys = (uint32_t)*next;
		ref->n_keys = (uint32_t)d->keys.n;
		*next += lines_for(d->keys.n, is_address(dim) ? TW_IMAGE_ADDR_KEYS_PER_LINE
							      : TW_IMAGE_WORD_KEYS_PER_LINE);
		*next += lines_for(d->keys.n, TW_IMAGE_WORD_KEYS_PER_LINE);
		ref->vectors = (uint32_t)*next;
		*next += d->n_classes * ret->vector_lines;
	}
	ret->entries = (uint32_t)*next;
	*next += lines_for(e->decisions.n, TW_IMAGE_WORD_KEYS_PER_LINE);
}

static void write_dimension(const struct tw_dimension *d, bool address,
	const struct tw_image_dim_ref *ref, struct tw_image_line *lines)
{
	struct tw_image_line *keys = lines + ref->keys;
	size_t per_line = address ? TW_IMAGE_ADDR_KEYS_PER_LINE : TW_IMAGE_WORD_KEYS_PER_LINE;
	struct tw_image_line *classes = keys + lines_for(d->keys.n, per_line);

	for (size_t i = 0; i < d->keys.n; i++) {
		struct tw_image_line *line = &keys[i / per_line];

		if (address) {
			line->d[i % per_line * 2] = (uint64_t)(d->keys.at[i] >> 64);
			line->d[i % per_line * 2 + 1] = (uint64_t)d->keys.at[i];
		} else {
			line->w[i % per_line] = (uint32_t)d->keys.at[i];
		}
		classes[i / TW_IMAGE_WORD_KEYS_PER_LINE].w[i % TW_IMAGE_WORD_KEYS_PER_LINE] =
			d->classes.at[i];
	}
	memcpy(lines + ref->vectors, d->vectors.at, d->vectors.n * sizeof(*d->vectors.at));
}

static int write_image(struct compiler *c, struct tw_image **ret, struct tw_diags *diags)
{
	struct tw_image_dir dirs[TW_DIR__MAX] = {0};
	tw_auto(tw_image) struct tw_image *image = tw_alloc(sizeof(*image));
	size_t n_lines = 1 + TW_DIR__MAX;
	struct tw_image_head head = {.magic = TW_IMAGE_MAGIC};

	if (!image)
		return -ENOMEM;
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX; dir++)
		lay_out(c, dir, &n_lines, &dirs[dir]);
	if (n_lines > IMAGE_LINES_MAX)
		return too_large(c, diags);
	image->n_lines = n_lines;
	image->lines = tw_alloc_array(n_lines, sizeof(*image->lines));
	if (!image->lines)
		return -ENOMEM;
	head.n_lines = (uint32_t)n_lines;
	memcpy(&image->lines[0], &head, sizeof(head));
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		const struct entries *e = &c->entries[dir];

		memcpy(&image->lines[1 + dir], &dirs[dir], sizeof(dirs[dir]));
		image->n_entries[dir] = e->decisions.n;
		if (!e->decisions.n)
			continue;
		for (int dim = 0; dim < TW_DIM__MAX; dim++)
			write_dimension(&c->dimension[dir][dim], is_address(dim),
				&dirs[dir].dim[dim], image->lines);
		memcpy(&image->lines[dirs[dir].entries], e->decisions.at,
			e->decisions.n * sizeof(*e->decisions.at));
	}
	*ret = TW_TAKE_PTR(image);
	return 0;
}

int tw_policy_compile(const struct tw_policy *policy, const struct tw_vnic *vnic,
	const uint32_t *slots, struct tw_image **ret, struct tw_diags *diags)
{
	struct compiler c = {.policy = policy, .vnic = vnic, .slots = slots};
	int err = tw_sets_init(&c.cuts, policy->seed, (uint32_t)policy->sets.all.n);

	c.cut = tw_alloc_array(policy->sets.all.n, sizeof(*c.cut));
	if (!c.cut)
		err = -ENOMEM;
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++) {
		err = project(&c, dir);
		if (!err)
			err = build_dimensions(&c, dir, diags);
	}
	if (!err)
		err = write_image(&c, ret, diags);
	compiler_done(&c);
	return err;
}

void tw_image_free(struct tw_image *image)
{
	if (!image)
		return;
	free(image->lines);
	free(image);
}
