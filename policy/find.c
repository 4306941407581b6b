/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* find.c: finds the vNIC of an address, a port or a MAC; and the accessors of a policy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "policy/model.h"

static bool same_port(const void *owner, uint32_t value, const void *key)
{
	const struct tw_policy *p = owner;

	return !strcmp(p->nics.at[value].pub.port, key);
}

static bool same_mac(const void *owner, uint32_t value, const void *key)
{
	const struct tw_policy *p = owner;

	return !memcmp(p->nics.at[value].pub.mac, key, 6);
}

static bool same_owned(const void *owner, uint32_t value, const void *key)
{
	const struct tw_prefix *have = &((const struct tw_policy *)owner)->owned.at[value].prefix;
	const struct tw_prefix *want = key;

	return have->len == want->len && !memcmp(&have->addr, &want->addr, sizeof(have->addr));
}

static uint64_t hash_prefix(const struct tw_policy *p, const struct tw_prefix *prefix)
{
	return tw_table_hash(&prefix->addr, sizeof(prefix->addr), p->seed + prefix->len);
}

static uint64_t hash_text(const struct tw_policy *p, const char *text)
{
	return tw_table_hash(text, strlen(text), p->seed);
}

static int index_nic(struct tw_policy *p, uint32_t number)
{
	const struct tw_vnic *vnic = &p->nics.at[number].pub;
	int err = 0;

	if (vnic->port)
		err = tw_index_add(&p->port_index, hash_text(p, vnic->port), number);
	if (vnic->has_mac && !err)
		err = tw_index_add(&p->mac_index, tw_table_hash(vnic->mac, 6, p->seed), number);
	return err;
}

/* If several vNICs have the same prefix, the first counts as its owner. */
static int index_prefix(struct tw_policy *p, uint32_t number, const struct tw_prefix *prefix)
{
	struct tw_owner_row owned = {.prefix = *prefix, .nic = number};
	uint64_t hash = hash_prefix(p, prefix);
	int err;

	if (tw_index_find(&p->owned_index, hash, same_owned, p, prefix) != TW_INDEX_NONE)
		return 0;
	err = tw_vec_push(&p->owned, owned);
	return err ? err : tw_index_add(&p->owned_index, hash, (uint32_t)p->owned.n - 1);
}

int tw_policy_index(struct tw_policy *p)
{
	bool in_use[129] = {false};
	int err = 0;

	/* A copied policy has the indexes of its original. */
	tw_index_done(&p->owned_index);
	tw_index_done(&p->port_index);
	tw_index_done(&p->mac_index);
	p->owned.n = p->n_owned_lens = 0;

	for (uint32_t i = 0; i < p->nics.n && !err; i++) {
		const struct tw_vnic *vnic = &p->nics.at[i].pub;

		err = index_nic(p, i);
		for (size_t k = 0; k < vnic->n_prefixes && !err; k++) {
			err = index_prefix(p, i, &vnic->prefixes[k]);
			in_use[vnic->prefixes[k].len] = true;
		}
	}
	for (int len = 128; len >= 0; len--)
		if (in_use[len])
			p->owned_lens[p->n_owned_lens++] = (uint8_t)len;
	return err;
}

/* Finds an owner in one view. */
static const struct tw_vnic *find_owner(const struct tw_policy *p, const struct tw_addr *addr)
{
	tw_u128 number = tw_set_number(addr);

	for (size_t i = 0; i < p->n_owned_lens; i++) {
		uint8_t len = p->owned_lens[i];
		struct tw_prefix prefix = {.addr = *addr, .len = len};
		uint32_t found;

		if (len < 128)
			prefix.addr = tw_set_addr(len ? number & ~(TW_U128_MAX >> len) : 0);
		found = tw_index_find(
			&p->owned_index, hash_prefix(p, &prefix), same_owned, p, &prefix);
		if (found != TW_INDEX_NONE)
			return &p->nics.at[p->owned.at[found].nic].pub;
	}
	return NULL;
}

const struct tw_vnic *tw_policy_find_owner_in(
	const struct tw_policy *p, uint32_t space, const struct tw_addr *addr)
{
	const struct tw_vnic *owner = find_owner(tw_spaces_view(p, space), addr);

	/* A view numbers vNICs as the policy does. */
	return owner ? tw_policy_vnic(p, owner->index) : NULL;
}

/* Returns the only owner of an address in all spaces. *ret_shared: there are several. */
static const struct tw_vnic *find_only_owner(
	const struct tw_policy *p, const struct tw_addr *addr, bool *ret_shared)
{
	const struct tw_vnic *only = NULL;

	*ret_shared = false;
	for (uint32_t space = 0; space < tw_spaces_n(p); space++) {
		const struct tw_vnic *owner = tw_policy_find_owner_in(p, space, addr);

		if (owner && only)
			*ret_shared = true;
		only = owner ? owner : only;
	}
	return *ret_shared ? NULL : only;
}

const struct tw_vnic *tw_policy_find_owner(const struct tw_policy *p, const struct tw_addr *addr)
{
	bool shared;

	return find_only_owner(p, addr, &shared);
}

size_t tw_policy_n_spaces(const struct tw_policy *p)
{
	return tw_spaces_n(p);
}

bool tw_policy_is_shared(const struct tw_policy *p, const struct tw_addr *addr)
{
	bool shared;

	find_only_owner(p, addr, &shared);
	return shared;
}

const struct tw_vnic *tw_policy_find_workload(const struct tw_policy *p, const char *name)
{
	const struct tw_name *found = tw_names_find(&p->names, name);

	if (!found || found->kind != TW_OP_WORKLOAD)
		return NULL;
	return &p->nics.at[p->workloads.at[found->index].first_nic].pub;
}

const struct tw_vnic *tw_policy_find_port(const struct tw_policy *p, const char *ifname)
{
	uint32_t found = tw_index_find(&p->port_index, hash_text(p, ifname), same_port, p, ifname);

	return found == TW_INDEX_NONE ? NULL : &p->nics.at[found].pub;
}

const struct tw_vnic *tw_policy_find_mac(const struct tw_policy *p, const uint8_t mac[6])
{
	uint32_t found = tw_index_find(
		&p->mac_index, tw_table_hash(mac, 6, p->seed), same_mac, p, mac);

	return found == TW_INDEX_NONE ? NULL : &p->nics.at[found].pub;
}

long tw_policy_rule_index(const struct tw_policy *p, const char *name)
{
	const struct tw_name *found = tw_names_find(&p->rule_names, name);

	if (found)
		return (long)found->index;
	return strcmp(name, "default") ? -ENOENT : (long)tw_policy_n_rules(p);
}

size_t tw_policy_n_workloads(const struct tw_policy *p)
{
	return p->workloads.n;
}

size_t tw_policy_n_groups(const struct tw_policy *p)
{
	return p->groups.n;
}

size_t tw_policy_n_vnics(const struct tw_policy *p)
{
	return p->nics.n;
}

const struct tw_vnic *tw_policy_vnic(const struct tw_policy *p, size_t index)
{
	return index < p->nics.n ? &p->nics.at[index].pub : NULL;
}

size_t tw_policy_n_rules(const struct tw_policy *p)
{
	return p->rules.n - 1;
}

const struct tw_rule_info *tw_policy_rule(const struct tw_policy *p, size_t index)
{
	return index < p->rules.n ? &p->rules.at[index].info : NULL;
}

enum tw_unclaimed tw_policy_unclaimed(const struct tw_policy *p)
{
	return tw_policy_observes(p) ? TW_UNCLAIMED_IGNORE : p->unclaimed;
}

bool tw_policy_observes(const struct tw_policy *p)
{
	return p->mode == TW_MODE_OBSERVE;
}

bool tw_policy_liberal(const struct tw_policy *p)
{
	return p->tcp == TW_TCP_CHECKS_LIBERAL;
}

enum tw_bind tw_policy_bind(const struct tw_policy *p)
{
	return p->bind;
}

uint32_t tw_policy_timeout(const struct tw_policy *p, enum tw_state state)
{
	return state < TW_S__MAX ? p->timeout[state] : 0;
}

uint32_t tw_policy_adopt_seconds(const struct tw_policy *p)
{
	return p->has_adopt ? p->adopt_seconds : TW_ADOPT_SECONDS_DEFAULT;
}

bool tw_policy_ask_allows(const struct tw_policy *p)
{
	return p->ask_allows;
}

void tw_policy_fill_config(const struct tw_policy *p, struct tw_config *ret)
{
	tw_state_timeouts(ret);
	for (enum tw_state state = 0; state < TW_S__MAX; state++) {
		uint32_t seconds = tw_policy_timeout(p, state);

		if (seconds)
			ret->timeout[state] = seconds * TW_TICKS_PER_SECOND;
	}
	ret->ask_timeout = (uint32_t)((uint64_t)(p->ask_ms ? p->ask_ms : TW_ASK_MS_DEFAULT) *
				      TW_TICKS_PER_SECOND / 1000) +
			   1;
	ret->ask_verdict = p->ask_allows ? TW_V_ALLOW : TW_V_DENY;
	ret->reply_rate = p->has_refusals ? p->refusals : TW_REFUSALS_DEFAULT;
	ret->reply_burst = ret->reply_rate < TW_REFUSALS_BURST ? ret->reply_rate
							       : TW_REFUSALS_BURST;
}

static bool is_link_local(const struct tw_prefix *prefix)
{
	return prefix->len == 128 && prefix->addr.b[0] == 0xfe &&
	       (prefix->addr.b[1] & 0xc0) == 0x80;
}

int tw_policy_each_reserved(
	const struct tw_policy *p, int (*each)(void *arg, const struct tw_addr *addr), void *arg)
{
	int ret = 0;

	for (size_t i = 0; i < p->n_reserved && !ret; i++)
		ret = each(arg, &p->reserved[i]);
	for (size_t i = 0; i < tw_policy_n_vnics(p) && !ret; i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(p, i);

		for (size_t k = 0; k < tw_vnic_n_given(vnic) && !ret; k++)
			if (is_link_local(&vnic->prefixes[k]))
				ret = each(arg, &vnic->prefixes[k].addr);
	}
	return ret;
}

/* Returns a quota for the fast path. 0 there means the table's default, so `none` becomes more
 * than the table holds. */
static uint32_t quota_of(const struct tw_limits *limits, enum tw_limit limit)
{
	return limits->said & 1u << limit && !limits->at[limit] ? UINT32_MAX : limits->at[limit];
}

void tw_policy_fill_port(const struct tw_vnic *vnic, struct tw_port *ret)
{
	memcpy(ret->mac, vnic->mac, sizeof(ret->mac));
	ret->flags = (__u16)((vnic->any ? TW_PORT_F_GUARD_ANY : 0) |
			     (vnic->transit ? TW_PORT_F_TRANSIT : 0) |
			     (vnic->dhcp ? TW_PORT_F_DHCP : 0) |
			     (vnic->grants ? TW_PORT_F_GRANTS : 0) |
			     (vnic->slaac ? TW_PORT_F_SLAAC : 0) |
			     (vnic->observed ? TW_PORT_F_OBSERVED : 0) |
			     (vnic->liberal ? TW_PORT_F_LIBERAL : 0) |
			     (vnic->looks ? TW_PORT_F_LOOKS : 0));
	/* `addrs` tells which addresses are shared. */
	if (vnic->n_shared)
		ret->flags |= TW_PORT_F_MORE;
	ret->n_addrs = 0;
	ret->packet_rate = vnic->limits.at[TW_LIMIT_PACKETS];
	ret->open_rate = vnic->limits.at[TW_LIMIT_NEW_CONNECTIONS];
	ret->half_open_max = quota_of(&vnic->limits, TW_LIMIT_HALF_OPEN);
	ret->established_max = quota_of(&vnic->limits, TW_LIMIT_ESTABLISHED);
	ret->broadcast_rate = vnic->limits.said & 1u << TW_LIMIT_BROADCAST
				      ? vnic->limits.at[TW_LIMIT_BROADCAST]
			      : vnic->observed ? 0
					       : TW_BROADCAST_RATE_DEFAULT;
	if (!(vnic->limits.said & 1u << TW_LIMIT_BROADCAST) && ret->broadcast_rate)
		ret->flags |= TW_PORT_F_SPARES;
	for (size_t i = 0; i < tw_vnic_n_given(vnic); i++) {
		if (vnic->prefixes[i].len == 128 && ret->n_addrs < TW_PORT_ADDRS)
			ret->addr[ret->n_addrs++] = vnic->prefixes[i].addr;
		else
			ret->flags |= TW_PORT_F_MORE;
	}
}

size_t tw_policy_expire(struct tw_policy *p, int64_t now_s)
{
	size_t n = 0;

	for (size_t i = 0; i < p->rules.n; i++) {
		struct tw_rule_info *info = &p->rules.at[i].info;

		if (!info->until_s || info->expired || now_s < info->until_s)
			continue;
		info->expired = true;
		info->at_out = info->at_in = false;
		n += !info->disabled;
	}
	return n;
}

int64_t tw_policy_next_until(const struct tw_policy *p)
{
	int64_t next = 0;

	for (size_t i = 0; i < p->rules.n; i++) {
		const struct tw_rule_info *info = &p->rules.at[i].info;

		if (info->until_s && !info->expired && !info->disabled &&
			(!next || info->until_s < next))
			next = info->until_s;
	}
	return next;
}

void tw_policy_fill_announced(const struct tw_vnic *vnic, struct tw_leases *ret)
{
	bool names = vnic->slaac && vnic->n_formed_in;

	for (size_t i = 0; (names || ret->named) && i < TW_ANNOUNCED_MAX; i++) {
		bool used = names && i < vnic->n_formed_in;
		struct tw_announced now = {
			used ? vnic->formed_in[i].addr.d[0] : 0, used ? UINT64_MAX : 0};
		struct tw_announced *at = &ret->announced[i];

		if (at->prefix == now.prefix && at->until_ns == now.until_ns)
			continue;
		__atomic_store_n(&at->until_ns, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&at->prefix, now.prefix, __ATOMIC_SEQ_CST);
		__atomic_store_n(&at->until_ns, now.until_ns, __ATOMIC_SEQ_CST);
	}
	ret->named = names;
}

static bool is_address(const struct tw_prefix *prefix, const struct tw_addr *addr)
{
	return prefix->len == 128 && !memcmp(&prefix->addr, addr, sizeof(*addr));
}

static bool list_names(const struct tw_operands *list, const struct tw_addr *addr)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].kind == TW_OP_PREFIX && is_address(&list->at[i].prefix, addr))
			return true;
	return false;
}

bool tw_policy_names_address(const struct tw_policy *policy, const struct tw_addr *addr)
{
	tw_vec_foreach (&policy->networks, network)
		for (size_t i = 0; i < network->n_prefixes; i++)
			if (is_address(&network->prefixes[i], addr))
				return true;
	tw_vec_foreach (&policy->groups, group)
		if (list_names(&group->networks, addr))
			return true;
	tw_vec_foreach (&policy->rules, rule)
		if (list_names(&rule->from, addr) || list_names(&rule->to, addr))
			return true;
	return false;
}
