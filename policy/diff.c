/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* diff.c: lists what a new policy changes: rules, workloads and other named things.
 *
 * How:        things are found by name and compared by their printed text. A rule has moved if
 *             it is not in the longest increasing subsequence of old rule numbers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/model.h"
#include "policy/print.h"

struct differ {
	const struct tw_policy *old;
	const struct tw_policy *now;
	void (*each)(void *arg, enum tw_changed what, enum tw_change change, const char *name);
	void *arg;
	struct tw_buf old_text;
	struct tw_buf now_text;
};

typedef void print_fn(const struct tw_policy *p, size_t index, struct tw_buf *out);

static void tell(struct differ *d, enum tw_changed what, enum tw_change change, const char *name)
{
	d->each(d->arg, what, change, name);
}

/* Buffers that ran out of memory are reported at the end; they may be empty here. */
static bool texts_equal(const struct differ *d)
{
	return !d->old_text.failed && !d->now_text.failed && d->old_text.len == d->now_text.len &&
	       !memcmp(d->old_text.data, d->now_text.data, d->now_text.len);
}

static bool is_equal(struct differ *d, print_fn *print, size_t old_index, size_t now_index)
{
	tw_buf_reset(&d->old_text);
	tw_buf_reset(&d->now_text);
	print(d->old, old_index, &d->old_text);
	print(d->now, now_index, &d->now_text);
	return texts_equal(d);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || !strcmp(a, b);
}

/* Returns the name in an entry of a rule's end, or NULL if it has none. */
static const char *operand_name(const struct tw_policy *p, const struct tw_operand *operand)
{
	switch (operand->kind) {
	case TW_OP_NETWORK:
		return p->networks.at[operand->index].name;
	case TW_OP_WORKLOAD:
		return p->workloads.at[operand->index].name;
	case TW_OP_GROUP:
		return p->groups.at[operand->index].name;
	case TW_OP_ANY:
	case TW_OP_PREFIX:
		break;
	}
	return NULL;
}

static bool same_operands(
	const struct differ *d, const struct tw_operands *old, const struct tw_operands *now)
{
	if (old->n != now->n)
		return false;
	/* Unchanged, including everything that it names. */
	if (old->at == now->at)
		return true;
	for (size_t i = 0; i < old->n; i++) {
		const struct tw_operand *a = &old->at[i], *b = &now->at[i];
		const char *name = operand_name(d->old, a);

		if (a->kind != b->kind || a->negate != b->negate)
			return false;
		if (name && !same_text(name, operand_name(d->now, b)))
			return false;
		if (a->kind == TW_OP_PREFIX &&
			(a->prefix.len != b->prefix.len || memcmp(&a->prefix.addr, &b->prefix.addr,
								   sizeof(a->prefix.addr)) != 0))
			return false;
	}
	return true;
}

static bool same_services(
	const struct differ *d, const struct tw_rule *old, const struct tw_rule *now)
{
	if (old->n_services != now->n_services)
		return false;
	if (old->services == now->services)
		return true;
	for (size_t i = 0; i < old->n_services; i++) {
		const struct tw_service_ref *a = &old->services[i], *b = &now->services[i];

		if ((a->service == TW_INDEX_NONE) != (b->service == TW_INDEX_NONE))
			return false;
		if (a->service == TW_INDEX_NONE ? memcmp(&a->part, &b->part, sizeof(a->part)) != 0
						: !same_text(d->old->services.at[a->service].name,
							  d->now->services.at[b->service].name))
			return false;
	}
	return true;
}

static bool same_note(const char *old, const char *now)
{
	return old && now ? same_text(old, now) : old == now;
}

static bool same_notes(const struct tw_rule *old, const struct tw_rule *now)
{
	return same_note(old->info.comment, now->info.comment) &&
	       same_note(old->info.owner, now->info.owner);
}

/* True if all parts of two rules are equal, which makes their printed text equal, too. Comparing
 * parts is fast; printing every rule would take longer than the rest of an edit. */
static bool same_rule(struct differ *d, size_t old_index, size_t now_index)
{
	const struct tw_rule *old = &d->old->rules.at[old_index];
	const struct tw_rule *now = &d->now->rules.at[now_index];

	if (old->info.expired != now->info.expired || old->info.until_s != now->info.until_s)
		return false;
	if (old->named == now->named && same_text(old->info.name, now->info.name) &&
		same_notes(old, now) && old->wants_out == now->wants_out &&
		old->wants_in == now->wants_in && old->info.disabled == now->info.disabled &&
		old->info.action == now->info.action && old->info.log == now->info.log &&
		old->info.quiet == now->info.quiet && same_operands(d, &old->from, &now->from) &&
		same_operands(d, &old->to, &now->to) && same_services(d, old, now))
		return true;
	return is_equal(d, tw_policy_print_rule, old_index, now_index);
}

/* Objects that were taken over unchanged have the same address. Objects with different addresses
 * may still be equal. */
typedef bool kept_fn(const struct differ *d, size_t old_index, size_t now_index);

static bool kept_network(const struct differ *d, size_t old_index, size_t now_index)
{
	const struct tw_network *a = &d->old->networks.at[old_index];
	const struct tw_network *b = &d->now->networks.at[now_index];

	return a->n_prefixes == b->n_prefixes && a->prefixes == b->prefixes;
}

static bool kept_service(const struct differ *d, size_t old_index, size_t now_index)
{
	const struct tw_service *a = &d->old->services.at[old_index];
	const struct tw_service *b = &d->now->services.at[now_index];

	return a->n_parts == b->n_parts && a->parts == b->parts;
}

static bool kept_workload(const struct differ *d, size_t old_index, size_t now_index)
{
	const struct tw_workload *a = &d->old->workloads.at[old_index];
	const struct tw_workload *b = &d->now->workloads.at[now_index];

	if (a->n_tags != b->n_tags || a->tags != b->tags || a->n_nics != b->n_nics)
		return false;
	for (size_t i = 0; i < a->n_nics; i++) {
		const struct tw_nic *x = &d->old->nics.at[a->first_nic + i];
		const struct tw_nic *y = &d->now->nics.at[b->first_nic + i];

		if (x->n_written != y->n_written || x->written != y->written ||
			x->pub.port != y->pub.port || x->pub.grants != y->pub.grants ||
			x->n_shared != y->n_shared || x->shared != y->shared)
			return false;
	}
	return a->name == b->name;
}

static bool kept_group(const struct differ *d, size_t old_index, size_t now_index)
{
	const struct tw_group *a = &d->old->groups.at[old_index];
	const struct tw_group *b = &d->now->groups.at[now_index];

	return a->name == b->name && a->tags == b->tags && a->networks.at == b->networks.at &&
	       a->workloads.at == b->workloads.at && a->patterns == b->patterns;
}

/* Returns the entry of a name in another table, where it usually has the same place. */
static const struct tw_name *find_name(
	const struct tw_names *names, const struct tw_name *name, size_t place)
{
	if (place < names->all.n && names->all.at[place].text == name->text)
		return &names->all.at[place];
	return tw_names_find(names, name->text);
}

/* Compares the things of one kind in one name scope. */
static void compare(struct differ *d, const struct tw_names *old, const struct tw_names *now,
	uint32_t kind, enum tw_changed what, print_fn *print, kept_fn *kept)
{
	for (size_t i = 0; i < now->all.n; i++) {
		const struct tw_name *name = &now->all.at[i];
		const struct tw_name *was;

		if (name->kind != kind)
			continue;
		was = old ? find_name(old, name, i) : NULL;
		if (!was || was->kind != kind)
			tell(d, what, TW_CHANGE_ADDED, name->text);
		else if (!(was->text == name->text && kept(d, was->index, name->index)) &&
			 !is_equal(d, print, was->index, name->index))
			tell(d, what, TW_CHANGE_CHANGED, name->text);
	}
	for (size_t i = 0; old && i < old->all.n; i++) {
		const struct tw_name *name = &old->all.at[i];
		const struct tw_name *is = find_name(now, name, i);

		if (name->kind == kind && (!is || is->kind != kind))
			tell(d, what, TW_CHANGE_REMOVED, name->text);
	}
}

/* Marks the rules of the new policy that keep their order: those in the longest increasing
 * subsequence of old numbers. `tails[k]` is the rule that ends the best run of k + 1. */
static void mark_in_order(
	const long *was, size_t n, size_t *tails, size_t *before, bool *ret_in_order)
{
	size_t n_tails = 0;

	for (size_t i = 0; i < n; i++) {
		size_t lo = 0, hi = n_tails;

		if (was[i] < 0)
			continue;
		/* Fast path: most rules have not moved. */
		if (n_tails && was[tails[n_tails - 1]] < was[i])
			lo = n_tails;
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (was[tails[mid]] < was[i])
				lo = mid + 1;
			else
				hi = mid;
		}
		before[i] = lo ? tails[lo - 1] : n;
		tails[lo] = i;
		if (lo == n_tails)
			n_tails++;
	}
	for (size_t i = n_tails ? tails[n_tails - 1] : n; i < n; i = before[i])
		ret_in_order[i] = true;
}

/* Returns the number of the rule with this name, which is often the same in both policies. */
static long find_rule(const struct tw_policy *p, size_t index, const char *name)
{
	if (index < tw_policy_n_rules(p) && p->rules.at[index].info.name == name)
		return (long)index;
	return tw_policy_rule_index(p, name);
}

static int compare_rules(struct differ *d)
{
	size_t n = tw_policy_n_rules(d->now), n_old = d->old ? tw_policy_n_rules(d->old) : 0;
	tw_autofree long *was = tw_alloc_array(n, sizeof(*was));
	tw_autofree size_t *tails = tw_alloc_array(n, sizeof(*tails));
	tw_autofree size_t *before = tw_alloc_array(n, sizeof(*before));
	tw_autofree bool *in_order = tw_alloc_array(n, sizeof(*in_order));

	if (!was || !tails || !before || !in_order)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		was[i] = d->old ? find_rule(d->old, i, d->now->rules.at[i].info.name) : -ENOENT;
	mark_in_order(was, n, tails, before, in_order);
	for (size_t i = 0; i < n; i++) {
		const char *name = d->now->rules.at[i].info.name;

		if (was[i] < 0)
			tell(d, TW_CHANGED_RULE, TW_CHANGE_ADDED, name);
		else if (!in_order[i] || !same_rule(d, (size_t)was[i], i))
			tell(d, TW_CHANGED_RULE, TW_CHANGE_CHANGED, name);
	}
	if (!d->old)
		tell(d, TW_CHANGED_RULE, TW_CHANGE_ADDED, "default");
	else if (!same_rule(d, n_old, n))
		tell(d, TW_CHANGED_RULE, TW_CHANGE_CHANGED, "default");
	for (size_t i = 0; d->old && i < n_old; i++)
		if (find_rule(d->now, i, d->old->rules.at[i].info.name) < 0)
			tell(d, TW_CHANGED_RULE, TW_CHANGE_REMOVED, d->old->rules.at[i].info.name);
	return 0;
}

static void compare_options(struct differ *d)
{
	tw_buf_reset(&d->old_text);
	tw_buf_reset(&d->now_text);
	if (d->old)
		tw_print_options(d->old, &d->old_text);
	tw_print_options(d->now, &d->now_text);
	if (!d->old)
		tell(d, TW_CHANGED_OPTION, TW_CHANGE_ADDED, "options");
	else if (!texts_equal(d))
		tell(d, TW_CHANGED_OPTION, TW_CHANGE_CHANGED, "options");
}

int tw_policy_diff(const struct tw_policy *old, const struct tw_policy *now,
	void (*each)(void *arg, enum tw_changed what, enum tw_change change, const char *name),
	void *arg)
{
	struct differ d = {.old = old, .now = now, .each = each, .arg = arg};
	int err;

	compare(&d, old ? &old->names : NULL, &now->names, TW_OP_NETWORK, TW_CHANGED_NETWORK,
		tw_print_network, kept_network);
	compare(&d, old ? &old->service_names : NULL, &now->service_names, 0, TW_CHANGED_SERVICE,
		tw_print_service, kept_service);
	compare(&d, old ? &old->names : NULL, &now->names, TW_OP_WORKLOAD, TW_CHANGED_WORKLOAD,
		tw_print_workload, kept_workload);
	compare(&d, old ? &old->names : NULL, &now->names, TW_OP_GROUP, TW_CHANGED_GROUP,
		tw_print_group, kept_group);
	err = compare_rules(&d);
	compare_options(&d);
	if (d.old_text.failed || d.now_text.failed)
		err = -ENOMEM;
	tw_buf_done(&d.old_text);
	tw_buf_done(&d.now_text);
	return err;
}
