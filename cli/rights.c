/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/mac.h"
#include "cli/agent.h"
#include "cli/human.h"
#include "cli/journal.h"
#include "cli/report.h"
#include "cli/style.h"
#include "fastpath/abi/names.h"
#include "link/json.h"
#include "policy/grants.h"
#include "policy/text.h"

void tw_rights_done(struct tw_rights *rights)
{
	tw_vec_foreach (&rights->rows, row) {
		free(row->workload);
		free(row->port);
	}
	tw_vec_foreach (&rights->texts, text)
		free(*text);
	tw_vec_done(&rights->rows);
	tw_vec_done(&rights->texts);
	tw_names_done(&rights->names);
}

/* ---- rows ---- */

static int add_row(
	struct tw_rights *rights, const char *workload, const char *port, const char *key)
{
	struct tw_rights_row row = {.workload = tw_strdup(workload), .port = tw_strdup(port)};

	if (row.workload && row.port && !tw_vec_push(&rights->rows, row))
		return tw_names_add(&rights->names,
			(struct tw_name){.text = key, .index = (uint32_t)rights->rows.n - 1});
	free(row.workload);
	free(row.port);
	return -ENOMEM;
}

/* Returns the row of a port, made if needed, or NULL if memory runs out. */
static struct tw_rights_row *find_row(
	struct tw_rights *rights, const char *workload, const char *port)
{
	tw_auto_buf struct tw_buf key = {0};
	const struct tw_name *known;
	char *copy;

	tw_buf_addf(&key, "%s %s", workload, port);
	known = key.failed ? NULL : tw_names_find(&rights->names, key.data);
	if (known)
		return &rights->rows.at[known->index];
	copy = key.failed ? NULL : tw_strdup(key.data);
	if (!copy || tw_vec_push(&rights->texts, copy) < 0) {
		free(copy);
		return NULL;
	}
	return add_row(rights, workload, port, copy) < 0 ? NULL
							 : &rights->rows.at[rights->rows.n - 1];
}

/* ---- what a frame lacked ---- */

static bool has_vlan(const struct tw_grants *grants, uint32_t vlan)
{
	return grants->vlans[vlan / 64] >> vlan % 64 & 1;
}

static void add_vlan(struct tw_rights_row *row, uint32_t vlan)
{
	vlan &= 0xfff;
	if (vlan)
		row->lacks.vlans[vlan / 64] |= 1ull << vlan % 64;
}

static bool has_mac(const struct tw_grants *grants, const uint8_t mac[6])
{
	for (uint32_t i = 0; i < grants->n_macs; i++)
		if (!memcmp(grants->mac[i], mac, sizeof(grants->mac[i])))
			return true;
	return false;
}

static void add_mac(struct tw_rights_row *row, const char *text)
{
	struct tw_grants *lacks = &row->lacks;
	uint8_t mac[6];

	if (tw_text_mac(text, mac) < 0 || mac[0] & 1 || !tw_mac_is_set(mac) || has_mac(lacks, mac))
		return;
	if (lacks->n_macs < TW_GRANT_MACS)
		memcpy(lacks->mac[lacks->n_macs++], mac, sizeof(mac));
	else
		row->n_beyond++;
}

static bool has_ethertype(const struct tw_grants *grants, uint16_t type)
{
	for (size_t i = 0; i < TW_GRANT_ETHERTYPES; i++)
		if (grants->ethertype[i] == type)
			return true;
	return false;
}

static void add_ethertype(struct tw_rights_row *row, uint32_t type)
{
	size_t at = 0;

	if (!tw_grants_is_grantable((uint16_t)type) || has_ethertype(&row->lacks, (uint16_t)type))
		return;
	while (at < TW_GRANT_ETHERTYPES && row->lacks.ethertype[at])
		at++;
	if (at < TW_GRANT_ETHERTYPES)
		row->lacks.ethertype[at] = (uint16_t)type;
	else
		row->n_beyond++;
}

static bool has_addr(const struct tw_rights_row *row, const struct tw_addr *addr)
{
	for (size_t i = 0; i < row->n_addrs; i++)
		if (!memcmp(&row->addr[i], addr, sizeof(*addr)))
			return true;
	return false;
}

static void add_addr(struct tw_rights_row *row, const char *text)
{
	struct tw_addr addr;

	if (tw_addr_parse(text, &addr) < 0 || has_addr(row, &addr))
		return;
	if (row->n_addrs < TW_RIGHTS_ADDRESSES)
		row->addr[row->n_addrs++] = addr;
	else
		row->n_beyond++;
}

/* Adds what a frame lacked. Returns false if the reason is about no right or address. */
static bool add_lack(struct tw_rights_row *row, const Tapwall__V1__LogEntry *e)
{
	switch (tw_reason_from_name(e->reason)) {
	case TW_R_VLAN_TAG:
		add_vlan(row, e->vlan);
		return true;
	case TW_R_SPOOFED_MAC:
		add_mac(row, e->src_mac);
		return true;
	case TW_R_NOT_IP:
		add_ethertype(row, e->ethertype);
		return true;
	case TW_R_SPOOFED_ADDRESS:
		add_addr(row, e->from ? e->from->address : "");
		return true;
	case TW_R_DHCP_SERVER:
		row->lacks.may |= TW_MAY_DHCP_SERVER;
		return true;
	case TW_R_ROUTER_ADVERT:
	case TW_R_MULTICAST_QUERY:
	case TW_R_REDIRECT:
		row->lacks.may |= TW_MAY_ROUTER;
		return true;
	default:
		return false;
	}
}

int tw_rights_take(struct tw_rights *rights, const Tapwall__V1__LogEntry *entry)
{
	struct tw_rights_row probe = {0}, *row;

	if (!entry->workload[0] || strcmp(entry->direction, tw_dir_name(TW_DIR_OUT)) != 0 ||
		!strcmp(entry->event, "close") || !add_lack(&probe, entry))
		return 0;
	row = find_row(rights, entry->workload, entry->port);
	if (!row)
		return -ENOMEM;
	add_lack(row, entry);
	row->n_frames++;
	row->last = entry->time > row->last ? entry->time : row->last;
	return 0;
}

/* ---- what a policy grants ---- */

static const struct tw_workload *find_workload(
	const struct tw_policy *policy, const struct tw_rights_row *row)
{
	const struct tw_name *found = tw_names_find(&policy->names, row->workload);

	return found && found->kind == TW_OP_WORKLOAD ? &policy->workloads.at[found->index] : NULL;
}

uint32_t tw_rights_nic(const struct tw_policy *policy, const struct tw_rights_row *row)
{
	const struct tw_workload *workload = find_workload(policy, row);

	if (!workload)
		return TW_INDEX_NONE;
	for (size_t i = 0; i < workload->n_nics; i++) {
		const struct tw_vnic *nic = &policy->nics.at[workload->first_nic + i].pub;

		if (nic->port && !strcmp(nic->port, row->port))
			return (uint32_t)(workload->first_nic + i);
	}
	return workload->n_nics == 1 ? (uint32_t)workload->first_nic : TW_INDEX_NONE;
}

static void remove_granted(struct tw_grants *lacks, const struct tw_grants *grants)
{
	struct tw_grants left = {.may = lacks->may & ~grants->may};
	size_t n_types = 0;

	for (size_t i = 0; i < TW_VLAN_WORDS; i++)
		left.vlans[i] = lacks->vlans[i] & ~grants->vlans[i];
	for (uint32_t i = 0; i < lacks->n_macs; i++)
		if (!has_mac(grants, lacks->mac[i]))
			memcpy(left.mac[left.n_macs++], lacks->mac[i], sizeof(left.mac[0]));
	for (size_t i = 0; i < TW_GRANT_ETHERTYPES && lacks->ethertype[i]; i++)
		if (!has_ethertype(grants, lacks->ethertype[i]))
			left.ethertype[n_types++] = lacks->ethertype[i];
	*lacks = left;
}

static bool is_own(const struct tw_vnic *nic, const struct tw_addr *addr)
{
	tw_u128 number = tw_set_number(addr);

	for (size_t i = 0; i < nic->n_prefixes; i++)
		if (number >= tw_set_number(&nic->prefixes[i].addr) &&
			number <= tw_prefix_last(&nic->prefixes[i]))
			return true;
	return nic->any;
}

/* Removes what a vNIC may use without a right, and what belongs to another workload: using that is no lack
 * of a right. */
static void remove_owned(
	struct tw_rights_row *row, const struct tw_policy *policy, const struct tw_vnic *nic)
{
	struct tw_grants left = row->lacks;
	size_t n = 0;

	memset(left.mac, 0, sizeof(left.mac));
	left.n_macs = 0;
	for (uint32_t i = 0; nic->has_mac && i < row->lacks.n_macs; i++)
		if (!tw_policy_find_mac(policy, row->lacks.mac[i]))
			memcpy(left.mac[left.n_macs++], row->lacks.mac[i], sizeof(left.mac[0]));
	row->lacks = left;
	for (size_t i = 0; i < row->n_addrs; i++)
		if (!is_own(nic, &row->addr[i]) && !tw_policy_find_owner(policy, &row->addr[i]))
			row->addr[n++] = row->addr[i];
	row->n_addrs = n;
}

/* Removes what the vNIC has; if it is not known, what any vNIC of the workload has. */
static void settle_row(struct tw_rights_row *row, const struct tw_policy *policy)
{
	const struct tw_workload *workload = find_workload(policy, row);
	uint32_t known = tw_rights_nic(policy, row);

	for (size_t i = 0; workload && i < workload->n_nics; i++) {
		const struct tw_vnic *nic = &policy->nics.at[workload->first_nic + i].pub;

		if (known != TW_INDEX_NONE && known != workload->first_nic + i)
			continue;
		if (nic->grants)
			remove_granted(&row->lacks, nic->grants);
		remove_owned(row, policy, nic);
	}
}

static int compare_rows(const void *a, const void *b)
{
	const struct tw_rights_row *x = a, *y = b;
	int by = strcmp(x->workload, y->workload);

	return by ? by : strcmp(x->port, y->port);
}

void tw_rights_settle(struct tw_rights *rights, const struct tw_policy *policy)
{
	size_t n = 0;

	tw_vec_foreach (&rights->rows, row) {
		if (policy)
			settle_row(row, policy);
		if (!tw_grants_empty(&row->lacks) || row->n_addrs) {
			rights->rows.at[n++] = *row;
			continue;
		}
		free(row->workload);
		free(row->port);
	}
	rights->rows.n = n;
	/* The names have lost their rows. */
	tw_names_done(&rights->names);
	if (n)
		qsort(rights->rows.at, n, sizeof(*rights->rows.at), compare_rows);
}

static void add_grants(struct tw_grants *grants, const struct tw_grants *more)
{
	size_t n_types = 0;

	for (size_t i = 0; i < TW_VLAN_WORDS; i++)
		grants->vlans[i] |= more->vlans[i];
	for (uint32_t i = 0; i < more->n_macs && grants->n_macs < TW_GRANT_MACS; i++)
		memcpy(grants->mac[grants->n_macs++], more->mac[i], sizeof(more->mac[0]));
	while (n_types < TW_GRANT_ETHERTYPES && grants->ethertype[n_types])
		n_types++;
	for (size_t i = 0; n_types < TW_GRANT_ETHERTYPES && more->ethertype[i]; i++)
		grants->ethertype[n_types++] = more->ethertype[i];
	grants->may |= more->may;
}

int tw_rights_grant(
	const struct tw_rights *rights, struct tw_policy *policy, tw_rights_granted *granted)
{
	tw_vec_foreach (&rights->rows, row)
		if (tw_vec_push(granted, (struct tw_grants){0}) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < rights->rows.n; i++) {
		const struct tw_rights_row *row = &rights->rows.at[i];
		uint32_t nic = tw_rights_nic(policy, row);

		if (nic == TW_INDEX_NONE || tw_rights_is_doubtful(row) ||
			tw_grants_empty(&row->lacks))
			continue;
		if (policy->nics.at[nic].pub.grants)
			granted->at[i] = *policy->nics.at[nic].pub.grants;
		add_grants(&granted->at[i], &row->lacks);
		policy->nics.at[nic].pub.grants = &granted->at[i];
	}
	return 0;
}

/* ---- output ---- */

static uint32_t count_vlans(const struct tw_grants *grants)
{
	uint32_t n = 0;

	for (size_t i = 0; i < TW_VLAN_WORDS; i++)
		n += (uint32_t)__builtin_popcountll(grants->vlans[i]);
	return n;
}

bool tw_rights_is_doubtful(const struct tw_rights_row *row)
{
	return count_vlans(&row->lacks) > TW_RIGHTS_VLANS || row->n_beyond;
}

/* True if the guest of another port uses an address, too. */
static bool is_taken_in_turns(
	const struct tw_rights *rights, const struct tw_rights_row *row, const struct tw_addr *addr)
{
	tw_vec_foreach (&rights->rows, other)
		if (other != row && has_addr(other, addr))
			return true;
	return false;
}

static void print_addresses(const struct tw_rights *rights, const struct tw_rights_row *row,
	bool in_turns, struct tw_buf *out)
{
	const char *separator = in_turns ? ", shared: [" : ", addresses: [";
	bool any = false;
	char text[64];

	for (size_t i = 0; i < row->n_addrs; i++) {
		if (is_taken_in_turns(rights, row, &row->addr[i]) != in_turns)
			continue;
		tw_buf_adds(out, separator);
		tw_text_yaml_print(tw_addr_format(&row->addr[i], text), out);
		separator = ", ";
		any = true;
	}
	tw_buf_adds(out, any ? "]" : "");
}

static void print_counts(const struct tw_rights_row *row, struct tw_buf *out)
{
	const char *separator = "; ";

	if (row->n_live) {
		tw_buf_addf(out, "%s%llu live connection%s", separator,
			(unsigned long long)row->n_live, row->n_live == 1 ? "" : "s");
		separator = ", ";
	}
	if (row->n_frames)
		tw_buf_addf(out, "%s%llu frame%s", separator, (unsigned long long)row->n_frames,
			row->n_frames == 1 ? "" : "s");
}

void tw_rights_print(
	const struct tw_rights *rights, const struct tw_rights_row *row, struct tw_buf *out)
{
	tw_auto_buf struct tw_buf keys = {0};

	tw_buf_adds(out, row->workload);
	if (row->port[0])
		tw_buf_addf(out, " (%s)", row->port);
	print_addresses(rights, row, false, &keys);
	print_addresses(rights, row, true, &keys);
	tw_grants_print(&row->lacks, &keys);
	if (keys.failed)
		out->failed = true;
	else if (keys.len)
		tw_buf_addf(out, ": %s", keys.data + strlen(", "));
	print_counts(row, out);
	if (tw_rights_is_doubtful(row))
		tw_buf_adds(out, "; the guest may be trying values, as there are many");
}

/* Adds an item to a list, which becomes NULL if memory runs out. */
static void append(json_t **list, json_t *item)
{
	if (!json_array_append_new(*list, item))
		return;
	json_decref(*list);
	*list = NULL;
}

static json_t *vlans_json(const struct tw_grants *grants)
{
	json_t *list = json_array();

	for (uint32_t vlan = 1; vlan < TW_VLAN_WORDS * 64; vlan++)
		if (has_vlan(grants, vlan))
			append(&list, json_integer(vlan));
	return list;
}

static json_t *macs_json(const struct tw_grants *grants)
{
	json_t *list = json_array();
	char text[TW_MAC_TEXT];

	for (uint32_t i = 0; i < grants->n_macs; i++)
		append(&list, json_string(tw_mac_format(grants->mac[i], text)));
	return list;
}

static json_t *ethertypes_json(const struct tw_grants *grants)
{
	json_t *list = json_array();

	for (size_t i = 0; i < TW_GRANT_ETHERTYPES && grants->ethertype[i]; i++)
		append(&list, json_integer(grants->ethertype[i]));
	return list;
}

static json_t *addresses_json(const struct tw_rights_row *row)
{
	json_t *list = json_array();
	char text[64];

	for (size_t i = 0; i < row->n_addrs; i++)
		append(&list, json_string(tw_addr_format(&row->addr[i], text)));
	return list;
}

static json_t *row_json(const struct tw_rights_row *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:o, s:o}", "workload",
		tw_json_text(row->workload), "port", tw_json_text(row->port), "vlans",
		vlans_json(&row->lacks), "macs", macs_json(&row->lacks), "ethertypes",
		ethertypes_json(&row->lacks), "addresses", addresses_json(row), "dhcp_server",
		(row->lacks.may & TW_MAY_DHCP_SERVER) != 0, "router",
		(row->lacks.may & TW_MAY_ROUTER) != 0, "doubtful", tw_rights_is_doubtful(row),
		"frames", tw_json_u64(row->n_frames), "last",
		tw_json_s(row->last > 0 ? row->last : -1));
}

json_t *tw_rights_json(const struct tw_rights *rights)
{
	json_t *list = json_array();

	tw_vec_foreach (&rights->rows, row)
		append(&list, row_json(row));
	return list;
}

/* ---- another policy ---- */

struct search {
	const struct tw_policy *now;
	struct tw_rights *rights;
};

/* True if the new policy has a port's workload and does not observe the port. */
static bool is_enforced_by(const struct search *search, const char *workload, const char *port)
{
	const struct tw_rights_row row = {
		.workload = (char *)(uintptr_t)workload, .port = (char *)(uintptr_t)port};
	const struct tw_workload *found = find_workload(search->now, &row);
	uint32_t nic = tw_rights_nic(search->now, &row);

	if (!found)
		return false;
	return !search->now->nics.at[nic == TW_INDEX_NONE ? found->first_nic : nic].pub.observed;
}

static int on_entry(void *arg, const Tapwall__V1__LogEntry *entry)
{
	struct search *search = arg;

	if (strcmp(entry->verdict, tw_verdict_name(TW_V_WOULD_DENY)) != 0 ||
		!is_enforced_by(search, entry->workload, entry->port))
		return TW_EXIT_OK;
	return tw_rights_take(search->rights, entry) < 0 ? tw_report_memory() : TW_EXIT_OK;
}

/* True if `grants` has a VLAN that `others` does not have. */
static bool has_more_vlans(const struct tw_grants *grants, const struct tw_grants *others)
{
	for (size_t i = 0; grants && i < TW_VLAN_WORDS; i++)
		if (grants->vlans[i] & ~(others ? others->vlans[i] : 0))
			return true;
	return false;
}

/* True if the new policy enforces a workload and grants it no such VLAN. */
static bool loses_vlan(const struct search *search, const char *workload, uint32_t vlan)
{
	const struct tw_rights_row row = {
		.workload = (char *)(uintptr_t)workload, .port = (char *)(uintptr_t) ""};
	const struct tw_workload *found = find_workload(search->now, &row);
	bool enforced = false;

	for (size_t i = 0; found && i < found->n_nics; i++) {
		const struct tw_vnic *nic = &search->now->nics.at[found->first_nic + i].pub;

		if (nic->grants && has_vlan(nic->grants, vlan))
			return false;
		enforced |= !nic->observed;
	}
	return enforced;
}

static int on_flow(void *arg, const Tapwall__V1__Response *response)
{
	struct search *search = arg;
	const Tapwall__V1__Flow *flow = response->flow;
	const Tapwall__V1__End *ends[TW_DIR__MAX];

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_FLOW || !(flow->vlan & 0xfff))
		return TW_EXIT_OK;
	ends[TW_DIR_OUT] = flow->from;
	ends[TW_DIR_IN] = flow->to;
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		struct tw_rights_row *row;

		if (!ends[dir] || !ends[dir]->workload[0] ||
			!loses_vlan(search, ends[dir]->workload, flow->vlan & 0xfff))
			continue;
		row = find_row(search->rights, ends[dir]->workload, "");
		if (!row)
			return tw_report_memory();
		add_vlan(row, flow->vlan);
		row->n_live++;
	}
	return TW_EXIT_OK;
}

static int ask_flows(const char *socket, struct search *search)
{
	Tapwall__V1__FlowsRequest body = TAPWALL__V1__FLOWS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = socket, .answer = on_flow, .arg = search};

	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &body;
	return tw_agent_ask(&call, &request);
}

/* Returns the vNIC of the same name in another policy, or NULL. */
static const struct tw_vnic *counterpart(const struct tw_policy *policy, const struct tw_vnic *nic)
{
	const struct tw_rights_row row = {.workload = (char *)(uintptr_t)nic->workload,
		.port = (char *)(uintptr_t)(nic->port ? nic->port : "")};
	uint32_t found = tw_rights_nic(policy, &row);

	return found == TW_INDEX_NONE ? NULL : &policy->nics.at[found].pub;
}

int tw_rights_find_lost(const char *socket, const struct tw_policy *old,
	const struct tw_policy *now, struct tw_rights *ret)
{
	struct search search = {.now = now, .rights = ret};
	struct tw_journal_call call = {.take = on_entry, .arg = &search};
	bool observed = false, narrower = false;
	int code = TW_EXIT_OK;

	for (size_t i = 0; i < tw_policy_n_vnics(old); i++) {
		const struct tw_vnic *nic = tw_policy_vnic(old, i), *then = counterpart(now, nic);

		observed |= nic->observed && !(then && then->observed);
		narrower |= has_more_vlans(nic->grants, then ? then->grants : NULL);
	}
	/* Otherwise neither the journal nor a connection can have such a frame. */
	if (observed)
		code = tw_journal_read(socket, &call);
	if (!code && narrower)
		code = ask_flows(socket, &search);
	tw_rights_settle(ret, now);
	return code;
}

int tw_rights_print_lost(const struct tw_rights *lost, bool dry_run)
{
	tw_auto_buf struct tw_buf out = {0};

	tw_vec_foreach (&lost->rows, row) {
		tw_buf_addf(&out, "  %s! %s unless granted: ", tw_style_on(TW_STYLE_BAD),
			dry_run ? "would be denied" : "denied from now on");
		tw_rights_print(lost, row, &out);
		tw_buf_addf(&out, "%s\n", tw_style_off());
	}
	if (out.failed)
		return tw_report_memory();
	if (out.len)
		fputs(out.data, stdout);
	return TW_EXIT_OK;
}
