/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* propose_merge.c: makes rules of pairs.
 *
 * How:        for one service, destinations with the same sources are one rule. Then rules with the same
 *             ends become one, with the services of all. Both steps are exact: the rule's pairs are all
 *             combinations of its ends and services, and each of them was seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "cli/propose.h"

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* A destination of one service, and the pairs with its sources: `n` from `first` on. */
struct column {
	const struct tw_propose_pair *first;
	size_t n;
};

/* Orders by what must not be mixed in one rule: a prefix that is wider than what was seen excludes
 * workloads, so it cannot stand beside them. */
static int compare_kinds(const struct tw_propose_pair *x, const struct tw_propose_pair *y)
{
	int by = order(x->why, y->why);

	if (!by)
		by = tw_propose_compare_services(&x->service, &y->service);
	for (int dir = 0; dir < TW_DIR__MAX && !by; dir++)
		by = order(tw_propose_is_wide(&x->end[dir]), tw_propose_is_wide(&y->end[dir]));
	return by;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct tw_propose_pair *x = a, *y = b;
	int by = compare_kinds(x, y);

	if (!by)
		by = tw_propose_compare_ends(&x->end[TW_DIR_IN], &y->end[TW_DIR_IN]);
	return by ? by : tw_propose_compare_ends(&x->end[TW_DIR_OUT], &y->end[TW_DIR_OUT]);
}

static int compare_sources(const struct column *x, const struct column *y)
{
	int by = order(x->n, y->n);

	for (size_t i = 0; i < x->n && !by; i++)
		by = tw_propose_compare_ends(
			&x->first[i].end[TW_DIR_OUT], &y->first[i].end[TW_DIR_OUT]);
	return by;
}

static int compare_columns(const void *a, const void *b)
{
	const struct column *x = a, *y = b;
	int by = compare_kinds(x->first, y->first);

	if (!by)
		by = compare_sources(x, y);
	return by ? by
		  : tw_propose_compare_ends(&x->first->end[TW_DIR_IN], &y->first->end[TW_DIR_IN]);
}

static void done_rule(struct tw_propose_rule *rule)
{
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		tw_vec_done(&rule->end[dir]);
	tw_vec_done(&rule->services);
}

void tw_propose_done(struct tw_propose *propose)
{
	tw_vec_foreach (&propose->rules, rule)
		done_rule(rule);
	tw_vec_done(&propose->rules);
	tw_vec_done(&propose->pairs);
	tw_vec_done(&propose->refused);
}

static void count_pair(struct tw_propose_rule *rule, const struct tw_propose_pair *pair)
{
	if (!rule->n_pairs || pair->n < rule->fewest.n)
		rule->fewest = *pair;
	rule->n += pair->n;
	rule->n_pairs++;
	rule->last = pair->last > rule->last ? pair->last : rule->last;
}

/* Adds a rule of columns with the same sources. */
static int add_rule(struct tw_propose *propose, const struct column *columns, size_t n)
{
	struct tw_propose_rule rule = {.why = columns->first->why};
	int ret = tw_vec_push(&rule.services, columns->first->service);

	for (size_t i = 0; i < columns->n && !ret; i++)
		ret = tw_vec_push(&rule.end[TW_DIR_OUT], columns->first[i].end[TW_DIR_OUT]);
	for (size_t c = 0; c < n && !ret; c++) {
		ret = tw_vec_push(&rule.end[TW_DIR_IN], columns[c].first->end[TW_DIR_IN]);
		for (size_t i = 0; i < columns[c].n; i++)
			count_pair(&rule, &columns[c].first[i]);
	}
	if (!ret)
		ret = tw_vec_push(&propose->rules, rule);
	if (ret)
		done_rule(&rule);
	return ret;
}

/* ---- rules with the same ends ---- */

static int compare_lists(const struct tw_propose_rule *x, const struct tw_propose_rule *y)
{
	int by = order(x->why, y->why);

	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		if (!by)
			by = order(x->end[dir].n, y->end[dir].n);
		for (size_t i = 0; i < x->end[dir].n && !by; i++)
			by = tw_propose_compare_ends(&x->end[dir].at[i], &y->end[dir].at[i]);
	}
	return by;
}

static int compare_rules(const void *a, const void *b)
{
	const struct tw_propose_rule *x = a, *y = b;
	int by = compare_lists(x, y);

	return by ? by : tw_propose_compare_services(x->services.at, y->services.at);
}

/* Order of the draft: what is on comes first, then by service and destination. */
static int compare_draft(const void *a, const void *b)
{
	const struct tw_propose_rule *x = a, *y = b;
	int by = order(x->why, y->why);

	if (!by)
		by = tw_propose_compare_services(x->services.at, y->services.at);
	if (!by)
		by = tw_propose_compare_ends(x->end[TW_DIR_IN].at, y->end[TW_DIR_IN].at);
	return by ? by : compare_lists(x, y);
}

static int join_services(struct tw_propose_rule *into, const struct tw_propose_rule *more)
{
	tw_vec_foreach (&more->services, service)
		if (tw_vec_push(&into->services, *service) < 0)
			return -ENOMEM;
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		for (size_t i = 0; i < into->end[dir].n; i++)
			if (more->end[dir].at[i].n_seen > into->end[dir].at[i].n_seen)
				into->end[dir].at[i].n_seen = more->end[dir].at[i].n_seen;
	if (more->fewest.n < into->fewest.n)
		into->fewest = more->fewest;
	into->n += more->n;
	into->n_pairs = more->n_pairs > into->n_pairs ? more->n_pairs : into->n_pairs;
	into->last = more->last > into->last ? more->last : into->last;
	return 0;
}

static int join_rules(struct tw_propose *propose)
{
	struct tw_propose_rule *at = propose->rules.at;
	size_t n = 0;
	int ret = 0;

	if (!propose->rules.n)
		return 0;
	qsort(at, propose->rules.n, sizeof(*at), compare_rules);
	for (size_t i = 0; i < propose->rules.n; i++) {
		struct tw_propose_rule rule = at[i];

		/* A slot that was moved from is not freed twice. */
		at[i] = (struct tw_propose_rule){0};
		if (!n || compare_lists(&at[n - 1], &rule)) {
			at[n++] = rule;
			continue;
		}
		ret = ret ? ret : join_services(&at[n - 1], &rule);
		done_rule(&rule);
	}
	propose->rules.n = n;
	qsort(at, n, sizeof(*at), compare_draft);
	return ret;
}

int tw_propose_merge(struct tw_propose *propose)
{
	struct tw_propose_pair *at = propose->pairs.at;
	tw_autofree struct column *columns = tw_alloc_array(
		propose->pairs.n ? propose->pairs.n : 1, sizeof(*columns));
	size_t n = 0, to;
	int ret = columns ? 0 : -ENOMEM;

	if (ret || !propose->pairs.n)
		return ret;
	qsort(at, propose->pairs.n, sizeof(*at), compare_pairs);
	for (size_t i = 0; i < propose->pairs.n; i++) {
		if (!n || compare_kinds(columns[n - 1].first, &at[i]) ||
			tw_propose_compare_ends(
				&columns[n - 1].first->end[TW_DIR_IN], &at[i].end[TW_DIR_IN]))
			columns[n++].first = &at[i];
		columns[n - 1].n++;
	}
	qsort(columns, n, sizeof(*columns), compare_columns);
	for (size_t from = 0; from < n && !ret; from = to) {
		for (to = from + 1; to < n &&
				    !compare_kinds(columns[from].first, columns[to].first) &&
				    !compare_sources(&columns[from], &columns[to]);)
			to++;
		ret = add_rule(propose, &columns[from], to - from);
	}
	return ret ? ret : join_rules(propose);
}
