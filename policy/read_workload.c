/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read_workload.c: the sections `workloads` and `groups`. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diag.h"
#include "policy/grants.h"
#include "policy/limits.h"
#include "policy/read.h"
#include "policy/shared.h"
#include "policy/text.h"

#define GLOBS_MAX ((size_t)20 * 1000 * 1000) /* characters compared with patterns, per reading */

#define V4_LEN 96 /* prefix length of ::ffff:0:0/96, to which IPv4 is mapped */

/* One workload while its mapping is being read. */
struct draft {
	struct tw_workload workload;
	struct tw_nic nic;
	struct tw_grants grants;
	const struct tw_node *shared_node;
	const struct tw_node *nic_node; /* first key of the vNIC itself, if any was written */
	const struct tw_node *ports_node;
	struct tw_prefix formed_in[TW_ANNOUNCED_MAX]; /* prefixes of `slaac` */
	size_t n_formed_in;
	bool has_addresses;
	bool is_placed; /* port or mac was written, even if invalid */
};

/* Claims a text that only one vNIC may have. False after an error. */
static bool claim(
	struct tw_reader *r, const struct tw_node *node, const char *what, const char *text)
{
	struct tw_name name = {.line = node->line};
	const struct tw_name *other;
	char key[TW_NAME_MAX + 2 * TW_PREFIX_TEXT_MAX];

	snprintf(key, sizeof(key), "%s %s", what, text);
	other = tw_names_find(&r->claims, key);
	if (other) {
		tw_reader_error(r, node,
			strncmp(what, "address", strlen("address")) != 0
				? "keep it in one place"
				: "keep it in one place, or list it under shared at each of its workloads",
			"the %s is already used in %s", key,
			tw_files_line(&r->policy->text.files, other->line).text);
		return false;
	}
	name.text = tw_arena_strndup(r->scratch, key, strlen(key));
	if (!name.text) {
		r->nomem = true;
		return false;
	}
	return !tw_reader_failed(r, tw_names_add(&r->claims, name));
}

/* Returns the number of the named address space. A new name gets a new number. 0 after an error. */
static uint32_t space_of(struct tw_reader *r, const struct tw_node *value)
{
	const char *text = tw_reader_text(r, value, "network");
	struct tw_names *names = &r->policy->space_names;
	const struct tw_name *known = text ? tw_names_find(names, text) : NULL;
	struct tw_name name = {.line = value->line, .index = (uint32_t)names->all.n + 1};

	if (!text || known)
		return text ? known->index : 0;
	if (!tw_text_is_name(text)) {
		tw_reader_error(r, value, "use letters, digits, _, . and -",
			"%s cannot be the name of a network", tw_diag_show(text).text);
		return 0;
	}
	if (names->all.n == TW_POLICY_SPACES_MAX) {
		tw_reader_error(r, value, NULL, "too many networks, at most %u are allowed",
			TW_POLICY_SPACES_MAX);
		return 0;
	}
	name.text = tw_reader_keep(r, text, strlen(text) + 1, 1);
	return name.text && !tw_reader_failed(r, tw_names_add(names, name)) ? name.index : 0;
}

static void set_space(struct tw_reader *r, struct tw_vnic *vnic, uint32_t space)
{
	vnic->space = space;
	vnic->network = space ? r->policy->space_names.all.at[space - 1].text : NULL;
}

/* Reads `network` of a mapping before its other keys, because an address is unique only within its
 * network. Returns `otherwise` without one. */
static uint32_t find_space(struct tw_reader *r, const struct tw_node *map, uint32_t otherwise)
{
	for (const struct tw_node *node = map->kind == TW_NODE_MAP ? map->first : NULL; node;
		node = node->next)
		if (node->key && node->key->text && !strcmp(node->key->text, "network"))
			return space_of(r, node);
	return otherwise;
}

/* find_space() has read it. */
static void read_network(struct tw_reader *r, const struct tw_node *value, void *object)
{
	(void)r;
	(void)value;
	(void)object;
}

static bool is_ifname(const char *text)
{
	size_t len = strlen(text);

	if (!len || len >= IFNAMSIZ || !strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	for (; *text; text++)
		if (*text == '/' || *text == ':' || (unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

static void read_port(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "port");
	struct draft *draft = object;

	draft->nic_node = value;
	draft->is_placed = true;
	if (!text)
		return;
	if (!is_ifname(text)) {
		tw_reader_error(r, value,
			"write the tap's or veth's name as ip link shows it, 1 to 15 characters",
			"%s cannot be an interface name", tw_diag_show(text).text);
		return;
	}
	if (claim(r, value, "port", text))
		draft->nic.pub.port = tw_reader_keep(r, text, strlen(text) + 1, 1);
}

static void read_mac(struct tw_reader *r, const struct tw_node *value, void *object)
{
	static const uint8_t zero[6];
	const char *text = tw_reader_text(r, value, "mac");
	struct draft *draft = object;
	char clean[18];
	uint8_t mac[6];

	draft->nic_node = value;
	draft->is_placed = true;
	if (!text)
		return;
	if (tw_text_mac(text, mac) < 0) {
		tw_reader_error(r, value, "write it in quotes: \"52:54:00:00:00:01\"",
			"%s is not a MAC", tw_diag_show(text).text);
		return;
	}
	if (mac[0] & 1 || !memcmp(mac, zero, sizeof(mac))) {
		tw_reader_error(r, value, "write the vNIC's own MAC, as its guest shows it",
			"%s is a group or zero MAC, and cannot be a NIC's",
			tw_diag_show(text).text);
		return;
	}
	snprintf(clean, sizeof(clean), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	if (tw_grants_claimed(r, value, clean) || !claim(r, value, "mac", clean))
		return;
	memcpy(draft->nic.pub.mac, mac, sizeof(mac));
	draft->nic.pub.has_mac = true;
}

static void add_formed_in(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "a prefix");
	struct draft *draft = object;
	struct tw_prefix prefix;

	if (!text || !tw_reader_prefix(r, item, text, true, &prefix))
		return;
	if (prefix.len != 64)
		tw_reader_error(r, item, "write one of 64 bits, such as \"2001:db8:1::/64\"",
			"%s is not a prefix for SLAAC", tw_diag_show(text).text);
	else if (draft->n_formed_in == TW_ANNOUNCED_MAX)
		tw_reader_error(r, item, NULL, "too many prefixes, at most %u are allowed",
			TW_ANNOUNCED_MAX);
	else
		draft->formed_in[draft->n_formed_in++] = prefix;
}

static void note_slaac(struct tw_reader *r, const struct tw_node *node, struct draft *draft)
{
	if (draft->nic.pub.slaac)
		tw_reader_error(r, node, "keep one of them", "addresses lists slaac twice");
	draft->nic.pub.slaac = true;
}

static void read_slaac(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	note_slaac(r, value, draft);
	tw_reader_list(r, value, "slaac", add_formed_in, draft);
	draft->nic.pub.n_formed_in = draft->n_formed_in;
	draft->nic.pub.formed_in = tw_reader_keep(
		r, draft->formed_in, draft->n_formed_in, sizeof(*draft->formed_in));
}

static const struct tw_field learned_fields[] = {
	{.name = "slaac", .read = read_slaac, .required = true},
};

static void read_shared(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	draft->nic_node = value;
	draft->shared_node = value;
	tw_shared_read(r, value, &draft->nic);
}

static void add_address(struct tw_reader *r, const struct tw_node *item, void *object)
{
	char clean[TW_PREFIX_TEXT_MAX], what[TW_NAME_MAX + 48] = "address";
	struct tw_place place = {item->line, item->column};
	struct draft *draft = object;
	const char *network = draft->nic.pub.network;
	struct tw_prefix prefix;
	const char *text;

	if (item->kind == TW_NODE_MAP) {
		tw_reader_map(r, item, "an address", learned_fields, 1, draft);
		return;
	}
	text = tw_reader_text(r, item, "an address");
	if (!text)
		return;
	if (!strcmp(text, "slaac")) {
		note_slaac(r, item, draft);
		return;
	}
	if (!strcmp(text, "any")) {
		draft->nic.pub.any = true;
		return;
	}
	if (!strcmp(text, "dhcp")) {
		if (draft->nic.pub.dhcp)
			tw_reader_error(r, item, "keep one of them", "addresses lists dhcp twice");
		draft->nic.pub.dhcp = true;
		return;
	}
	if (!tw_reader_prefix(r, item, text, true, &prefix))
		return;
	/* A host address belongs to one vNIC. Several vNICs, such as those of a pair of routers,
	 * may have the same wider prefix. */
	tw_prefix_format(&prefix, clean);
	if (prefix.len == 128 && tw_shared_taken(r, item, network, clean))
		return;
	if (prefix.len < 128)
		snprintf(what, sizeof(what), "prefix of vNIC %zu,", r->policy->nics.n + 1);
	else if (network)
		snprintf(what, sizeof(what), "address of network %s,", network);
	if (claim(r, item, what, clean) && !tw_reader_failed(r, tw_vec_push(&r->prefixes, prefix)))
		tw_reader_failed(r, tw_vec_push(&r->places, place));
}

static bool spans_v4(const struct tw_prefix *prefix)
{
	return prefix->len < V4_LEN && tw_set_number(&prefix->addr) <= TW_V4_FIRST &&
	       tw_prefix_last(prefix) >= TW_V4_LAST;
}

/* Pushes a prefix for the guard. An IPv6 prefix that spans the v4-mapped range is halved
 * repeatedly, and the halves outside that range are pushed. */
static void push_own(struct tw_reader *r, struct tw_prefix prefix)
{
	if (!spans_v4(&prefix)) {
		tw_reader_failed(r, tw_vec_push(&r->prefixes, prefix));
		return;
	}
	while (prefix.len < V4_LEN) {
		struct tw_prefix lower = {.addr = prefix.addr, .len = (uint8_t)(prefix.len + 1)};
		tw_u128 middle = tw_prefix_last(&lower) + 1;
		struct tw_prefix upper = {.addr = tw_set_addr(middle), .len = lower.len};
		bool in_upper = TW_V4_FIRST >= middle;

		tw_reader_failed(r, tw_vec_push(&r->prefixes, in_upper ? lower : upper));
		prefix = in_upper ? upper : lower;
	}
}

static void read_addresses(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;
	struct tw_nic *nic = &draft->nic;

	draft->nic_node = value;
	draft->has_addresses = true;
	r->prefixes.n = r->places.n = 0;
	draft->n_formed_in = 0;
	tw_reader_list(r, value, "addresses", add_address, draft);
	if (nic->pub.any && (r->prefixes.n || tw_vnic_learns(&nic->pub)))
		tw_reader_error(r, value, "keep either any or the others",
			"addresses lists any together with others");
	nic->n_written = r->prefixes.n;
	nic->written = tw_reader_keep(r, r->prefixes.at, r->prefixes.n, sizeof(*r->prefixes.at));
	if (!nic->written)
		return;
	r->prefixes.n = 0;
	for (size_t i = 0; i < nic->n_written; i++) {
		push_own(r, nic->written[i]);
		nic->pub.transit |= nic->written[i].len < 128;
	}
	nic->pub.n_prefixes = r->prefixes.n;
	nic->pub.prefixes = tw_reader_keep(
		r, r->prefixes.at, r->prefixes.n, sizeof(*r->prefixes.at));
}

static void read_vlans(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	draft->nic_node = value;
	tw_grants_read_vlans(r, value, &draft->grants);
}

static void read_macs(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	draft->nic_node = value;
	tw_grants_read_macs(r, value, &draft->grants);
}

static void read_may(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	draft->nic_node = value;
	tw_grants_read_may(r, value, &draft->grants);
}

static void read_nic_limits(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	tw_limits_read(r, value, &draft->nic.limits);
}

static void read_workload_limits(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	tw_limits_read(r, value, &draft->workload.limits);
}

static void read_workload_mode(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct draft *)object)->workload.mode = tw_reader_mode(r, value);
}

static void read_workload_tcp(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct draft *)object)->workload.tcp = tw_reader_tcp(r, value);
}

/* Keeps the places of the addresses if one of them is a CIDR. */
static void keep_places(struct tw_reader *r, struct draft *draft, const struct tw_node *node)
{
	if (!draft->nic.pub.transit || r->places.n != draft->nic.n_written)
		return;
	tw_vec_foreach (&r->places, place)
		place->line -= node->line;
	draft->nic.places = tw_reader_keep(r, r->places.at, r->places.n, sizeof(*r->places.at));
}

static void push_nic(struct tw_reader *r, struct draft *draft, const struct tw_node *node)
{
	struct tw_policy *p = r->policy;
	struct tw_nic *nic = &draft->nic;

	nic->line = node->line;
	nic->pub.workload = draft->workload.name;
	nic->pub.index = p->nics.n;
	keep_places(r, draft, node);
	if (!draft->has_addresses)
		tw_reader_error(r, node,
			"list the guest's addresses, or [any] for no address guard",
			"a vNIC has no addresses");
	if (!draft->is_placed)
		tw_reader_error(r, node, "name its port, such as tap0, or give its mac",
			"a vNIC has neither port nor mac");
	if (nic->pub.dhcp && !nic->pub.has_mac)
		tw_reader_error(r, node, "give the vNIC's mac, which identifies its DHCP answers",
			"a vNIC with addresses from DHCP has no mac");
	if (nic->n_shared)
		tw_shared_join(r, draft->shared_node, nic, &draft->grants);
	if (draft->grants.n_macs && !nic->pub.has_mac)
		tw_reader_error(r, node, "give the vNIC's mac, or leave out macs",
			"a vNIC with macs has no mac, so its MACs are not checked");
	if (!tw_grants_empty(&draft->grants))
		nic->pub.grants = tw_reader_keep(r, &draft->grants, 1, sizeof(draft->grants));
	if (nic->pub.slaac && !nic->pub.has_mac)
		tw_reader_error(r, node, "give the mac from which the guest sends",
			"a vNIC with addresses from SLAAC has no mac");
	if (p->nics.n >= TW_POLICY_VNICS_MAX) {
		if (p->nics.n == TW_POLICY_VNICS_MAX)
			tw_reader_error(r, node, NULL, "too many vNICs, at most %u are allowed",
				TW_POLICY_VNICS_MAX);
		return;
	}
	tw_reader_failed(r, tw_vec_push(&p->nics, *nic));
}

static const struct tw_field nic_fields[] = {
	{.name = "network", .read = read_network},
	{.name = "port", .read = read_port},
	{.name = "mac", .read = read_mac},
	{.name = "addresses", .read = read_addresses},
	{.name = "shared", .read = read_shared},
	{.name = "vlans", .read = read_vlans},
	{.name = "macs", .read = read_macs},
	{.name = "may", .read = read_may},
	{.name = "limits", .read = read_nic_limits},
};

static void read_nic(struct tw_reader *r, const struct tw_node *item, void *object)
{
	struct draft *draft = object;

	if (item->kind == TW_NODE_BAD)
		return;
	draft->nic = (struct tw_nic){0};
	draft->grants = (struct tw_grants){0};
	set_space(r, &draft->nic.pub, find_space(r, item, draft->workload.space));
	draft->shared_node = NULL;
	draft->nic_node = NULL;
	draft->has_addresses = draft->is_placed = false;
	tw_reader_map(
		r, item, "a vNIC", nic_fields, sizeof(nic_fields) / sizeof(nic_fields[0]), draft);
	if (item->kind == TW_NODE_MAP)
		push_nic(r, draft, item);
}

static void read_ports(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	draft->ports_node = value;
	if (draft->nic_node)
		tw_reader_error(r, value, "move them into the list",
			"a workload has both ports and a port, mac or addresses");
	tw_reader_list(r, value, "ports", read_nic, draft);
}

static void add_tag(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "a tag");
	const struct tw_name *known;
	struct tw_name name = {.line = item->line};
	uint32_t tag;

	if (!text)
		return;
	if (!tw_text_is_tag(text)) {
		tw_reader_error(r, item, "use letters, digits and _.-:/=@+, at most 127",
			"%s cannot be a tag", tw_diag_show(text).text);
		return;
	}
	if (r->numbers.n == TW_TAGS_MAX) {
		tw_reader_error(r, item, NULL,
			"too many tags, at most %u are allowed for a workload", TW_TAGS_MAX);
		return;
	}
	known = tw_names_find(&r->policy->tag_names, text);
	tag = known ? known->index : (uint32_t)r->policy->tag_names.all.n;
	if (!known) {
		name.index = tag;
		name.text = tw_reader_keep(r, text, strlen(text) + 1, 1);
		if (!name.text || tw_reader_failed(r, tw_names_add(&r->policy->tag_names, name)))
			return;
	}
	for (size_t i = 0; i < r->numbers.n; i++)
		if (r->numbers.at[i] == tag) {
			tw_reader_error(r, item, "keep one of them", "the tag %s is listed twice",
				tw_diag_show(text).text);
			return;
		}
	tw_reader_failed(r, tw_vec_push(&r->numbers, tag));
}

static void read_workload_tags(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct draft *draft = object;

	r->numbers.n = 0;
	if (value->kind != TW_NODE_SEQ || value->n)
		tw_reader_list(r, value, "tags", add_tag, NULL);
	draft->workload.n_tags = r->numbers.n;
	draft->workload.tags = tw_reader_keep(
		r, r->numbers.at, r->numbers.n, sizeof(*r->numbers.at));
}

static const struct tw_field workload_fields[] = {
	{.name = "network", .read = read_network},
	{.name = "port", .read = read_port},
	{.name = "mac", .read = read_mac},
	{.name = "addresses", .read = read_addresses},
	{.name = "shared", .read = read_shared},
	{.name = "vlans", .read = read_vlans},
	{.name = "macs", .read = read_macs},
	{.name = "may", .read = read_may},
	{.name = "tags", .read = read_workload_tags},
	{.name = "limits", .read = read_workload_limits},
	{.name = "mode", .read = read_workload_mode},
	{.name = "tcp", .read = read_workload_tcp},
	{.name = "ports", .read = read_ports},
};

void tw_read_workloads(struct tw_reader *r, const struct tw_node *map)
{
	struct tw_policy *p = r->policy;

	for (const struct tw_node *node = map->first; node && !tw_reader_stops(r);
		node = node->next) {
		struct draft draft = {
			.workload = {.first_nic = p->nics.n, .line = node->key->line}};

		draft.workload.name = tw_reader_name(
			r, node->key, &p->names, TW_OP_WORKLOAD, p->workloads.n);
		draft.workload.space = find_space(r, node, 0);
		set_space(r, &draft.nic.pub, draft.workload.space);
		tw_reader_map(r, node, "a workload", workload_fields,
			sizeof(workload_fields) / sizeof(workload_fields[0]), &draft);
		if (node->kind == TW_NODE_MAP && !draft.ports_node)
			push_nic(r, &draft, node->key);
		draft.workload.n_nics = p->nics.n - draft.workload.first_nic;
		if (draft.workload.name)
			tw_reader_failed(r, tw_vec_push(&p->workloads, draft.workload));
	}
}

/* ---- groups ---- */

struct group_draft {
	struct tw_group group;
	const struct tw_node *key;
};

static void read_group_tags(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct group_draft *draft = object;

	draft->group.tags = tw_read_tags(r, value);
}

/* True if text has only digits, dots and hyphens, as an IPv4 address or a range of them has. */
static bool looks_numeric(const char *text)
{
	return !text[strspn(text, "0123456789.-")];
}

static void add_group_network(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "a network");
	struct tw_operand operand = {.kind = TW_OP_PREFIX};
	struct tw_guess guess = {0};
	const struct tw_name *name;
	char hint[192];

	if (!text)
		return;
	name = tw_names_find(&r->policy->names, text);
	if (name && name->kind == TW_OP_NETWORK) {
		operand.kind = TW_OP_NETWORK;
		operand.index = name->index;
	} else if (name) {
		tw_reader_error(r, item, "networks takes networks, addresses and CIDRs",
			"%s is a %s, not a network", text, tw_reader_kind_name(name->kind));
		return;
	} else if (tw_text_is_name(text) && !looks_numeric(text)) {
		for (size_t i = 0; i < r->policy->networks.n; i++)
			tw_guess(r, &guess, text, r->policy->networks.at[i].name);
		tw_reader_error(r, item,
			tw_guess_hint(&guess, hint, sizeof(hint), "define it under networks"),
			"there is no network %s", tw_diag_show(text).text);
		return;
	} else {
		tw_reader_operands(r, item, text, false);
		return;
	}
	tw_reader_failed(r, tw_vec_push(&r->operands, operand));
}

static void read_group_networks(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct group_draft *draft = object;

	r->operands.n = 0;
	tw_reader_list(r, value, "networks", add_group_network, NULL);
	draft->group.networks.n = r->operands.n;
	draft->group.networks.at = tw_reader_keep(
		r, r->operands.at, r->operands.n, sizeof(*r->operands.at));
}

/* Adds a pattern. A pattern that matches no workload is a warning and not an error, because
 * workloads come and go. */
static void add_pattern(struct tw_reader *r, const struct tw_node *item, const char *text)
{
	bool fits = false;

	if (strlen(text) > TW_NAME_MAX) {
		tw_reader_error(
			r, item, NULL, "the pattern %s is too long", tw_diag_show(text).text);
		return;
	}
	for (size_t i = 0; i < r->policy->workloads.n && !fits; i++) {
		const char *name = r->policy->workloads.at[i].name;

		/* Beyond the limit, only the group's own warning remains. */
		r->n_globs += strlen(name);
		fits = r->n_globs > GLOBS_MAX || tw_text_glob(text, name);
	}
	if (!fits)
		tw_reader_warn(r, item, "workloads added later will be included",
			"the pattern %s matches no workload", tw_diag_show(text).text);
	text = tw_reader_keep(r, text, strlen(text) + 1, 1);
	if (text)
		tw_reader_failed(r, tw_vec_push(&r->texts, text));
}

static void add_group_workload(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "a workload");
	struct tw_operand operand = {.kind = TW_OP_WORKLOAD};
	struct tw_guess guess = {0};
	const struct tw_name *name;
	char hint[192];

	if (!text)
		return;
	if (strpbrk(text, "*?")) {
		add_pattern(r, item, text);
		return;
	}
	name = tw_names_find(&r->policy->names, text);
	if (name && name->kind == TW_OP_WORKLOAD) {
		operand.index = name->index;
		tw_reader_failed(r, tw_vec_push(&r->operands, operand));
		return;
	}
	for (size_t i = 0; i < r->policy->workloads.n; i++)
		tw_guess(r, &guess, text, r->policy->workloads.at[i].name);
	tw_reader_error(r, item,
		tw_guess_hint(&guess, hint, sizeof(hint), "define it under workloads"),
		"there is no workload %s", tw_diag_show(text).text);
}

static void read_group_workloads(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct tw_group *group = &((struct group_draft *)object)->group;

	r->texts.n = r->operands.n = 0;
	tw_reader_list(r, value, "workloads", add_group_workload, NULL);
	group->n_patterns = r->texts.n;
	group->patterns = tw_reader_keep(r, r->texts.at, r->texts.n, sizeof(*r->texts.at));
	group->workloads.n = r->operands.n;
	group->workloads.at = tw_reader_keep(
		r, r->operands.at, r->operands.n, sizeof(*r->operands.at));
}

static const struct tw_field group_fields[] = {
	{.name = "tags", .read = read_group_tags},
	{.name = "networks", .read = read_group_networks},
	{.name = "workloads", .read = read_group_workloads},
};

void tw_read_groups(struct tw_reader *r, const struct tw_node *map)
{
	struct tw_policy *p = r->policy;

	for (const struct tw_node *node = map->first; node && !tw_reader_stops(r);
		node = node->next) {
		struct group_draft draft = {
			.group = {.line = node->key->line, .column = node->key->column}};

		draft.group.name = tw_reader_name(
			r, node->key, &p->names, TW_OP_GROUP, p->groups.n);
		tw_reader_map(r, node, "a group", group_fields,
			sizeof(group_fields) / sizeof(group_fields[0]), &draft);
		if (node->kind == TW_NODE_MAP && !node->n)
			tw_reader_error(r, node, "give it tags, networks or workloads",
				"a group selects nothing");
		if (draft.group.name)
			tw_reader_failed(r, tw_vec_push(&p->groups, draft.group));
	}
}
