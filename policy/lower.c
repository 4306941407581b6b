/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lower.c: lowers a rule to address sets and cells, and prints lowered rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "policy/model.h"
#include "policy/service.h"
#include "policy/text.h"

struct parts {
	struct tw_part *at;
	size_t n;
	size_t max;
};

static int collect(const struct tw_policy *p, const struct tw_service_ref *refs, size_t n_refs,
	struct parts *ret)
{
	int err = n_refs ? 0 : tw_vec_push(ret, TW_PART_ANY);

	for (size_t i = 0; i < n_refs && !err; i++) {
		const struct tw_service *service;

		if (refs[i].service == TW_INDEX_NONE) {
			err = tw_vec_push(ret, refs[i].part);
			continue;
		}
		service = &p->services.at[refs[i].service];
		for (size_t k = 0; k < service->n_parts && !err; k++)
			err = tw_vec_push(ret, service->parts[k]);
	}
	return err;
}

#define ORDER(x, y) (((x) > (y)) - ((x) < (y)))

/* Orders parts so that those that can share a cell are adjacent. */
static int compare_parts(const void *a, const void *b)
{
	const struct tw_part *x = a, *y = b;

	if (x->family != y->family)
		return -ORDER(x->family, y->family);
	if (x->sport_lo != y->sport_lo)
		return ORDER(x->sport_lo, y->sport_lo);
	if (x->sport_hi != y->sport_hi)
		return ORDER(x->sport_hi, y->sport_hi);
	return ORDER(x->key_lo, y->key_lo);
}

static bool share_cell(const struct tw_part *x, const struct tw_part *y)
{
	return x->family == y->family && x->sport_lo == y->sport_lo && x->sport_hi == y->sport_hi;
}

/* Makes the cell that parts[0 … n) share. Ranges that reach the end of their dimension are
 * extended to the end of all numbers, so that "every port" is one set in every dimension. */
static int make_cell(struct tw_policy *p, const struct tw_part *parts, size_t n,
	struct tw_ranges *scratch, struct tw_cell *ret)
{
	int err = 0;

	scratch->n = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = tw_ranges_add(scratch, parts[i].key_lo,
			parts[i].key_hi == TW_KEY_MAX ? TW_U128_MAX : parts[i].key_hi);
	if (err)
		return err;
	tw_ranges_sort(scratch);
	ret->family = parts->family;
	ret->keys = tw_sets_intern(&p->sets, scratch);
	scratch->n = 0;
	err = tw_ranges_add(scratch, parts->sport_lo,
		parts->sport_hi == TW_PORT_MAX ? TW_U128_MAX : parts->sport_hi);
	ret->sports = err ? NULL : tw_sets_intern(&p->sets, scratch);
	return ret->keys && ret->sports ? 0 : -ENOMEM;
}

/* Sorts the parts and makes their cells in the arena. */
static int make_cells(
	struct tw_policy *p, struct parts *parts, const struct tw_cell **ret, size_t *ret_n)
{
	struct tw_ranges scratch = {0};
	TW_VEC(struct tw_cell) cells = {0};
	int err = 0;

	if (parts->n)
		qsort(parts->at, parts->n, sizeof(*parts->at), compare_parts);
	for (size_t first = 0, next; first < parts->n && !err; first = next) {
		struct tw_cell cell;

		next = first + 1;
		while (next < parts->n && share_cell(&parts->at[first], &parts->at[next]))
			next++;
		err = make_cell(p, &parts->at[first], next - first, &scratch, &cell);
		if (!err)
			err = tw_vec_push(&cells, cell);
	}
	*ret = err ? NULL : tw_arena_copy(&p->arena, cells.at, cells.n, sizeof(*cells.at));
	*ret_n = cells.n;
	tw_vec_done(&cells);
	tw_ranges_done(&scratch);
	return *ret ? 0 : -ENOMEM;
}

const struct tw_cells *tw_policy_cells(
	struct tw_policy *policy, const struct tw_service_ref *services, size_t n_services)
{
	struct tw_cells *cells = tw_arena_alloc(&policy->arena, 1, sizeof(*cells));
	struct parts parts = {0};
	int err = cells ? collect(policy, services, n_services, &parts) : -ENOMEM;

	if (!err)
		err = make_cells(policy, &parts, &cells->at, &cells->n);
	for (size_t i = 0; i < parts.n; i++)
		parts.at[i].family = TW_FAMILY_ANY;
	if (!err)
		err = make_cells(policy, &parts, &cells->joined, &cells->n_joined);
	tw_vec_done(&parts);
	return err ? NULL : cells;
}

/* ---- as text ---- */

static bool is_prefix(tw_u128 first, uint8_t len)
{
	return !(first & (len ? TW_U128_MAX >> 1 >> (len - 1) : TW_U128_MAX));
}

/* Prints one range within a family: as a prefix if it is one, otherwise as first and last
 * address. */
static void print_range(tw_u128 lo, tw_u128 hi, struct tw_buf *out, const char **separator)
{
	struct tw_prefix first = {.addr = tw_set_addr(lo), .len = 128};
	struct tw_prefix last = {.addr = tw_set_addr(hi), .len = 128};
	char text[TW_PREFIX_TEXT_MAX];

	tw_buf_adds(out, *separator);
	*separator = " ";
	while (first.len && is_prefix(lo, (uint8_t)(first.len - 1)) && tw_prefix_last(&first) < hi)
		first.len--;
	if (tw_prefix_last(&first) == hi) {
		tw_buf_adds(out, tw_prefix_format(&first, text));
		return;
	}
	first.len = 128;
	tw_buf_adds(out, tw_prefix_format(&first, text));
	tw_buf_addf(out, "-%s", tw_prefix_format(&last, text));
}

/* True if the set contains all of IPv6, which lies on both sides of IPv4 and is printed as one
 * word. */
static bool has_all_v6(const struct tw_set *set)
{
	struct tw_range v6[] = {
		{.lo = 0, .hi = TW_V4_FIRST - 1}, {.lo = TW_V4_LAST + 1, .hi = TW_U128_MAX}};

	return tw_ranges_contain(&set->r, &(struct tw_ranges){.at = v6, .n = 2});
}

/* Prints the entries that mean ports, because they name workloads with `any`. Returns the separator
 * before what follows. */
static const char *print_names(
	const struct tw_policy *p, const struct tw_operands *list, struct tw_buf *out)
{
	const char *separator = "";

	for (size_t i = 0; i < list->n; i++) {
		const struct tw_operand *operand = &list->at[i];

		if (!tw_operand_names_any(p, operand))
			continue;
		tw_buf_addf(out, "%s%sports of %s", separator, operand->negate ? "!" : "",
			operand->kind == TW_OP_WORKLOAD ? p->workloads.at[operand->index].name
							: p->groups.at[operand->index].name);
		separator = ", ";
	}
	return separator;
}

static void print_set(const struct tw_policy *p, const struct tw_operands *list,
	const struct tw_port_end *port, const struct tw_set *set, struct tw_buf *out)
{
	bool all_v6 = has_all_v6(set);
	const char *separator;

	if (set == p->sets.everything && !port->spares) {
		tw_buf_adds(out, "any");
		return;
	}
	tw_buf_adds(out, "{");
	separator = print_names(p, list, out);
	for (size_t i = 0; i < set->r.n; i++) {
		tw_u128 lo = set->r.at[i].lo, hi = set->r.at[i].hi;
		tw_u128 v4_lo = lo > TW_V4_FIRST ? lo : TW_V4_FIRST;
		tw_u128 v4_hi = hi < TW_V4_LAST ? hi : TW_V4_LAST;

		if (lo < TW_V4_FIRST && !all_v6)
			print_range(lo, hi < TW_V4_FIRST ? hi : TW_V4_FIRST - 1, out, &separator);
		if (v4_lo <= v4_hi)
			print_range(v4_lo, v4_hi, out, &separator);
		if (hi > TW_V4_LAST && !all_v6)
			print_range(lo > TW_V4_LAST ? lo : TW_V4_LAST + 1, hi, out, &separator);
	}
	if (all_v6)
		tw_buf_addf(out, "%s::/0", separator);
	tw_buf_adds(out, "}");
}

/* Returns the end of the first part of [lo, hi] that has its own notation: a protocol, a range
 * of ports, an ICMP type, or one of its codes. */
static uint32_t piece_end(uint32_t lo, uint32_t hi, uint32_t family)
{
	uint32_t proto_end = lo | TW_PORT_MAX, type_end = lo | 0xff;

	if (lo == 0 && hi == TW_KEY_MAX)
		return hi;
	if (hi < proto_end)
		proto_end = hi;
	if (family == TW_FAMILY_ANY ||
		(!(lo & TW_PORT_MAX) && (proto_end & TW_PORT_MAX) == TW_PORT_MAX))
		return proto_end;
	return (lo & 0xff) || type_end > proto_end ? lo : type_end;
}

static void print_cell(const struct tw_cell *cell, struct tw_buf *out, const char **separator)
{
	const struct tw_range *sports = &cell->sports->r.at[0];
	struct tw_part part = {.family = cell->family, .sport_lo = (uint32_t)sports->lo};

	part.sport_hi = sports->hi == TW_U128_MAX ? TW_PORT_MAX : (uint32_t)sports->hi;
	for (size_t i = 0; i < cell->keys->r.n; i++) {
		const struct tw_range *keys = &cell->keys->r.at[i];
		uint32_t hi = keys->hi == TW_U128_MAX ? TW_KEY_MAX : (uint32_t)keys->hi;

		part.key_hi = (uint32_t)keys->lo - 1;
		do {
			part.key_lo = part.key_hi + 1;
			part.key_hi = piece_end(part.key_lo, hi, cell->family);
			tw_buf_adds(out, *separator);
			tw_part_print(&part, out);
			*separator = ", ";
		} while (part.key_hi < hi);
	}
}

static void print_rule(const struct tw_policy *p, const struct tw_rule *rule, struct tw_buf *out)
{
	const char *separator = "";
	const char *ends = rule->wants_out ? rule->wants_in ? "both" : "from" : "to";

	tw_buf_addf(out, "%s: %s%s at %s, ", rule->info.name,
		rule->info.disabled ? "disabled, " : "", tw_verdict_name(rule->info.action), ends);
	if (rule->info.network)
		tw_buf_addf(out, "network %s, ", rule->info.network);
	tw_buf_adds(out, "from ");
	print_set(p, &rule->from, &rule->from_port, rule->from_set, out);
	tw_buf_adds(out, " to ");
	print_set(p, &rule->to, &rule->to_port, rule->to_set, out);
	tw_buf_adds(out, " service ");
	for (size_t i = 0; i < rule->cells->n; i++)
		print_cell(&rule->cells->at[i], out, &separator);
	tw_buf_adds(out, rule->info.log ? ", log\n" : "\n");
}

void tw_policy_print_lowered(const struct tw_policy *policy, struct tw_buf *out)
{
	for (uint32_t space = 0; space < tw_spaces_n(policy); space++) {
		const struct tw_policy *view = tw_spaces_view(policy, space);

		if (policy->views)
			tw_buf_addf(out, "network %s\n",
				space ? policy->space_names.all.at[space - 1].text : "-");
		for (size_t i = 0; i + 1 < view->rules.n; i++)
			print_rule(view, &view->rules.at[i], out);
	}
	tw_buf_addf(out, "default: %s\n",
		tw_verdict_name(policy->rules.at[policy->rules.n - 1].info.action));
}
