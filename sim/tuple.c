/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/tuple.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

#include "fastpath/abi/names.h"

#define SPORT_CHOSEN 49152 /* first dynamic port, RFC 6335 §6 */
#define MAPPED_BITS  96	   /* prefix length of ::ffff:0:0/96 */
#define PREFIX_HOST  128

enum { FAMILY_V4 = 1, FAMILY_V6 = 2 };

static const struct {
	const char *name;
	uint8_t proto;
} protos[] = {
	{"tcp", IPPROTO_TCP},
	{"udp", IPPROTO_UDP},
	{"icmp", IPPROTO_ICMP},
	{"icmp6", IPPROTO_ICMPV6},
};

static const char *const end_words[TW_DIR__MAX] = {[TW_DIR_OUT] = "from", [TW_DIR_IN] = "to"};

bool tw_tuple_has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

bool tw_tuple_is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

const char *tw_tuple_proto_name(uint8_t proto, char *text)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	snprintf(text, 4, "%u", proto);
	return text;
}

static int read_number(
	const char *word, const char *text, unsigned int max, unsigned int *ret, struct tw_err *err)
{
	unsigned int number = 0;
	size_t i = 0;

	for (; text[i] >= '0' && text[i] <= '9' && i < 6; i++)
		number = number * 10 + (unsigned int)(text[i] - '0');
	if (!i || text[i] || number > max)
		return tw_err_set(err, -EINVAL, word, NULL, "'%.64s' is not a number from 0 to %u",
			text, max);
	*ret = number;
	return 0;
}

/* Reads the protocol. *ret_families is the address families that its name allows. */
static int read_proto(
	const char *text, uint8_t *ret, unsigned int *ret_families, struct tw_err *err)
{
	unsigned int number;

	if (!text)
		return tw_err_set(err, -EINVAL, "proto", "give tcp, udp, icmp, icmp6 or a number",
			"is missing");
	*ret_families = FAMILY_V4 | FAMILY_V6;
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++) {
		if (strcmp(protos[i].name, text))
			continue;
		*ret = protos[i].proto;
		if (protos[i].proto == IPPROTO_ICMP)
			*ret_families = FAMILY_V4;
		if (protos[i].proto == IPPROTO_ICMPV6)
			*ret_families = FAMILY_V6;
		return 0;
	}
	if (text[0] < '0' || text[0] > '9' ||
		read_number("proto", text, UINT8_MAX, &number, err) < 0)
		return tw_err_set(err, -EINVAL, "proto", "give tcp, udp, icmp, icmp6 or a number",
			"'%.64s' is not a protocol", text);
	*ret = (uint8_t)number;
	return 0;
}

static unsigned int family_of(const struct tw_addr *addr)
{
	return tw_addr_is_v4(addr) ? FAMILY_V4 : FAMILY_V6;
}

/* Returns an address inside a prefix: the host itself, or the first host. */
static struct tw_addr first_host(const struct tw_prefix *prefix)
{
	struct tw_addr addr = prefix->addr;

	if (prefix->len < PREFIX_HOST - 1)
		addr.b[15] |= 1;
	return addr;
}

/* One end while it is being read: its workload and the addresses it could use. */
struct end {
	const char *word;
	const struct tw_vnic *vnic;
	unsigned int families;
	bool fixed; /* `addr` was given and is not chosen */
	bool named; /* its workload was given */
	struct tw_addr addr;
};

static bool same_workload(const struct tw_policy *policy, size_t index, const char *workload)
{
	const struct tw_vnic *vnic = index < tw_policy_n_vnics(policy)
					     ? tw_policy_vnic(policy, index)
					     : NULL;

	return vnic && !strcmp(vnic->workload, workload);
}

/* Returns the address families of the workload whose first vNIC is `first`. */
static unsigned int workload_families(const struct tw_policy *policy, const struct tw_vnic *first)
{
	unsigned int families = 0;

	for (size_t i = first->index; same_workload(policy, i, first->workload); i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(policy, i);

		for (size_t p = 0; p < vnic->n_prefixes; p++)
			families |= vnic->prefixes[p].len >= MAPPED_BITS
					    ? family_of(&vnic->prefixes[p].addr)
					    : FAMILY_V6;
	}
	return families;
}

/* Returns the first vNIC with `any` of the workload whose first vNIC is `first`, or `first`. */
static const struct tw_vnic *find_any(const struct tw_policy *policy, const struct tw_vnic *first)
{
	for (size_t i = first->index; same_workload(policy, i, first->workload); i++)
		if (tw_policy_vnic(policy, i)->any)
			return tw_policy_vnic(policy, i);
	return first;
}

static int read_workload(
	const struct tw_policy *policy, const char *text, struct end *end, struct tw_err *err)
{
	const char *at = strchr(text, '@');
	char name[256];

	snprintf(name, sizeof(name), "%.*s", at ? (int)(at - text) : (int)sizeof(name) - 1, text);
	end->vnic = tw_policy_find_workload(policy, name);
	if (!end->vnic)
		return tw_err_set(err, -EINVAL, end->word, "give a workload or an IP address",
			"the policy has no workload '%.200s'", name);
	if (at && tw_addr_parse(at + 1, &end->addr) < 0)
		return tw_err_set(
			err, -EINVAL, end->word, NULL, "'%.64s' is not an IP address", at + 1);
	end->fixed = at != NULL;
	end->named = true;
	if (at) {
		const struct tw_vnic *owner = tw_policy_find_owner(policy, &end->addr);

		/* If the workload has several vNICs, takes the one with the address, or one that
		 * may use any. */
		if (owner && !strcmp(owner->workload, end->vnic->workload))
			end->vnic = owner;
		else
			end->vnic = find_any(policy, end->vnic);
	}
	end->families = at ? family_of(&end->addr) : workload_families(policy, end->vnic);
	if (!end->families && tw_vnic_learns(end->vnic))
		return tw_err_set(err, -EINVAL, end->word, "ask the host with --live",
			"the workload '%.200s' has only addresses that its host learns", name);
	if (!end->families)
		return tw_err_set(err, -EINVAL, end->word, "write it as WORKLOAD@ADDRESS",
			"the workload '%.200s' has no address of its own", name);
	return 0;
}

static int read_end(
	const struct tw_policy *policy, const char *text, struct end *end, struct tw_err *err)
{
	if (!text)
		return tw_err_set(
			err, -EINVAL, end->word, "give a workload or an IP address", "is missing");
	if (tw_addr_parse(text, &end->addr) < 0)
		return read_workload(policy, text, end, err);
	end->fixed = true;
	end->families = family_of(&end->addr);
	end->vnic = tw_policy_find_owner(policy, &end->addr);
	return 0;
}

/* Picks a workload's address of one family: host addresses before prefixes, link-local ones
 * last. */
static void choose_addr(const struct tw_policy *policy, unsigned int family, struct end *end)
{
	const struct tw_vnic *first = end->vnic;
	int best = -1;

	for (size_t i = first->index; same_workload(policy, i, first->workload); i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(policy, i);

		for (size_t p = 0; p < vnic->n_prefixes; p++) {
			const struct tw_prefix *prefix = &vnic->prefixes[p];
			struct tw_addr addr = first_host(prefix);
			bool local = addr.b[0] == 0xfe && (addr.b[1] & 0xc0) == 0x80;
			int rank = (local ? 0 : 1) + (prefix->len == PREFIX_HOST ? 2 : 0);

			if (family_of(&addr) == family && rank > best) {
				best = rank;
				end->addr = addr;
				end->vnic = vnic;
			}
		}
	}
}

static int choose_family(const struct end *ends, unsigned int families, struct tw_err *err)
{
	unsigned int both = ends[TW_DIR_OUT].families & ends[TW_DIR_IN].families;

	if (!both)
		return tw_err_set(err, -EINVAL, "to", "give both as IPv4 or both as IPv6",
			"the two ends have no address family in common");
	if (!(both & families))
		return tw_err_set(err, -EINVAL, "proto", "icmp is for IPv4, icmp6 for IPv6",
			"the ends' addresses are not of this protocol's family");
	return both & families & FAMILY_V4 ? FAMILY_V4 : FAMILY_V6;
}

static int read_numbers(
	const struct tw_tuple_words *words, struct tw_query *tuple, struct tw_err *err)
{
	unsigned int sport = SPORT_CHOSEN, dport = 0, code = 0;
	unsigned int type = tuple->proto == IPPROTO_ICMP ? ICMP_ECHO : ICMP6_ECHO_REQUEST;

	if (tw_tuple_has_ports(tuple->proto)) {
		if (!words->dport)
			return tw_err_set(
				err, -EINVAL, "dport", "give the destination port", "is missing");
		if (read_number("dport", words->dport, UINT16_MAX, &dport, err) < 0)
			return -EINVAL;
		if (words->sport && read_number("sport", words->sport, UINT16_MAX, &sport, err) < 0)
			return -EINVAL;
		tuple->sport_chosen = !words->sport;
		tuple->sport = (uint16_t)sport;
		tuple->dport = (uint16_t)dport;
	} else if (tw_tuple_is_icmp(tuple->proto)) {
		if (words->type && read_number("type", words->type, UINT8_MAX, &type, err) < 0)
			return -EINVAL;
		if (words->code && read_number("code", words->code, UINT8_MAX, &code, err) < 0)
			return -EINVAL;
		tuple->type = (uint8_t)type;
		tuple->code = (uint8_t)code;
	}
	return 0;
}

/* Finds the owners of addresses in the network of the other end. */
static int find_shared(const struct tw_policy *policy, struct end *ends, struct tw_err *err)
{
	const struct tw_vnic *from, *to;

	for (int d = 0; d < TW_DIR__MAX; d++) {
		struct end *end = &ends[d];
		const struct tw_vnic *other = ends[!d].vnic;

		if (end->named)
			continue;
		if (!other && tw_policy_is_shared(policy, &end->addr))
			return tw_err_set(err, -EINVAL, end->word, "name the workload instead",
				"workloads of several networks have this address");
		if (other)
			end->vnic = tw_policy_find_owner_in(policy, other->space, &end->addr);
	}
	from = ends[TW_DIR_OUT].vnic;
	to = ends[TW_DIR_IN].vnic;
	if (from && to && from->space != to->space)
		return tw_err_set(err, -EINVAL, "to",
			"ask about each end with the address that it sees",
			"%s and %s are in different networks", from->workload, to->workload);
	return 0;
}

int tw_tuple_read(const struct tw_policy *policy, const struct tw_tuple_words *words,
	struct tw_query *ret, struct tw_err *err)
{
	struct end ends[TW_DIR__MAX] = {0};
	struct tw_query tuple = {0};
	unsigned int families;
	int family;

	for (int d = 0; d < TW_DIR__MAX; d++) {
		ends[d].word = end_words[d];
		if (read_end(policy, words->end[d], &ends[d], err) < 0)
			return -EINVAL;
	}
	if (find_shared(policy, ends, err) < 0)
		return -EINVAL;
	if (read_proto(words->proto, &tuple.proto, &families, err) < 0)
		return -EINVAL;
	family = choose_family(ends, families, err);
	if (family < 0 || read_numbers(words, &tuple, err) < 0)
		return -EINVAL;
	for (int d = 0; d < TW_DIR__MAX; d++) {
		if (!ends[d].fixed)
			choose_addr(policy, (unsigned int)family, &ends[d]);
		tuple.addr[d] = ends[d].addr;
		tuple.vnic[d] = ends[d].vnic;
	}
	*ret = tuple;
	return 0;
}
