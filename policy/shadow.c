/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/shadow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/diag.h"
#include "policy/near.h"

#define PAIRS_MAX ((size_t)300 * 1000 * 1000) /* pairs of rules looked at */
#define STEPS_MAX ((size_t)50 * 1000 * 1000)  /* ranges visited by set operations */
#define NAMED_MAX 3			      /* shadowing rules named in a warning */

enum axis { AXIS_FROM, AXIS_TO, AXIS_KEYS, AXIS_SPORTS, AXIS__MAX };

/* A product of four sets, of one address family. */
struct piece {
	const struct tw_set *axis[AXIS__MAX];
	uint32_t family;
};

struct pieces {
	struct piece *at;
	size_t n;
	size_t max;
};

struct tw_shadow {
	const struct tw_policy *policy;
	struct tw_diags *diags;
	struct tw_sets sets; /* sets of the pieces */
	struct tw_near near; /* earlier rules that may have something in common */
	const struct tw_rule *current;
	struct pieces pieces;
	struct pieces cut; /* pieces left after a rule */
	struct tw_ranges scratch;
	TW_VEC(uint32_t) takers; /* rules that took a part of the current rule */
	bool given_up;		 /* true if the current rule was given up */
	size_t steps;
};

int tw_shadow_new(const struct tw_policy *policy, struct tw_diags *diags, struct tw_shadow **ret)
{
	struct tw_shadow *s = tw_alloc(sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->policy = policy;
	s->diags = diags;
	err = tw_sets_init(&s->sets, policy->seed, (uint32_t)policy->sets.all.n);
	if (!err)
		err = tw_near_init(&s->near, policy);
	if (err) {
		tw_shadow_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void tw_shadow_free(struct tw_shadow *s)
{
	if (!s)
		return;
	tw_sets_done(&s->sets);
	tw_vec_done(&s->pieces);
	tw_vec_done(&s->cut);
	tw_vec_done(&s->takers);
	tw_near_done(&s->near);
	tw_ranges_done(&s->scratch);
	free(s);
}

static bool covers(struct tw_shadow *s, const struct tw_set *a, const struct tw_set *b)
{
	if (a == b || a == s->policy->sets.everything)
		return true;
	s->steps += b->r.n;
	return tw_ranges_contain(&a->r, &b->r);
}

static bool meets(struct tw_shadow *s, const struct tw_set *a, const struct tw_set *b)
{
	s->steps += a->r.n < b->r.n ? a->r.n : b->r.n;
	return tw_ranges_overlap(&a->r, &b->r);
}

static const struct tw_operands *own_list(const struct tw_rule *rule, enum tw_dir end)
{
	return end == TW_DIR_OUT ? &rule->from : &rule->to;
}

static bool same_list(const struct tw_operands *a, const struct tw_operands *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->at[i].kind != b->at[i].kind || a->at[i].index != b->at[i].index ||
			a->at[i].negate != b->at[i].negate ||
			a->at[i].prefix.len != b->at[i].prefix.len ||
			memcmp(&a->at[i].prefix.addr, &b->at[i].prefix.addr,
				sizeof(a->at[i].prefix.addr)) != 0)
			return false;
	return true;
}

/* Returns the sets of a rule's cell at one end as a piece without a family. `all`: at every port
 * where the rule applies, by address or by name; otherwise only where it applies by address. */
static struct piece piece_of(
	const struct tw_rule *rule, const struct tw_cell *cell, enum tw_dir end, bool all)
{
	const struct tw_set *from = rule->from_set, *to = rule->to_set;

	if (all && end == TW_DIR_OUT)
		from = tw_rule_reach(rule, TW_DIR_OUT);
	if (all && end == TW_DIR_IN)
		to = tw_rule_reach(rule, TW_DIR_IN);
	return (struct piece){
		.axis = {from, to, cell->keys, cell->sports},
		.family = cell->family,
	};
}

/* Returns a bit for each enum tw_dir at which a rule is enforced. */
static unsigned int ends_of(const struct tw_rule *rule)
{
	return (rule->info.at_out ? 1u << TW_DIR_OUT : 0) |
	       (rule->info.at_in ? 1u << TW_DIR_IN : 0);
}

/* True if an earlier rule applies by address at every port where it contains the address. If one
 * of its own `!` entries names a workload, it does not apply at that workload's port. */
static bool is_taker(const struct tw_shadow *s, uint32_t number, enum tw_dir end)
{
	const struct tw_rule *rule = &s->policy->rules.at[number];

	return ends_of(rule) & 1u << end &&
	       !(end == TW_DIR_OUT ? rule->from_port.spares : rule->to_port.spares);
}

/* Returns the sets of an earlier rule's cell. If its list is also the current rule's, both rules apply
 * by name at the same ports. */
static struct piece taken_by(const struct tw_shadow *s, const struct tw_rule *rule,
	const struct tw_cell *cell, enum tw_dir end)
{
	return piece_of(rule, cell, end, same_list(own_list(rule, end), own_list(s->current, end)));
}

/* Returns the part of a set in one family, or NULL if out of memory. */
static const struct tw_set *of_family(
	struct tw_shadow *s, const struct tw_set *set, uint32_t family)
{
	struct tw_range v4 = {.lo = TW_V4_FIRST, .hi = TW_V4_LAST};
	struct tw_ranges only_v4 = {.at = &v4, .n = 1};
	int err;

	if (set->family == family)
		return set;
	if (family == TW_FAMILY_V4)
		err = tw_ranges_and(&set->r, &only_v4, &s->scratch);
	else
		err = tw_ranges_minus(&set->r, &only_v4, &s->scratch);
	s->steps += set->r.n;
	return err ? NULL : tw_sets_intern(&s->sets, &s->scratch);
}

/* Gives up on a rule with too many pieces: it counts as not shadowed. */
static int give_up(struct tw_shadow *s)
{
	s->given_up = true;
	return 0;
}

/* Starts with the pieces of everything that a rule matches. Each piece has one family, because
 * both addresses of a packet have the same one. */
static int begin(struct tw_shadow *s, const struct tw_rule *rule, enum tw_dir end)
{
	s->current = rule;
	s->pieces.n = 0;
	s->given_up = false;
	for (size_t i = 0; i < rule->cells->n; i++) {
		const struct tw_cell *cell = &rule->cells->at[i];

		for (uint32_t family = TW_FAMILY_V4; family <= TW_FAMILY_V6; family <<= 1) {
			struct piece piece = piece_of(rule, cell, end, true);

			if (!(cell->family & piece.axis[AXIS_FROM]->family &
				    piece.axis[AXIS_TO]->family & family))
				continue;
			piece.family = family;
			piece.axis[AXIS_FROM] = of_family(s, piece.axis[AXIS_FROM], family);
			piece.axis[AXIS_TO] = of_family(s, piece.axis[AXIS_TO], family);
			if (s->pieces.n == TW_SHADOW_PIECES_MAX)
				return give_up(s);
			if (!piece.axis[AXIS_FROM] || !piece.axis[AXIS_TO] ||
				tw_vec_push(&s->pieces, piece) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* True if one earlier cell contains the whole piece. Ports are compared first, because they
 * distinguish most rules. */
static bool holds(struct tw_shadow *s, const struct piece *cell, const struct piece *piece)
{
	s->steps++;
	if (!(cell->family & piece->family))
		return false;
	for (int axis = AXIS__MAX - 1; axis >= 0; axis--)
		if (!covers(s, cell->axis[axis], piece->axis[axis]))
			return false;
	return true;
}

static bool touches(struct tw_shadow *s, const struct piece *cell, const struct piece *piece)
{
	s->steps++;
	if (!(cell->family & piece->family))
		return false;
	for (int axis = AXIS__MAX - 1; axis >= 0; axis--)
		if (!meets(s, cell->axis[axis], piece->axis[axis]))
			return false;
	return true;
}

/* Splits a piece along one axis after another. The part outside the cell is kept, and the rest
 * goes on to the next axis. The part that is inside on all axes is dropped. */
static int cut_piece(struct tw_shadow *s, const struct piece *cell, struct piece piece)
{
	for (int axis = 0; axis < AXIS__MAX; axis++) {
		const struct tw_ranges *mine = &piece.axis[axis]->r, *its = &cell->axis[axis]->r;
		struct piece outside = piece;

		s->steps += mine->n + its->n;
		if (tw_ranges_minus(mine, its, &s->scratch) < 0)
			return -ENOMEM;
		outside.axis[axis] = tw_sets_intern(&s->sets, &s->scratch);
		if (!outside.axis[axis])
			return -ENOMEM;
		if (outside.axis[axis]->r.n && tw_vec_push(&s->cut, outside) < 0)
			return -ENOMEM;
		if (tw_ranges_and(mine, its, &s->scratch) < 0)
			return -ENOMEM;
		piece.axis[axis] = tw_sets_intern(&s->sets, &s->scratch);
		if (!piece.axis[axis])
			return -ENOMEM;
	}
	return 0;
}

/* Subtracts what one earlier rule decides. */
static int take_away(struct tw_shadow *s, uint32_t number, enum tw_dir end)
{
	const struct tw_rule *rule = &s->policy->rules.at[number];
	bool took = false;

	for (size_t i = 0; i < rule->cells->n; i++) {
		struct piece cell = taken_by(s, rule, &rule->cells->at[i], end);
		struct pieces swap;
		bool changed = false;

		s->cut.n = 0;
		for (size_t k = 0; k < s->pieces.n; k++) {
			int err;

			if (touches(s, &cell, &s->pieces.at[k])) {
				err = cut_piece(s, &cell, s->pieces.at[k]);
				changed = true;
			} else {
				err = tw_vec_push(&s->cut, s->pieces.at[k]);
			}
			if (err)
				return err;
		}
		took |= changed;
		if (!changed)
			continue;
		if (s->cut.n > TW_SHADOW_PIECES_MAX)
			return give_up(s);
		swap = s->pieces;
		s->pieces = s->cut;
		s->cut = swap;
	}
	return took ? tw_vec_push(&s->takers, number) : 0;
}

static bool is_spent(const struct tw_shadow *s)
{
	return s->near.pairs > PAIRS_MAX || s->steps > STEPS_MAX ||
	       s->sets.n_ranges > TW_POLICY_RANGES_MAX;
}

/* Looks first for a single earlier rule that decides everything, because that is the clearest
 * reason. */
static bool find_single(struct tw_shadow *s, enum tw_dir end)
{
	for (size_t n = 0; n < s->near.found.n && !is_spent(s); n++) {
		uint32_t i = s->near.found.at[n];
		const struct tw_rule *rule = &s->policy->rules.at[i];
		size_t held = 0;

		if (!is_taker(s, i, end))
			continue;
		for (size_t k = 0; k < s->pieces.n && held == k; k++)
			for (size_t c = 0; c < rule->cells->n && held == k; c++) {
				struct piece cell = taken_by(s, rule, &rule->cells->at[c], end);

				held += holds(s, &cell, &s->pieces.at[k]);
			}
		if (held == s->pieces.n) {
			s->takers.at[0] = i;
			return true;
		}
	}
	return false;
}

/* Sets *ret to true if nothing is left of the rule at this end. Returns 0 or -ENOMEM. */
static int is_dead_at(struct tw_shadow *s, uint32_t number, enum tw_dir end, bool *ret)
{
	int err = begin(s, &s->policy->rules.at[number], end);

	*ret = !err && !s->given_up && !s->pieces.n;
	if (err || s->given_up || !s->pieces.n)
		return err;
	s->takers.n = 0;
	err = tw_vec_push(&s->takers, 0);
	if (err)
		return err;
	*ret = find_single(s, end);
	if (*ret)
		return 0;
	s->takers.n = 0;
	for (size_t n = 0; n < s->near.found.n && s->pieces.n && !err; n++) {
		if (is_spent(s) || s->given_up)
			return 0;
		if (is_taker(s, s->near.found.at[n], end))
			err = take_away(s, s->near.found.at[n], end);
	}
	*ret = !err && !s->given_up && !s->pieces.n;
	return err;
}

static int warn(struct tw_shadow *s, uint32_t number)
{
	const struct tw_rule *rule = &s->policy->rules.at[number];
	size_t n = s->takers.n, len = 0;
	char names[NAMED_MAX * (2 * TW_NAME_MAX + 48)] = "";

	for (size_t i = 0; i < n && i < NAMED_MAX; i++) {
		const struct tw_rule_info *by = &s->policy->rules.at[s->takers.at[i]].info;

		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s (%s)",
			!i	     ? ""
			: i + 1 == n ? " and "
				     : ", ",
			by->name, tw_files_line(&s->policy->text.files, by->line).text);
	}
	if (n > NAMED_MAX)
		snprintf(names + len, sizeof(names) - len, " and %zu more", n - NAMED_MAX);
	return tw_diags_add(s->diags, TW_SEV_WARNING, rule->info.line, rule->column,
		"remove it, or move it up",
		"rule %s can never match: %s already decide%s everything it matches",
		rule->info.name, names, n == 1 ? "s" : "");
}

int tw_shadow_check(struct tw_shadow *s, size_t rule)
{
	unsigned int ends = ends_of(&s->policy->rules.at[rule]);
	bool dead = true;
	int err;

	if (is_spent(s))
		return 0;
	err = tw_near_find(&s->near, (uint32_t)rule);
	if (err || !s->near.found.n)
		return err;
	s->takers.n = 0;
	for (enum tw_dir end = 0; end < TW_DIR__MAX && dead && !err; end++)
		if (ends & 1u << end)
			err = is_dead_at(s, (uint32_t)rule, end, &dead);
	/* Without takers, the rule matches nothing by itself. */
	return err || !dead || !s->takers.n ? err : warn(s, (uint32_t)rule);
}
