/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* propose_ends.c: makes pairs of ends of what was seen, and decides which are switched off. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/propose.h"
#include "sim/tuple.h"

#define V4_BITS	    96u	 /* bits of the mapped prefix */
#define V4_NET	    120u /* an IPv4 /24 */
#define V6_NET	    64u
#define DYNAMIC_MIN 3u /* dynamic ports of a pair that are taken for one range */

/* ---- ends ---- */

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int tw_propose_compare_services(
	const struct tw_propose_service *a, const struct tw_propose_service *b)
{
	int by = order(a->proto, b->proto);

	if (!by)
		by = order(a->lo, b->lo);
	return by ? by : order(a->hi, b->hi);
}

int tw_propose_compare_ends(const struct tw_propose_end *a, const struct tw_propose_end *b)
{
	int by = order(a->workload, b->workload);

	if (!by)
		by = memcmp(&a->prefix.addr, &b->prefix.addr, sizeof(a->prefix.addr));
	return by ? by : order(a->prefix.len, b->prefix.len);
}

static bool is_v4(const struct tw_addr *addr)
{
	tw_u128 number = tw_set_number(addr);

	return number >= TW_V4_FIRST && number <= TW_V4_LAST;
}

bool tw_propose_is_group(const struct tw_prefix *prefix)
{
	const uint8_t *v4 = &prefix->addr.b[12];

	if (!is_v4(&prefix->addr))
		return prefix->addr.b[0] == 0xff && prefix->len >= 8;
	return prefix->len >= V4_BITS + 4 &&
	       ((v4[0] & 0xf0) == 0xe0 || (v4[0] & v4[1] & v4[2] & v4[3]) == 0xff);
}

bool tw_propose_is_wide(const struct tw_propose_end *end)
{
	return end->workload == TW_INDEX_NONE && end->prefix.len < 128;
}

bool tw_propose_is_router(const struct tw_policy *policy, uint32_t workload)
{
	const struct tw_workload *w = &policy->workloads.at[workload];

	for (size_t i = 0; i < w->n_nics; i++)
		if (policy->nics.at[w->first_nic + i].pub.transit)
			return true;
	return false;
}

static uint32_t find_workload(const struct tw_policy *policy, const char *name)
{
	const struct tw_name *found = tw_names_find(&policy->names, name);

	return found && found->kind == TW_OP_WORKLOAD ? found->index : TW_INDEX_NONE;
}

/* Returns an end of a connection: the workload that owns the address, that had it from DHCP, or that has
 * it in one of several networks. Otherwise, and for routers, returns the address. */
static struct tw_propose_end end_of(
	const struct tw_propose *propose, const struct tw_seen_entry *entry, enum tw_dir dir)
{
	const struct tw_policy *policy = propose->policy;
	const struct tw_vnic *vnic = tw_policy_find_owner(policy, &entry->addr[dir]);
	struct tw_propose_end end = {.workload = TW_INDEX_NONE,
		.prefix = {.addr = entry->addr[dir], .len = 128},
		.n_seen = 1};
	uint32_t known = find_workload(
		policy, vnic ? vnic->workload : tw_seen_name(propose->seen, entry->workload[dir]));

	if (known == TW_INDEX_NONE || tw_propose_is_router(policy, known) ||
		(!vnic && !policy->workloads.at[known].learns &&
			!tw_policy_is_shared(policy, &entry->addr[dir])))
		return end;
	return (struct tw_propose_end){.workload = known, .n_seen = 1};
}

/* ---- the policy in force ---- */

/* Returns the address space of an end whose address has an owner in one space only; 0: neither has. */
static uint32_t space_of(const struct tw_policy *policy, const struct tw_first_packet *about)
{
	const struct tw_vnic *from = tw_policy_find_owner(policy, &about->from);
	const struct tw_vnic *to = tw_policy_find_owner(policy, &about->to);

	return from ? from->space : to ? to->space : 0;
}

void tw_propose_judge(const struct tw_policy *policy, const struct tw_seen_entry *entry,
	size_t ret_rule[TW_DIR__MAX])
{
	struct tw_first_packet about = {.from = entry->addr[TW_DIR_OUT],
		.to = entry->addr[TW_DIR_IN],
		.proto = entry->proto,
		.sport = entry->sport,
		.detail = entry->detail};
	struct tw_prefix to = {.addr = about.to, .len = 128};
	bool judged[TW_DIR__MAX] = {
		[TW_DIR_OUT] = tw_policy_find_owner(policy, &about.from) != NULL,
		[TW_DIR_IN] = tw_policy_find_owner(policy, &about.to) || tw_propose_is_group(&to)};

	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		judged[dir] |= entry->ends >> dir & 1;
	/* A guest whose addresses are not checked owns none, so either end may be its own. */
	if (!judged[TW_DIR_OUT] && !judged[TW_DIR_IN])
		judged[TW_DIR_OUT] = judged[TW_DIR_IN] = true;
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		ret_rule[dir] = judged[dir] ? tw_policy_match(policy, space_of(policy, &about),
						      (enum tw_dir)dir, &about)
					    : SIZE_MAX;
}

bool tw_propose_is_unsure(const struct tw_policy *policy, const struct tw_seen_entry *entry)
{
	bool any = false;

	for (size_t i = 0; i < policy->nics.n && !any; i++)
		any = policy->nics.at[i].pub.any;
	return any && (!tw_policy_find_owner(policy, &entry->addr[TW_DIR_OUT]) ||
			      !tw_policy_find_owner(policy, &entry->addr[TW_DIR_IN]));
}

static int note_refused(struct tw_propose *propose, size_t rule, uint64_t n)
{
	tw_vec_foreach (&propose->refused, refused)
		if (refused->rule == rule) {
			refused->n += n;
			return 0;
		}
	return tw_vec_push(&propose->refused, ((struct tw_propose_refused){rule, n}));
}

enum need { NEED_NOTHING, NEED_RULE, NEED_NOTHING_REFUSED };

/* Decides whether the connections of an entry need a rule: the default decides at an end, or the rules
 * that allow them are not kept. */
static enum need need_of(
	const struct tw_propose *propose, const struct tw_seen_entry *entry, size_t *ret_rule)
{
	const struct tw_policy *policy = propose->policy;
	size_t rule[TW_DIR__MAX];
	enum need need = propose->fresh ? NEED_RULE : NEED_NOTHING;

	if (!propose->fresh && entry->verdict == TW_V_ALLOW &&
		tw_propose_is_unsure(policy, entry) &&
		strcmp(tw_seen_name(propose->seen, entry->rule), "default") != 0)
		return NEED_NOTHING;
	tw_propose_judge(policy, entry, rule);
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		if (rule[dir] == SIZE_MAX)
			continue;
		if (rule[dir] == tw_policy_n_rules(policy)) {
			need = NEED_RULE;
		} else if (tw_policy_rule(policy, rule[dir])->action != TW_V_ALLOW) {
			*ret_rule = rule[dir];
			return NEED_NOTHING_REFUSED;
		}
	}
	return need;
}

/* ---- pairs ---- */

static int compare_pairs(const void *a, const void *b)
{
	const struct tw_propose_pair *x = a, *y = b;
	int by = tw_propose_compare_services(&x->service, &y->service);

	if (!by)
		by = tw_propose_compare_ends(&x->end[TW_DIR_OUT], &y->end[TW_DIR_OUT]);
	if (!by)
		by = tw_propose_compare_ends(&x->end[TW_DIR_IN], &y->end[TW_DIR_IN]);
	return by;
}

static int compare_by_ends(const void *a, const void *b)
{
	const struct tw_propose_pair *x = a, *y = b;
	int by = tw_propose_compare_ends(&x->end[TW_DIR_OUT], &y->end[TW_DIR_OUT]);

	if (!by)
		by = tw_propose_compare_ends(&x->end[TW_DIR_IN], &y->end[TW_DIR_IN]);
	return by ? by : tw_propose_compare_services(&x->service, &y->service);
}

/* Merges pairs with the same ends and service into one, which is switched on if one of them is. */
static void unite(tw_propose_pairs *pairs)
{
	size_t n = 0;

	if (pairs->n)
		qsort(pairs->at, pairs->n, sizeof(*pairs->at), compare_pairs);
	for (size_t i = 0; i < pairs->n; i++) {
		struct tw_propose_pair *last = n ? &pairs->at[n - 1] : NULL, pair = pairs->at[i];

		if (!last || compare_pairs(last, &pair)) {
			pairs->at[n++] = pair;
			continue;
		}
		last->n += pair.n;
		last->n_worked += pair.n_worked;
		last->last = pair.last > last->last ? pair.last : last->last;
		last->why = pair.why < last->why ? pair.why : last->why;
		for (int dir = 0; dir < TW_DIR__MAX; dir++)
			if (pair.end[dir].n_seen > last->end[dir].n_seen)
				last->end[dir].n_seen = pair.end[dir].n_seen;
	}
	pairs->n = n;
}

static bool has_ports(const struct tw_propose_pair *pair)
{
	return pair->service.proto == IPPROTO_TCP || pair->service.proto == IPPROTO_UDP;
}

static int add_entry(struct tw_propose *propose, const struct tw_seen_entry *entry)
{
	struct tw_propose_pair pair = {.service = {entry->proto, entry->detail, entry->detail},
		.end = {end_of(propose, entry, TW_DIR_OUT), end_of(propose, entry, TW_DIR_IN)},
		.n = entry->n,
		.n_worked = entry->n_worked,
		.last = entry->last};
	bool must_answer = entry->proto == IPPROTO_TCP || tw_tuple_is_icmp(entry->proto);

	/* A pair has all codes of an ICMP type, because the type alone tells the kind of traffic. */
	if (tw_tuple_is_icmp(entry->proto)) {
		pair.service.lo &= 0xff00;
		pair.service.hi |= 0xff;
	}
	if (entry->scan) {
		pair.service = (struct tw_propose_service){entry->proto, 0, UINT16_MAX};
		pair.why = TW_PROPOSE_PORTS_MANY;
	} else if (!tw_tuple_has_ports(entry->proto) && !tw_tuple_is_icmp(entry->proto)) {
		pair.service = (struct tw_propose_service){entry->proto, 0, UINT16_MAX};
	}
	/* Answers never come from a multicast or broadcast address. */
	if (!pair.why && must_answer && !entry->n_worked &&
		!tw_propose_is_group(&(struct tw_prefix){entry->addr[TW_DIR_IN], 128}))
		pair.why = TW_PROPOSE_UNANSWERED;
	return tw_vec_push(&propose->pairs, pair);
}

static int take_entry(struct tw_propose *propose, const struct tw_seen_entry *entry)
{
	size_t rule;

	/* A denied connection did not work. A packet that would be denied for another reason than
	 * policy begins no connection. */
	if ((entry->verdict != TW_V_ALLOW && entry->verdict != TW_V_WOULD_DENY) ||
		(entry->verdict == TW_V_WOULD_DENY &&
			strcmp(tw_seen_name(propose->seen, entry->reason), "policy") != 0)) {
		propose->n_always += entry->n;
		return 0;
	}
	switch (need_of(propose, entry, &rule)) {
	case NEED_NOTHING_REFUSED:
		return note_refused(propose, rule, entry->n);
	case NEED_RULE:
		return add_entry(propose, entry);
	case NEED_NOTHING:
		break;
	}
	propose->n_allowed += entry->n;
	return 0;
}

/* ---- many ports ---- */

/* Makes one range of the dynamic ports of a pair of ends, pairs `from` to `to` of one protocol. */
static void fold_dynamic(struct tw_propose_pair *at, size_t from, size_t to)
{
	struct tw_propose_service range = {.lo = UINT16_MAX};
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		const struct tw_propose_service *service = &at[i].service;

		if (at[i].why || service->lo < TW_PROPOSE_DYNAMIC)
			continue;
		range.lo = service->lo < range.lo ? service->lo : range.lo;
		range.hi = service->hi > range.hi ? service->hi : range.hi;
		n++;
	}
	for (size_t i = from; n >= DYNAMIC_MIN && i < to; i++)
		if (!at[i].why && at[i].service.lo >= TW_PROPOSE_DYNAMIC) {
			at[i].service.lo = range.lo;
			at[i].service.hi = range.hi;
			at[i].why = TW_PROPOSE_PORTS_DYNAMIC;
		}
}

/* Replaces the services of a pair of ends by their protocol if there are many. Those that were never
 * answered are counted apart, so that they do not switch off the others. */
static void fold_many(struct tw_propose_pair *at, size_t from, size_t to, enum tw_propose_why why)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++)
		n += at[i].why == why;
	for (size_t i = from; n > TW_PROPOSE_PORTS && i < to; i++)
		if (at[i].why == why) {
			at[i].service.lo = 0;
			at[i].service.hi = UINT16_MAX;
			at[i].why = TW_PROPOSE_PORTS_MANY;
		}
}

static void fold_ports(tw_propose_pairs *pairs)
{
	struct tw_propose_pair *at = pairs->at;

	if (pairs->n)
		qsort(at, pairs->n, sizeof(*at), compare_by_ends);
	for (size_t from = 0, to; from < pairs->n; from = to) {
		for (to = from + 1;
			to < pairs->n && at[to].service.proto == at[from].service.proto &&
			!tw_propose_compare_ends(
				&at[to].end[TW_DIR_OUT], &at[from].end[TW_DIR_OUT]) &&
			!tw_propose_compare_ends(&at[to].end[TW_DIR_IN], &at[from].end[TW_DIR_IN]);)
			to++;
		if (!has_ports(&at[from]))
			continue;
		fold_dynamic(at, from, to);
		fold_many(at, from, to, TW_PROPOSE_ON);
		fold_many(at, from, to, TW_PROPOSE_UNANSWERED);
	}
	unite(pairs);
}

/* ---- many services of one source to addresses outside ---- */

static int compare_by_source(const void *a, const void *b)
{
	const struct tw_propose_pair *x = a, *y = b;
	int by = order(x->end[TW_DIR_IN].workload != TW_INDEX_NONE,
		y->end[TW_DIR_IN].workload != TW_INDEX_NONE);

	if (!by)
		by = tw_propose_compare_ends(&x->end[TW_DIR_OUT], &y->end[TW_DIR_OUT]);
	return by ? by : compare_pairs(x, y);
}

/* True if both are from one source to addresses outside. */
static bool is_outside(const struct tw_propose_pair *a, const struct tw_propose_pair *b)
{
	return a->end[TW_DIR_IN].workload == TW_INDEX_NONE &&
	       b->end[TW_DIR_IN].workload == TW_INDEX_NONE &&
	       !tw_propose_compare_ends(&a->end[TW_DIR_OUT], &b->end[TW_DIR_OUT]);
}

/* Replaces many services of one source by their protocol. A peer-to-peer program, or a hostile guest, uses
 * a new port for each destination. */
static void fold_services(tw_propose_pairs *pairs)
{
	struct tw_propose_pair *at = pairs->at;

	if (pairs->n)
		qsort(at, pairs->n, sizeof(*at), compare_by_source);
	for (size_t from = 0, to; from < pairs->n; from = to) {
		size_t n = 0, n_low = 0;

		for (to = from; to < pairs->n && (to == from || is_outside(&at[from], &at[to]));
			to++) {
			bool fresh = to == from || tw_propose_compare_services(
							   &at[to].service, &at[to - 1].service);

			n += fresh;
			n_low += fresh && at[to].service.lo < IPPORT_RESERVED;
		}
		for (size_t i = from; n > TW_PROPOSE_SERVICES && i < to; i++)
			if (has_ports(&at[i]) && (at[i].service.lo >= IPPORT_RESERVED ||
							 n_low > TW_PROPOSE_SERVICES)) {
				at[i].service.lo = 0;
				at[i].service.hi = UINT16_MAX;
				at[i].why = TW_PROPOSE_PORTS_MANY;
			}
	}
	unite(pairs);
}

/* ---- many addresses ---- */

static struct tw_prefix widen(const struct tw_addr *addr, unsigned int len)
{
	struct tw_prefix prefix = {.addr = *addr, .len = (uint8_t)len};

	for (unsigned int bit = len; bit < 128; bit++)
		prefix.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return prefix;
}

/* Returns the prefix that replaces an address if there are too many of them; a shorter one if `coarse`. */
static struct tw_prefix summary(const struct tw_addr *addr, bool coarse)
{
	bool v4 = is_v4(addr), group = tw_propose_is_group(&(struct tw_prefix){*addr, 128});

	if (group)
		return v4 && addr->b[12] == 0xff ? (struct tw_prefix){*addr, 128}
						 : widen(addr, v4 ? V4_BITS + 4 : 8);
	if (coarse)
		return widen(addr, v4 ? V4_BITS : 0);
	return widen(addr, v4 ? V4_NET : V6_NET);
}

/* Orders by everything but the addresses outside at end `arg`. */
static int compare_for_widening(const void *a, const void *b, void *arg)
{
	const struct tw_propose_pair *x = a, *y = b;
	enum tw_dir dir = *(const enum tw_dir *)arg;
	const struct tw_propose_end *here = &x->end[dir], *there = &y->end[dir];
	int by = order(here->workload != TW_INDEX_NONE, there->workload != TW_INDEX_NONE);

	if (!by)
		by = order(x->why, y->why);
	if (!by)
		by = tw_propose_compare_services(&x->service, &y->service);
	if (!by)
		by = tw_propose_compare_ends(&x->end[!dir], &y->end[!dir]);
	if (!by)
		by = order(tw_propose_is_group(&here->prefix), tw_propose_is_group(&there->prefix));
	return by ? by : order(is_v4(&here->prefix.addr), is_v4(&there->prefix.addr));
}

static int compare_widened(const void *a, const void *b, void *arg)
{
	const struct tw_propose_pair *x = a, *y = b;
	enum tw_dir dir = *(const enum tw_dir *)arg;
	int by = compare_for_widening(a, b, arg);

	return by ? by : tw_propose_compare_ends(&x->end[dir], &y->end[dir]);
}

/* Widens the addresses of pairs `from` to `to`, which differ only in these. */
static void widen_pairs(struct tw_propose_pair *at, size_t from, size_t to, enum tw_dir dir)
{
	uint32_t n_addresses = (uint32_t)(to - from), n_prefixes = 1;
	bool coarse;

	if (n_addresses <= TW_PROPOSE_ADDRESSES)
		return;
	for (size_t i = from + 1; i < to; i++) {
		struct tw_prefix a = summary(&at[i - 1].end[dir].prefix.addr, false);
		struct tw_prefix b = summary(&at[i].end[dir].prefix.addr, false);

		n_prefixes += memcmp(&a.addr, &b.addr, sizeof(a.addr)) != 0;
	}
	coarse = n_prefixes > TW_PROPOSE_ADDRESSES;
	for (size_t i = from; i < to; i++) {
		at[i].end[dir].prefix = summary(&at[i].end[dir].prefix.addr, coarse);
		at[i].end[dir].n_seen = n_addresses;
	}
}

static void widen_end(tw_propose_pairs *pairs, enum tw_dir dir)
{
	struct tw_propose_pair *at = pairs->at;

	if (pairs->n)
		qsort_r(at, pairs->n, sizeof(*at), compare_widened, &dir);
	for (size_t from = 0, to; from < pairs->n; from = to) {
		for (to = from + 1;
			to < pairs->n && !compare_for_widening(&at[from], &at[to], &dir);)
			to++;
		if (at[from].end[dir].workload == TW_INDEX_NONE)
			widen_pairs(at, from, to, dir);
	}
	unite(pairs);
}

/* ---- the step ---- */

int tw_propose_pair_up(struct tw_propose *propose)
{
	tw_propose_pairs *pairs = &propose->pairs;
	int ret;

	tw_vec_foreach (&propose->seen->entries, entry) {
		ret = take_entry(propose, entry);
		if (ret < 0)
			return ret;
	}
	unite(pairs);
	fold_ports(pairs);
	fold_services(pairs);
	tw_vec_foreach (pairs, pair)
		if (pair->why == TW_PROPOSE_ON && pair->n < propose->min)
			pair->why = TW_PROPOSE_RARE;
	widen_end(pairs, TW_DIR_OUT);
	widen_end(pairs, TW_DIR_IN);
	return 0;
}
