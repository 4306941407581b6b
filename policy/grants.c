/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/grants.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diag.h"
#include "policy/text.h"

#define VLAN_MAX    4094 /* 4095 is reserved (IEEE 802.1Q table 9-2) */
#define ETHERTYPES  "ethertypes"
#define FURTHER_MAC "further mac"

/* ---- vlans ---- */

static bool has_vlan(const struct tw_grants *grants, uint32_t vlan)
{
	return grants->vlans[vlan / 64] >> (vlan % 64) & 1;
}

/* Parses `10` or `20-29`. */
static bool parse_vlans(const char *text, uint32_t *ret_first, uint32_t *ret_last)
{
	const char *dash = strchr(text, '-');
	char first[8];

	if (!dash) {
		if (tw_text_number(text, VLAN_MAX, ret_first))
			return false;
		*ret_last = *ret_first;
		return *ret_first != 0;
	}
	if ((size_t)(dash - text) >= sizeof(first))
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
	return !tw_text_number(first, VLAN_MAX, ret_first) &&
	       !tw_text_number(dash + 1, VLAN_MAX, ret_last) && *ret_first &&
	       *ret_first <= *ret_last;
}

static void add_vlans(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "a VLAN");
	struct tw_grants *grants = object;
	uint32_t first, last;

	if (!text)
		return;
	if (!parse_vlans(text, &first, &last)) {
		tw_reader_error(r, item,
			"write VLAN ids from 1 to 4094: [10, 20-29]; untagged frames, and tags with id 0, need no entry",
			"%s is not a VLAN id or a range of them", tw_diag_show(text).text);
		return;
	}
	for (uint32_t vlan = first; vlan <= last; vlan++) {
		if (has_vlan(grants, vlan)) {
			tw_reader_error(
				r, item, "keep one of them", "the VLAN %u is listed twice", vlan);
			return;
		}
		grants->vlans[vlan / 64] |= 1ull << (vlan % 64);
	}
}

void tw_grants_read_vlans(struct tw_reader *r, const struct tw_node *value, struct tw_grants *ret)
{
	tw_reader_list(r, value, "vlans", add_vlans, ret);
}

static void print_vlans(const struct tw_grants *grants, struct tw_buf *out)
{
	const char *separator = ", vlans: [";
	bool any = false;

	for (uint32_t vlan = 1, last; vlan <= VLAN_MAX; vlan = last + 1) {
		last = vlan;
		if (!has_vlan(grants, vlan))
			continue;
		while (last < VLAN_MAX && has_vlan(grants, last + 1))
			last++;
		if (last == vlan)
			tw_buf_addf(out, "%s%u", separator, vlan);
		else
			tw_buf_addf(out, "%s%u-%u", separator, vlan, last);
		separator = ", ";
		any = true;
	}
	tw_buf_adds(out, any ? "]" : "");
}

/* ---- macs ---- */

/* Writes the key under which a vNIC claims a MAC. */
static void claim_key(char key[64], const char *what, const char *mac)
{
	snprintf(key, 64, "%s %s", what, mac);
}

bool tw_grants_claimed(struct tw_reader *r, const struct tw_node *node, const char *mac)
{
	const struct tw_name *other;
	char key[64];

	claim_key(key, FURTHER_MAC, mac);
	other = tw_names_find(&r->claims, key);
	if (other)
		tw_reader_error(r, node, "a further MAC cannot be the mac of a vNIC",
			"%s is already listed in macs in %s", mac,
			tw_files_line(&r->policy->text.files, other->line).text);
	return other != NULL;
}

/* Notes that a vNIC has the further MAC. Several may have it. False after an error. */
static bool note_mac(struct tw_reader *r, const struct tw_node *item, const char *mac)
{
	struct tw_name name = {.line = item->line};
	const struct tw_name *own;
	char key[64];

	claim_key(key, "mac", mac);
	own = tw_names_find(&r->claims, key);
	if (own) {
		tw_reader_error(r, item, "list MACs that are no vNIC's own",
			"the mac %s is already used in %s", mac,
			tw_files_line(&r->policy->text.files, own->line).text);
		return false;
	}
	claim_key(key, FURTHER_MAC, mac);
	if (tw_names_find(&r->claims, key))
		return true;
	name.text = tw_arena_strndup(r->scratch, key, strlen(key));
	if (!name.text) {
		r->nomem = true;
		return false;
	}
	return !tw_reader_failed(r, tw_names_add(&r->claims, name));
}

static void add_mac(struct tw_reader *r, const struct tw_node *item, void *object)
{
	static const uint8_t zero[6];
	const char *text = tw_reader_text(r, item, "a MAC");
	struct tw_grants *grants = object;
	char clean[18];
	uint8_t mac[6];

	if (!text)
		return;
	if (tw_text_mac(text, mac) < 0) {
		tw_reader_error(r, item, "write it in quotes: \"00:00:5e:00:01:33\"",
			"%s is not a MAC", tw_diag_show(text).text);
		return;
	}
	if (mac[0] & 1 || !memcmp(mac, zero, sizeof(mac))) {
		tw_reader_error(r, item, "write a MAC from which the guest sends",
			"%s is a group MAC or zero", tw_diag_show(text).text);
		return;
	}
	for (uint32_t i = 0; i < grants->n_macs; i++)
		if (!memcmp(grants->mac[i], mac, sizeof(mac))) {
			tw_reader_error(r, item, "keep one of them", "the MAC %s is listed twice",
				tw_diag_show(text).text);
			return;
		}
	if (grants->n_macs == TW_GRANT_MACS) {
		tw_reader_error(r, item, "leave out mac: then the guest's MACs are not checked",
			"too many MACs, at most %d are allowed for a vNIC", TW_GRANT_MACS);
		return;
	}
	snprintf(clean, sizeof(clean), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	if (note_mac(r, item, clean))
		memcpy(grants->mac[grants->n_macs++], mac, sizeof(mac));
}

void tw_grants_read_macs(struct tw_reader *r, const struct tw_node *value, struct tw_grants *ret)
{
	tw_reader_list(r, value, "macs", add_mac, ret);
}

static void print_macs(const struct tw_grants *grants, struct tw_buf *out)
{
	for (uint32_t i = 0; i < grants->n_macs; i++) {
		tw_buf_adds(out, i ? ", \"" : ", macs: [\"");
		tw_text_mac_print(grants->mac[i], out);
		tw_buf_adds(out, "\"");
	}
	tw_buf_adds(out, grants->n_macs ? "]" : "");
}

/* ---- may ---- */

static const struct may_word {
	const char *name;
	uint32_t right;
} may_words[] = {
	{"dhcp-server", TW_MAY_DHCP_SERVER},
	{"router", TW_MAY_ROUTER},
};

/* Returns why an EtherType cannot be granted and a hint, or NULL if it can. Some switches also
 * use 0x9100 to 0x9300 for VLAN tags. */
static const char *ungrantable(uint32_t type, const char **ret_hint)
{
	*ret_hint = "leave it out";
	switch (type) {
	case 0x0800:
	case 0x86dd:
		return "is IP, which the rules judge";
	case 0x0806:
	case 0x8035:
		return "is ARP, which passes for the guest's own addresses";
	case 0x8100:
	case 0x88a8:
	case 0x9100:
	case 0x9200:
	case 0x9300:
		*ret_hint = "list the VLANs under vlans";
		return "is a VLAN tag";
	default:
		return type < 0x0600 ? "is a length (LLC), not an EtherType" : NULL;
	}
}

bool tw_grants_is_grantable(uint16_t ethertype)
{
	const char *hint;

	return !ungrantable(ethertype, &hint);
}

static void add_ethertype(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "an EtherType"), *why, *hint;
	struct tw_grants *grants = object;
	unsigned long type;
	size_t at = 0;
	char *end;

	if (!text)
		return;
	type = isdigit((unsigned char)*text) ? strtoul(text, &end, 0) : 0;
	if (!type || type > 0xffff || *end) {
		tw_reader_error(r, item, "write it as 0x8863", "%s is not an EtherType",
			tw_diag_show(text).text);
		return;
	}
	why = ungrantable((uint32_t)type, &hint);
	if (why) {
		tw_reader_error(r, item, hint, "0x%04lx %s", type, why);
		return;
	}
	while (at < TW_GRANT_ETHERTYPES && grants->ethertype[at] && grants->ethertype[at] != type)
		at++;
	if (at == TW_GRANT_ETHERTYPES)
		tw_reader_error(r, item, NULL,
			"too many EtherTypes, at most %d are allowed for a vNIC",
			TW_GRANT_ETHERTYPES);
	else if (grants->ethertype[at])
		tw_reader_error(r, item, "keep one of them", "0x%04lx is listed twice", type);
	else
		grants->ethertype[at] = (uint16_t)type;
}

static void read_ethertypes(struct tw_reader *r, const struct tw_node *value, void *object)
{
	tw_reader_list(r, value, ETHERTYPES, add_ethertype, object);
}

static const struct tw_field may_fields[] = {
	{.name = ETHERTYPES,
		.read = read_ethertypes,
		.required = true,
		.hint = "write {ethertypes: [0x8863, 0x8864]}"},
};

static void add_right(struct tw_reader *r, const struct tw_node *item, void *object)
{
	struct tw_grants *grants = object;
	const char *text;

	if (item->kind == TW_NODE_MAP) {
		tw_reader_map(r, item, "an entry of may", may_fields,
			sizeof(may_fields) / sizeof(may_fields[0]), object);
		return;
	}
	text = tw_reader_text(r, item, "a right");
	if (!text)
		return;
	for (size_t i = 0; i < sizeof(may_words) / sizeof(may_words[0]); i++) {
		if (strcmp(text, may_words[i].name) != 0)
			continue;
		if (grants->may & may_words[i].right)
			tw_reader_error(r, item, "keep one of them", "%s is listed twice", text);
		grants->may |= may_words[i].right;
		return;
	}
	tw_reader_error(r, item, "write dhcp-server, router or {ethertypes: [0x8863]}",
		"there is no right %s", tw_diag_show(text).text);
}

void tw_grants_read_may(struct tw_reader *r, const struct tw_node *value, struct tw_grants *ret)
{
	tw_reader_list(r, value, "may", add_right, ret);
}

static void print_may(const struct tw_grants *grants, struct tw_buf *out)
{
	const char *separator = ", may: [";
	bool any = false;

	for (size_t i = 0; i < sizeof(may_words) / sizeof(may_words[0]); i++) {
		if (!(grants->may & may_words[i].right))
			continue;
		tw_buf_addf(out, "%s%s", separator, may_words[i].name);
		separator = ", ";
		any = true;
	}
	for (size_t i = 0; i < TW_GRANT_ETHERTYPES && grants->ethertype[i]; i++) {
		if (i)
			tw_buf_addf(out, ", 0x%04x", grants->ethertype[i]);
		else
			tw_buf_addf(
				out, "%s{" ETHERTYPES ": [0x%04x", separator, grants->ethertype[0]);
	}
	tw_buf_adds(out, grants->ethertype[0] ? "]}]" : any ? "]" : "");
}

/* ---- all ---- */

bool tw_grants_empty(const struct tw_grants *grants)
{
	static const struct tw_grants none;

	return !memcmp(grants, &none, sizeof(none));
}

void tw_grants_print(const struct tw_grants *grants, struct tw_buf *out)
{
	if (!grants)
		return;
	print_vlans(grants, out);
	print_macs(grants, out);
	print_may(grants, out);
}

bool tw_grants_equal(const struct tw_grants *a, const struct tw_grants *b)
{
	return a && b ? !memcmp(a, b, sizeof(*a)) : a == b;
}
