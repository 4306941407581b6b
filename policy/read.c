/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "policy/diag.h"
#include "policy/join.h"
#include "policy/limits.h"
#include "policy/text.h"

static void read_version(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "version");

	if (text && strcmp(text, "1") != 0)
		tw_reader_error(r, value, "write version: 1",
			"policy format version %s is not supported", tw_diag_show(text).text);
}

static void add_network_prefix(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "an address");

	if (text)
		tw_reader_addresses(r, item, text);
}

static void read_networks(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct tw_policy *p = r->policy;

	if (!tw_reader_section(r, value, "networks"))
		return;
	for (const struct tw_node *node = value->first; node && !tw_reader_stops(r);
		node = node->next) {
		struct tw_network network = {0};

		network.name = tw_reader_name(
			r, node->key, &p->names, TW_OP_NETWORK, p->networks.n);
		r->prefixes.n = 0;
		tw_reader_list(r, node, "a network", add_network_prefix, NULL);
		if (!network.name)
			continue;
		network.n_prefixes = r->prefixes.n;
		network.prefixes = tw_reader_keep(
			r, r->prefixes.at, r->prefixes.n, sizeof(*r->prefixes.at));
		tw_reader_failed(r, tw_vec_push(&p->networks, network));
	}
}

static void read_services(struct tw_reader *r, const struct tw_node *value, void *object)
{
	if (tw_reader_section(r, value, "services"))
		tw_read_services(r, value);
}

static void read_workloads(struct tw_reader *r, const struct tw_node *value, void *object)
{
	r->policy->text.block_workloads = !value->flow;
	if (tw_reader_section(r, value, "workloads"))
		tw_read_workloads(r, value);
}

static void read_groups(struct tw_reader *r, const struct tw_node *value, void *object)
{
	if (tw_reader_section(r, value, "groups"))
		tw_read_groups(r, value);
}

static void read_rules(struct tw_reader *r, const struct tw_node *value, void *object)
{
	r->policy->text.block_rules = !value->flow;
	if (value->kind == TW_NODE_SEQ)
		tw_read_rules(r, value, 0);
	else if (value->kind != TW_NODE_BAD && !tw_node_is_empty(value))
		tw_reader_error(r, value, "begin each rule with '- '",
			"rules must be a list, not %s", tw_node_kind(value));
}

static void read_default(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "default");
	struct tw_rule_info *info = object;

	if (!text)
		return;
	info->line = value->line;
	if (!strcmp(text, "allow"))
		info->action = TW_V_ALLOW;
	else if (strcmp(text, "deny") != 0)
		tw_reader_error(r, value,
			"write deny or allow, or make it the last rule of the list",
			"default cannot be %s", tw_diag_show(text).text);
}

static void read_options(struct tw_reader *r, const struct tw_node *value, void *object)
{
	if (tw_reader_section(r, value, "options"))
		tw_read_options(r, value);
}

static const struct tw_field top_fields[] = {
	{.name = "version",
		.read = read_version,
		.required = true,
		.hint = "begin with version: 1"},
	{.name = "networks", .read = read_networks},
	{.name = "services", .read = read_services},
	{.name = "workloads", .read = read_workloads},
	{.name = "groups", .read = read_groups},
	{.name = "default", .read = read_default},
	{.name = "options", .read = read_options},
	{.name = "rules", .read = read_rules},
};

/* Resolves each vNIC's limits, mode and tcp after the whole text is read. */
static void spread_settings(struct tw_policy *p)
{
	for (size_t i = 0; i < p->nics.n; i++)
		p->nics.at[i].pub.limits = p->nics.at[i].limits;
	tw_vec_foreach (&p->workloads, workload) {
		enum tw_mode mode = workload->mode == TW_MODE_UNSAID ? p->mode : workload->mode;
		enum tw_tcp_checks tcp = workload->tcp == TW_TCP_CHECKS_UNSAID ? p->tcp
									       : workload->tcp;

		for (size_t i = 0; i < workload->n_nics; i++) {
			struct tw_vnic *vnic = &p->nics.at[workload->first_nic + i].pub;

			tw_limits_inherit(&vnic->limits, &workload->limits);
			vnic->observed = mode == TW_MODE_OBSERVE;
			vnic->liberal = tcp == TW_TCP_CHECKS_LIBERAL;
			vnic->looks = p->applications;
		}
	}
	for (size_t i = 0; i < p->nics.n; i++)
		tw_limits_inherit(&p->nics.at[i].pub.limits, &p->limits);
}

/* Records where sections begin. Sections in brackets, or not at the left margin, cannot be read
 * in parts. */
static void note_sections(struct tw_policy_text *text, const struct tw_node *root)
{
	text->plain = root->kind == TW_NODE_MAP && !root->flow && root->n <= TW_SECTIONS_MAX;
	for (const struct tw_node *node = root->first; node && text->plain; node = node->next) {
		text->plain = node->key->column == 1;
		text->sections[text->n_sections++] = node->key->line;
	}
}

static int read_tree(struct tw_reader *r, const struct tw_node *root)
{
	struct tw_rule fallback = {
		.info = {.name = "default", .action = TW_V_DENY, .at_out = true, .at_in = true}};

	note_sections(&r->policy->text, root);

	tw_reader_map(r, root, "a policy", top_fields, sizeof(top_fields) / sizeof(top_fields[0]),
		&fallback.info);
	spread_settings(r->policy);
	fallback.from_set = fallback.to_set = r->policy->sets.everything;
	tw_reader_failed(r, tw_vec_push(&r->policy->rules, fallback));
	return r->nomem ? -ENOMEM : 0;
}

static int read_text(struct tw_policy *policy, const char *text, size_t len, struct tw_diags *diags)
{
	struct tw_arena arena = {0};
	struct tw_reader r = {.policy = policy,
		.diags = diags,
		.scratch = &arena,
		.claims = {.seed = policy->seed}};
	struct tw_node *root = NULL;
	int err = tw_join_load(text, len, policy, &arena, &root, diags);

	if (root && err != -ENOMEM)
		err = read_tree(&r, root);
	else if (!err)
		err = tw_diags_add(
			diags, TW_SEV_ERROR, 0, 0, "begin with version: 1", "the policy is empty");
	policy->text.n_addresses = r.n_addresses;
	policy->text.n_parts = r.n_parts;
	policy->text.plain = policy->text.plain && !policy->text.files.n &&
			     tw_text_has_plain_lines(text, len);
	tw_reader_done(&r);
	tw_arena_done(&arena);
	return err == -ENOMEM ? err : 0;
}

/* Adds each vNIC's learned addresses after those of the text. */
static int add_learned(struct tw_policy *p, const struct tw_learned *learned, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct tw_vnic *vnic = learned[i].vnic < p->nics.n
					       ? &p->nics.at[learned[i].vnic].pub
					       : NULL;
		struct tw_prefix *prefixes;

		if (!vnic || !tw_vnic_learns(vnic))
			continue;
		prefixes = tw_arena_alloc(&p->arena, vnic->n_prefixes + 1, sizeof(*prefixes));
		if (!prefixes)
			return -ENOMEM;
		memcpy(prefixes, vnic->prefixes, vnic->n_prefixes * sizeof(*prefixes));
		prefixes[vnic->n_prefixes++] = (struct tw_prefix){
			.addr = learned[i].addr, .len = 128};
		vnic->prefixes = prefixes;
		vnic->n_learned++;
	}
	return 0;
}

static int work_out(struct tw_policy *policy, struct tw_diags *diags)
{
	int err = diags->n_errors ? 0 : tw_policy_index(policy);

	if (!err && !diags->n_errors)
		err = tw_policy_resolve(policy, diags);
	if (!err && !diags->n_errors)
		err = tw_spaces_make(policy, diags);
	return err;
}

/* Stores the warnings of reading the text in the policy. */
static int keep_said(struct tw_policy *p, const struct tw_diags *diags)
{
	int err = 0;

	for (size_t i = 0; i < diags->n && !err; i++)
		err = tw_policy_said(p, &diags->at[i]);
	/* Some warnings were dropped, because there were too many. */
	if (diags->n >= TW_DIAGS_WARNINGS_MAX)
		p->text.plain = false;
	return err;
}

int tw_policy_read(const char *text, size_t len, struct tw_policy **ret, struct tw_diags *diags)
{
	return tw_policy_read_learned(text, len, NULL, 0, ret, diags);
}

int tw_policy_read_learned(const char *text, size_t len, const struct tw_learned *learned, size_t n,
	struct tw_policy **ret, struct tw_diags *diags)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	int err = tw_policy_read_unchecked(text, len, learned, n, &policy, diags);

	if (!err)
		err = tw_policy_check(policy, diags);
	if (!err)
		*ret = TW_TAKE_PTR(policy);
	return err;
}

int tw_policy_read_unchecked(const char *text, size_t len, const struct tw_learned *learned,
	size_t n, struct tw_policy **ret, struct tw_diags *diags)
{
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	int err = tw_policy_new(tw_table_hash(text, len, 0), &policy);

	if (!err)
		err = read_text(policy, text, len, diags);
	if (!err)
		err = add_learned(policy, learned, n);
	if (!err)
		err = work_out(policy, diags);
	tw_diags_sort(diags);
	if (err)
		return err;
	if (diags->n_errors)
		return -EINVAL;
	err = keep_said(policy, diags);
	policy->text.bytes = tw_arena_bytes(&policy->arena) + tw_arena_bytes(&policy->sets.arena);
	if (!err)
		*ret = TW_TAKE_PTR(policy);
	return err;
}

int tw_policy_learn(const struct tw_policy *policy, const struct tw_learned *learned, size_t n,
	struct tw_policy **ret, struct tw_diags *diags)
{
	tw_auto(tw_policy) struct tw_policy *p = NULL;
	tw_autofree bool *changed = tw_alloc_array(policy->workloads.n, sizeof(*changed));
	int err = changed ? tw_policy_copy(policy, true, &p) : -ENOMEM;

	if (!err)
		err = tw_policy_copy_rules(p, policy);
	if (!err)
		err = add_learned(p, learned, n);
	if (!err)
		err = tw_policy_index(p);
	for (size_t w = 0; w < policy->workloads.n && !err; w++)
		for (size_t i = 0; i < policy->workloads.at[w].n_nics; i++)
			changed[w] |=
				p->nics.at[policy->workloads.at[w].first_nic + i].pub.n_learned > 0;
	if (!err)
		err = tw_policy_resolve_again(p, policy, changed, diags);
	if (!err)
		err = tw_spaces_make(p, diags);
	if (!err)
		*ret = TW_TAKE_PTR(p);
	return err;
}
