/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/path/bytes.h"
#include "policy/named.h"
#include "policy/pick.h"

/* Maximum number of ranges of local addresses for which a port's rules are found by class. A port
 * with more tests each set. */
#define NEAR_STRETCHES_MAX 64

static tw_u128 family_lo(uint32_t family)
{
	return family == TW_FAMILY_V4 ? TW_V4_FIRST : 0;
}

static tw_u128 family_hi(uint32_t family)
{
	return family == TW_FAMILY_V4 ? TW_V4_LAST : TW_U128_MAX;
}

static bool is_guarded_default(const struct tw_compiler *c, enum tw_dir dir)
{
	return dir == TW_DIR_IN &&
	       c->policy->rules.at[tw_policy_n_rules(c->policy)].info.action == TW_V_ALLOW;
}

/* ---- entries of a view ---- */

/* Returns the decision of a rule, by its number, or of the default. */
static uint32_t decision_of(const struct tw_compiler *c, size_t number)
{
	const struct tw_rule_info *info = &c->policy->rules.at[number].info;

	return tw_decision(info->action, info->log, c->slots ? c->slots[number] : (uint32_t)number);
}

static const struct tw_set *cut(
	struct tw_compiler *c, const struct tw_set *set, const struct tw_ranges *to)
{
	if (c->cut[set->id])
		return c->cut[set->id];
	if (tw_ranges_and(&set->r, to, &c->scratch) < 0)
		return NULL;
	c->cut[set->id] = tw_sets_intern(&c->cuts, &c->scratch);
	return c->cut[set->id];
}

static bool is_all(const struct tw_compiler *c, const struct tw_set *set, uint32_t family)
{
	struct tw_range v6[] = {
		{.lo = 0, .hi = TW_V4_FIRST - 1}, {.lo = TW_V4_LAST + 1, .hi = TW_U128_MAX}};
	struct tw_range v4 = {.lo = TW_V4_FIRST, .hi = TW_V4_LAST};
	struct tw_ranges all = {
		.at = family == TW_FAMILY_V4 ? &v4 : v6, .n = family == TW_FAMILY_V4 ? 1 : 2};

	return set == c->policy->sets.everything || tw_ranges_contain(&set->r, &all);
}

/* True if the entry matches everything here, so that no later entry can match. */
static bool ends_list(
	const struct tw_compiler *c, const struct tw_layout_view *view, const struct tw_entries *e)
{
	const struct tw_set *everything = c->policy->sets.everything;
	const struct tw_entry *last = &e->at[e->n - 1];

	return e->n && last->set[TW_DIM_PROTO] == everything &&
	       last->set[TW_DIM_SPORT] == everything &&
	       is_all(c, last->set[TW_DIM_REMOTE], view->family) &&
	       (view->kind == TW_VIEW_CLASS ||
		       (view->kind == TW_VIEW_WIDE &&
			       tw_ranges_contain(&last->set[TW_DIM_LOCAL]->r, &view->ranges)));
}

static int add_rule(struct tw_compiler *c, enum tw_dir dir, const struct tw_layout_view *view,
	size_t index, struct tw_entries *ret)
{
	const size_t number = c->rules[dir].all.at[index].number;
	const struct tw_rule *rule = &c->policy->rules.at[number];
	const struct tw_set *mine = tw_named_local(c, dir, index);
	const struct tw_end *remote = c->ends.of[number * 2 + (dir == TW_DIR_OUT)];
	struct tw_entry entry = {
		.decision = decision_of(c, number) |
			    (c->rules[dir].all.at[index].named ? TW_DECISION_NAMED : 0)};
	int err = 0;

	/* Vectors have no groups. */
	entry.set[TW_DIM_REMOTE] = remote->all;
	if (view->kind == TW_VIEW_CLASS) {
		entry.remote = remote;
		entry.set[TW_DIM_REMOTE] = remote->plain;
	}
	entry.set[TW_DIM_LOCAL] = c->policy->sets.everything;
	if (view->kind == TW_VIEW_WIDE) {
		entry.set[TW_DIM_LOCAL] = cut(c, mine, &view->ranges);
		if (!entry.set[TW_DIM_LOCAL])
			return -ENOMEM;
		if (!entry.set[TW_DIM_LOCAL]->r.n)
			return 0;
	}
	if (view->kind == TW_VIEW_BEYOND)
		entry.set[TW_DIM_LOCAL] = mine;
	for (size_t i = 0; i < rule->cells->n_joined && !err; i++) {
		entry.set[TW_DIM_PROTO] = rule->cells->joined[i].keys;
		entry.set[TW_DIM_SPORT] = rule->cells->joined[i].sports;
		err = tw_vec_push(ret, entry);
	}
	return err;
}

int tw_layout_entries(struct tw_compiler *c, enum tw_dir dir, const struct tw_layout_view *view,
	struct tw_entries *ret)
{
	struct tw_rules_at *rules = &c->rules[dir];
	const struct tw_rule_at *at;
	size_t next = 0;
	int err = 0;

	ret->n = 0;
	if (view->kind == TW_VIEW_WIDE)
		memset(c->cut, 0, c->policy->sets.all.n * sizeof(*c->cut));
	tw_pick_for_view(c, dir, view);
	while (!err && (at = tw_pick_next(rules, rules->picked, &next))) {
		size_t n = ret->n;

		if (!(tw_pick_families(c, dir, next - 1) & view->family) ||
			(view->kind == TW_VIEW_BEYOND && at->allows))
			continue;
		err = add_rule(c, dir, view, next - 1, ret);
		if (ret->n > n && ends_list(c, view, ret))
			break;
	}
	tw_pick_clear(rules, rules->picked);
	return err;
}

static void hash_entries(const struct tw_entries *entries, uint64_t key[2])
{
	key[0] = entries->n;
	key[1] = ~entries->n;
	for (size_t i = 0; i < entries->n; i++) {
		const struct tw_entry *e = &entries->at[i];

		for (int lane = 0; lane < 2; lane++) {
			uint64_t words[TW_DIM__MAX + 1] = {[TW_DIM__MAX] = e->decision};

			for (int dim = 0; dim < TW_DIM__MAX; dim++)
				words[dim] = e->set[dim]->digest[lane];
			if (e->remote)
				words[TW_DIM_REMOTE] = e->remote->digest[lane];
			key[lane] = tw_table_hash(words, sizeof(words), key[lane]);
		}
	}
}

/* ---- views of a side ---- */

static int key_view(
	struct tw_compiler *c, enum tw_dir dir, struct tw_layout_view *view, bool *ret_empty)
{
	struct tw_class_memo *memo = NULL;
	struct tw_entries entries = {0};
	int err;

	if (view->kind == TW_VIEW_CLASS && !c->named[dir].rules.n)
		memo = &c->memo[tw_family_index(view->family)][view->class];
	if (memo && memo->known[dir]) {
		memcpy(view->key, memo->key[dir], sizeof(view->key));
		*ret_empty = memo->empty[dir];
		return 0;
	}
	err = tw_layout_entries(c, dir, view, &entries);
	hash_entries(&entries, view->key);
	*ret_empty = !entries.n;
	if (memo && !err) {
		memo->known[dir] = true;
		memo->empty[dir] = !entries.n;
		memcpy(memo->key[dir], view->key, sizeof(view->key));
	}
	tw_vec_done(&entries);
	return err;
}

/* Adds a view and takes over its ranges. Returns its number, the number of an equal view, or 0
 * if it has no rule. */
static int add_view(struct tw_compiler *c, struct tw_layout *layout, enum tw_dir dir,
	struct tw_layout_view view, uint32_t *ret)
{
	struct tw_layout_side *side = &layout->side[dir];
	bool empty = false;
	int err = key_view(c, dir, &view, &empty);

	*ret = 0;
	for (size_t i = 0; i < side->views.n && !*ret; i++)
		if (side->views.at[i].kind == view.kind &&
			side->views.at[i].family == view.family &&
			!memcmp(side->views.at[i].key, view.key, sizeof(view.key)))
			*ret = (uint32_t)i + 1;
	if (!err && !empty && !*ret) {
		err = tw_vec_push(&side->views, view);
		*ret = (uint32_t)side->views.n;
		if (!err)
			return 0;
	}
	tw_ranges_done(&view.ranges);
	return err;
}

/* A range of local addresses of one class. */
struct stretch {
	tw_u128 lo;
	tw_u128 hi;
	uint32_t class;
	bool own;
	uint32_t view;
};

struct stretches {
	struct stretch *at;
	size_t n;
	size_t max;
};

/* Cuts ranges at the bounds of local classes. */
static int add_stretches(const struct tw_partition *partition, const struct tw_ranges *ranges,
	bool own, struct stretches *ret)
{
	int err = 0;

	for (size_t i = 0; i < ranges->n; i++) {
		size_t k = tw_partition_find(partition, ranges->at[i].lo);
		struct stretch stretch = {.lo = ranges->at[i].lo, .own = own};

		for (; k < partition->keys.n && partition->keys.at[k] <= ranges->at[i].hi && !err;
			k++) {
			bool last = k + 1 == partition->keys.n ||
				    partition->keys.at[k + 1] > ranges->at[i].hi;

			stretch.hi = last ? ranges->at[i].hi : partition->keys.at[k + 1] - 1;
			stretch.class = partition->classes.at[k];
			err = tw_vec_push(ret, stretch);
			stretch.lo = stretch.hi + 1;
		}
	}
	return err;
}

static int compare_stretches(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Finds the port's own addresses of a family, and its other local addresses. */
static int find_stretches(struct tw_compiler *c, const struct tw_vnic *vnic, enum tw_dir dir,
	uint32_t family, struct stretches *ret)
{
	const struct tw_partition *partition = &c->local[tw_family_index(family)];
	struct tw_range whole = {.lo = family_lo(family), .hi = family_hi(family)};
	struct tw_range v4 = {.lo = TW_V4_FIRST, .hi = TW_V4_LAST};
	struct tw_ranges in_family = {.at = &whole, .n = 1}, no_v4 = {.at = &v4, .n = 1};
	struct tw_ranges own = {0}, concern = {0}, part = {0}, rest = {0};
	int err = tw_vnic_concern(vnic, dir, &concern);

	for (size_t i = 0; i < vnic->n_prefixes && !err; i++)
		err = tw_prefix_add_to(&vnic->prefixes[i], &own);
	tw_ranges_sort(&own);
	if (!err)
		err = tw_ranges_and(&own, &in_family, &part);
	if (!err && family == TW_FAMILY_V6)
		err = tw_ranges_minus(&part, &no_v4, &own);
	if (!err)
		err = add_stretches(partition, family == TW_FAMILY_V6 ? &own : &part, true, ret);
	if (!err && family == TW_FAMILY_V4)
		err = tw_ranges_and(&part, &in_family, &own);
	if (!err)
		err = tw_ranges_minus(&concern, &own, &rest);
	if (!err)
		err = tw_ranges_and(&rest, &in_family, &part);
	if (!err && family == TW_FAMILY_V6)
		err = tw_ranges_minus(&part, &no_v4, &rest);
	if (!err)
		err = add_stretches(partition, family == TW_FAMILY_V6 ? &rest : &part, false, ret);
	if (!err && ret->n)
		qsort(ret->at, ret->n, sizeof(*ret->at), compare_stretches);
	tw_ranges_done(&own);
	tw_ranges_done(&concern);
	tw_ranges_done(&part);
	tw_ranges_done(&rest);
	return err;
}

/* Returns the number of classes of own or of other addresses, or TW_LAYOUT_CLASSES_MAX + 1 if
 * there are more than the maximum. */
static size_t count_classes(const struct stretches *s, bool own)
{
	uint32_t seen[TW_LAYOUT_CLASSES_MAX + 1];
	size_t n = 0;

	for (size_t i = 0; i < s->n && n <= TW_LAYOUT_CLASSES_MAX; i++) {
		size_t k = 0;

		if (s->at[i].own != own)
			continue;
		while (k < n && seen[k] != s->at[i].class)
			k++;
		if (k == n)
			seen[n++] = s->at[i].class;
	}
	return n;
}

/* Assigns views to the ranges: one for each class, or one for all. */
static int view_stretches(struct tw_compiler *c, struct tw_layout *layout, enum tw_dir dir,
	uint32_t family, struct stretches *s, bool own, bool all)
{
	bool wide = count_classes(s, own) > TW_LAYOUT_CLASSES_MAX;
	struct tw_layout_view view = {
		.kind = wide ? TW_VIEW_WIDE : TW_VIEW_CLASS, .family = family};
	uint32_t number = 0;
	int err = 0;

	for (size_t i = 0; wide && i < s->n && !err; i++)
		if (all || s->at[i].own == own)
			err = tw_ranges_add(&view.ranges, s->at[i].lo, s->at[i].hi);
	tw_ranges_sort(&view.ranges);
	if (wide && !err)
		err = add_view(c, layout, dir, view, &number);
	for (size_t i = 0; i < s->n && !err; i++) {
		if (!all && s->at[i].own != own)
			continue;
		if (!wide) {
			view.class = s->at[i].class;
			err = add_view(c, layout, dir, view, &number);
		}
		s->at[i].view = number;
	}
	return err;
}

/* ---- how a side finds its views ---- */

/* Returns the view that all inline addresses of a family share; 0 if they differ. */
static uint32_t common_view(const struct tw_port *port, const struct stretches *s, uint32_t family)
{
	uint32_t view = 0;

	for (size_t i = 0; i < port->n_addrs; i++) {
		tw_u128 number = tw_set_number(&port->addr[i]);

		if (tw_addr_is_v4(&port->addr[i]) != (family == TW_FAMILY_V4))
			continue;
		for (size_t k = 0; k < s->n; k++) {
			if (number < s->at[k].lo || number > s->at[k].hi)
				continue;
			if (!s->at[k].view || (view && view != s->at[k].view))
				return 0;
			view = s->at[k].view;
		}
	}
	return view;
}

static uint32_t view_at(const struct stretches *s, tw_u128 number)
{
	size_t low = 0, high = s->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (s->at[middle].lo <= number)
			low = middle;
		else
			high = middle;
	}
	return s->n && s->at[low].lo <= number && number <= s->at[low].hi ? s->at[low].view : 0;
}

/* Returns the number of low bits in which two addresses differ, as the fast path counts them
 * (tw_local_broadcast() in path/classify.h). */
static uint32_t broadcast_bits(uint32_t own, uint32_t addr)
{
	return own == addr ? 0 : 32 - (uint32_t)__builtin_clz(own ^ addr);
}

/* Returns the address by which directed broadcasts are recognized, or 0 if there is none. */
static uint32_t first_v4(const struct tw_port *port)
{
	for (size_t i = 0; i < port->n_addrs; i++)
		if (tw_addr_is_v4(&port->addr[i]))
			return (uint32_t)tw_set_number(&port->addr[i]);
	return 0;
}

/* Fills the table that gives directed broadcasts their view. Widths that cannot occur for the
 * address copy their neighbours, so that ports with other addresses have the same table. */
static void fill_broadcasts(
	const struct tw_port *port, const struct stretches *s, struct tw_layout_side *side)
{
	uint8_t *table = side->broadcast;
	bool set[sizeof(side->broadcast)] = {false};
	uint32_t own = first_v4(port);

	for (uint32_t bits = 2; own && bits <= TW_LOCAL_BITS_MAX; bits++) {
		uint32_t addr = own | ((1u << bits) - 1), k = broadcast_bits(own, addr);

		set[k] = true;
		table[k] = (uint8_t)view_at(s, TW_V4_FIRST | addr);
	}
	set[0] = false;
	for (uint32_t k = TW_LOCAL_BITS_MAX; k-- > 0;)
		if (!set[k])
			table[k] = table[k + 1];
	for (uint32_t k = 1; k <= TW_LOCAL_BITS_MAX; k++)
		if (!set[k] && !table[k])
			table[k] = table[k - 1];
}

/* True if the fast path finds the view of this range without the tree. */
static bool is_implied(
	const struct tw_port *port, const struct tw_layout_side *side, const struct stretch *s)
{
	uint32_t own = first_v4(port), bits, mask;

	if (s->lo != s->hi)
		return false;
	for (size_t i = 0; i < port->n_addrs; i++)
		if (tw_set_number(&port->addr[i]) == s->lo)
			return side->own[!tw_addr_is_v4(&port->addr[i])] != 0;
	if (!own || s->lo < TW_V4_FIRST || s->lo > TW_V4_LAST)
		return false;
	bits = broadcast_bits(own, (uint32_t)s->lo);
	mask = bits > 2 ? (uint32_t)((1ull << bits) - 1) : 3;
	return bits <= TW_LOCAL_BITS_MAX && ((uint32_t)s->lo & mask) == mask &&
	       side->broadcast[bits];
}

static int push_local(struct tw_layout_side *side, int f, tw_u128 key, uint32_t view)
{
	int err;

	if (side->values[f].n && side->values[f].at[side->values[f].n - 1] == view)
		return 0;
	err = tw_vec_push(&side->keys[f], key);
	return err ? err : tw_vec_push(&side->values[f], view);
}

static int fill_tree(const struct tw_port *port, const struct stretches *s, uint32_t family,
	uint32_t beyond, struct tw_layout_side *side)
{
	tw_u128 next = family_lo(family);
	int f = tw_family_index(family), err = 0;
	bool ended = false;

	for (size_t i = 0; i < s->n && !err; i++) {
		const struct stretch *at = &s->at[i];

		if (is_implied(port, side, at))
			continue;
		if (at->lo > next)
			err = push_local(side, f, next, beyond);
		if (!err)
			err = push_local(side, f, at->lo, at->view);
		next = at->hi + 1;
		ended = at->hi == family_hi(family);
	}
	return err || ended ? err : push_local(side, f, next, beyond);
}

static int make_family(
	struct tw_compiler *c, struct tw_layout *layout, enum tw_dir dir, uint32_t family)
{
	struct tw_layout_side *side = &layout->side[dir];
	struct tw_port port = {0};
	struct stretches s = {0};
	uint32_t beyond = 0;
	bool all;
	int err = find_stretches(c, layout->vnic, dir, family, &s);

	side->near_known &= c->listed[tw_family_index(family)] && s.n <= NEAR_STRETCHES_MAX;
	for (size_t i = 0; i < s.n && side->near_known; i++)
		tw_pick_class(c, dir, tw_family_index(family), s.at[i].class, c->rules[dir].near);
	tw_policy_fill_port(layout->vnic, &port);
	all = count_classes(&s, true) > TW_LAYOUT_CLASSES_MAX;
	if (!err)
		err = view_stretches(c, layout, dir, family, &s, true, all);
	if (!err && !all)
		err = view_stretches(c, layout, dir, family, &s, false, false);
	if (!err && is_guarded_default(c, dir))
		err = add_view(c, layout, dir,
			(struct tw_layout_view){.kind = TW_VIEW_BEYOND, .family = family}, &beyond);
	if (!err && !layout->vnic->any) {
		side->own[tw_family_index(family)] = common_view(&port, &s, family);
		if (family == TW_FAMILY_V4 && dir == TW_DIR_IN)
			fill_broadcasts(&port, &s, side);
	}
	if (!err)
		err = fill_tree(&port, &s, family, beyond, side);
	tw_vec_done(&s);
	return err;
}

/* Counts rules times services that can concern the port in this direction, up to a rule after
 * which nothing can match. */
static int count_entries(struct tw_compiler *c, struct tw_layout *layout, enum tw_dir dir)
{
	struct tw_rules_at *rules = &c->rules[dir];
	struct tw_ranges concern = {0};
	const struct tw_rule_at *at;
	size_t next = 0;
	int err = tw_vnic_concern(layout->vnic, dir, &concern);

	if (!err)
		tw_pick_near(c, dir, &concern, layout->side[dir].near_known);
	while (!err && (at = tw_pick_next(rules, rules->near, &next))) {
		if (tw_pick_families(c, dir, next - 1))
			layout->side[dir].n_entries +=
				c->policy->rules.at[at->number].cells->n_joined;
		if (at->wide && tw_ranges_contain(&tw_named_local(c, dir, next - 1)->r, &concern))
			break;
	}
	tw_ranges_done(&concern);
	return err;
}

/* ---- the key of a layout ---- */

static void hash_side(const struct tw_layout_side *side, uint64_t key[2])
{
	for (int lane = 0; lane < 2; lane++) {
		uint64_t hash = tw_table_hash(
			side->own, sizeof(side->own), key[lane] + 1 + (uint64_t)lane);

		hash = tw_table_hash(side->broadcast, sizeof(side->broadcast), hash);
		for (size_t i = 0; i < side->views.n; i++) {
			uint64_t words[3] = {side->views.at[i].kind, side->views.at[i].family,
				side->views.at[i].key[lane]};

			hash = tw_table_hash(words, sizeof(words), hash);
		}
		for (int f = 0; f < 2; f++) {
			hash = tw_table_hash(
				side->keys[f].at, side->keys[f].n * sizeof(tw_u128), hash);
			hash = tw_table_hash(
				side->values[f].at, side->values[f].n * sizeof(uint32_t), hash);
		}
		key[lane] = hash;
	}
}

int tw_layout_new(struct tw_compiler *compiler, const struct tw_vnic *vnic, struct tw_layout **ret)
{
	struct tw_compiler *c = tw_compiler_of(compiler, vnic->space);
	tw_auto(tw_layout) struct tw_layout *layout = tw_alloc(sizeof(*layout));
	int err = layout ? 0 : -ENOMEM;

	if (!err)
		err = tw_named_enter(c, vnic);
	if (!err)
		layout->vnic = vnic;
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !err; dir++) {
		tw_pick_clear(&c->rules[dir], c->rules[dir].near);
		layout->side[dir].near_known = true;
		err = make_family(c, layout, dir, TW_FAMILY_V4);
		if (!err)
			err = make_family(c, layout, dir, TW_FAMILY_V6);
		if (!err)
			err = count_entries(c, layout, dir);
		if (!err)
			hash_side(&layout->side[dir], layout->key.word);
	}
	for (int lane = 0; lane < 2 && !err; lane++) {
		uint32_t fallback = decision_of(c, tw_policy_n_rules(c->policy));

		layout->key.word[lane] = tw_table_hash(
			&fallback, sizeof(fallback), layout->key.word[lane]);
	}
	if (!err)
		*ret = TW_TAKE_PTR(layout);
	return err;
}

struct tw_image_key tw_layout_resolved_key(
	const struct tw_compiler *compiler, const struct tw_layout *layout)
{
	struct tw_image_key key = layout->key;

	tw_vec_foreach (&tw_compiler_of(compiler, layout->vnic->space)->ends.all, end)
		for (int lane = 0; lane < 2; lane++)
			key.word[lane] = tw_table_hash(&(*end)->all->digest[lane],
				sizeof((*end)->all->digest[lane]), key.word[lane]);
	return key;
}

bool tw_layout_is_resolved(const struct tw_layout *layout)
{
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		tw_vec_foreach (&layout->side[dir].views, view)
			if (view->kind != TW_VIEW_CLASS)
				return true;
	return false;
}

const struct tw_image_key *tw_layout_key(const struct tw_layout *layout)
{
	return &layout->key;
}

void tw_layout_free(struct tw_layout *layout)
{
	if (!layout)
		return;
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		struct tw_layout_side *side = &layout->side[dir];

		tw_vec_foreach (&side->views, view)
			tw_ranges_done(&view->ranges);
		tw_vec_done(&side->views);
		for (int f = 0; f < 2; f++) {
			tw_vec_done(&side->keys[f]);
			tw_vec_done(&side->values[f]);
		}
	}
	free(layout);
}
