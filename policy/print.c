/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* print.c: prints a policy in its canonical form; reading it gives an equal policy. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "fastpath/abi/names.h"
#include "policy/grants.h"
#include "policy/limits.h"
#include "policy/print.h"
#include "policy/service.h"
#include "policy/text.h"

static void print_prefix(const struct tw_prefix *prefix, struct tw_buf *out)
{
	char text[TW_PREFIX_TEXT_MAX];

	tw_text_yaml_print(tw_prefix_format(prefix, text), out);
}

static void print_prefixes(const struct tw_prefix *prefixes, size_t n, struct tw_buf *out)
{
	tw_buf_adds(out, "[");
	for (size_t i = 0; i < n; i++) {
		tw_buf_adds(out, i ? ", " : "");
		print_prefix(&prefixes[i], out);
	}
	tw_buf_adds(out, "]");
}

void tw_print_network(const struct tw_policy *p, size_t index, struct tw_buf *out)
{
	const struct tw_network *network = &p->networks.at[index];

	tw_text_yaml_print(network->name, out);
	tw_buf_adds(out, ": ");
	print_prefixes(network->prefixes, network->n_prefixes, out);
}

void tw_print_service(const struct tw_policy *p, size_t index, struct tw_buf *out)
{
	const struct tw_service *service = &p->services.at[index];

	tw_text_yaml_print(service->name, out);
	tw_buf_adds(out, ": [");
	for (size_t i = 0; i < service->n_parts; i++) {
		tw_buf_adds(out, i ? ", " : "");
		tw_part_print(&service->parts[i], out);
	}
	tw_buf_adds(out, "]");
}

static void print_limits(const struct tw_limits *limits, struct tw_buf *out)
{
	if (!limits->said)
		return;
	tw_buf_adds(out, ", limits: ");
	tw_limits_print(limits, out);
}

static void print_mode(enum tw_mode mode, struct tw_buf *out)
{
	if (mode != TW_MODE_UNSAID)
		tw_buf_addf(out, ", mode: %s", mode == TW_MODE_OBSERVE ? "observe" : "enforce");
}

static void print_tcp(enum tw_tcp_checks tcp, struct tw_buf *out)
{
	if (tcp != TW_TCP_CHECKS_UNSAID)
		tw_buf_addf(out, ", tcp: %s", tcp == TW_TCP_CHECKS_LIBERAL ? "liberal" : "strict");
}

static void print_learning(const struct tw_nic *nic, struct tw_buf *out)
{
	const char *separator = "[";

	if (nic->pub.dhcp) {
		tw_buf_adds(out, "[dhcp");
		separator = ", ";
	}
	if (nic->pub.slaac && nic->pub.n_formed_in) {
		tw_buf_addf(out, "%s{slaac: ", separator);
		print_prefixes(nic->pub.formed_in, nic->pub.n_formed_in, out);
		tw_buf_adds(out, "}");
	} else if (nic->pub.slaac) {
		tw_buf_addf(out, "%sslaac", separator);
	}
	for (size_t i = 0; i < nic->n_written; i++) {
		tw_buf_adds(out, ", ");
		print_prefix(&nic->written[i], out);
	}
	tw_buf_adds(out, "]");
}

/* Prints a vNIC. `space` is its workload's address space. */
static void print_nic(const struct tw_nic *nic, uint32_t space, struct tw_buf *out)
{
	if (nic->pub.space != space && nic->pub.network) {
		tw_buf_adds(out, "network: ");
		tw_text_yaml_print(nic->pub.network, out);
		tw_buf_adds(out, ", ");
	}
	if (nic->pub.port) {
		tw_buf_adds(out, "port: ");
		tw_text_yaml_print(nic->pub.port, out);
		tw_buf_adds(out, ", ");
	}
	if (nic->pub.has_mac) {
		tw_buf_adds(out, "mac: \"");
		tw_text_mac_print(nic->pub.mac, out);
		tw_buf_adds(out, "\", ");
	}
	tw_buf_adds(out, "addresses: ");
	if (nic->pub.any)
		tw_buf_adds(out, "[any]");
	else if (tw_vnic_learns(&nic->pub))
		print_learning(nic, out);
	else
		print_prefixes(nic->written, nic->n_written, out);
	if (nic->n_shared) {
		tw_buf_adds(out, ", shared: ");
		print_prefixes(nic->shared, nic->n_shared, out);
	}
	tw_grants_print(nic->pub.grants, out);
	print_limits(&nic->limits, out);
}

void tw_print_workload(const struct tw_policy *p, size_t index, struct tw_buf *out)
{
	const struct tw_workload *workload = &p->workloads.at[index];
	const struct tw_nic *nics = &p->nics.at[workload->first_nic];

	tw_text_yaml_print(workload->name, out);
	tw_buf_adds(out, ": {");
	if (workload->space) {
		tw_buf_adds(out, "network: ");
		tw_text_yaml_print(p->space_names.all.at[workload->space - 1].text, out);
		tw_buf_adds(out, ", ");
	}
	if (workload->n_nics == 1) {
		print_nic(nics, workload->space, out);
	} else {
		tw_buf_adds(out, "ports: [");
		for (size_t i = 0; i < workload->n_nics; i++) {
			tw_buf_adds(out, i ? ", {" : "{");
			print_nic(&nics[i], workload->space, out);
			tw_buf_adds(out, "}");
		}
		tw_buf_adds(out, "]");
	}
	print_limits(&workload->limits, out);
	print_mode(workload->mode, out);
	print_tcp(workload->tcp, out);
	if (workload->n_tags) {
		tw_buf_adds(out, ", tags: [");
		for (size_t i = 0; i < workload->n_tags; i++) {
			tw_buf_adds(out, i ? ", " : "");
			tw_text_yaml_print(p->tag_names.all.at[workload->tags[i]].text, out);
		}
		tw_buf_adds(out, "]");
	}
	tw_buf_adds(out, "}");
}

/* Prints a tag expression, with brackets only where they are needed. */
static void print_tags(const struct tw_policy *p, const struct tw_tag_expr *expr,
	enum tw_tag_op within, struct tw_buf *out)
{
	bool bracket;

	switch (expr->op) {
	case TW_TAG_IS:
		tw_buf_adds(out, p->tag_names.all.at[expr->tag].text);
		return;
	case TW_TAG_NOT:
		tw_buf_adds(out, "!");
		print_tags(p, expr->left, TW_TAG_NOT, out);
		return;
	case TW_TAG_AND:
	case TW_TAG_OR:
		break;
	}
	bracket = within == TW_TAG_NOT || (within == TW_TAG_AND && expr->op == TW_TAG_OR);
	tw_buf_adds(out, bracket ? "(" : "");
	print_tags(p, expr->left, expr->op, out);
	tw_buf_adds(out, expr->op == TW_TAG_AND ? " & " : " | ");
	print_tags(p, expr->right, expr->op, out);
	tw_buf_adds(out, bracket ? ")" : "");
}

static void print_operand(
	const struct tw_policy *p, const struct tw_operand *operand, struct tw_buf *out)
{
	char text[TW_NAME_MAX + 2], prefix[TW_PREFIX_TEXT_MAX];
	const char *what = "any";

	switch (operand->kind) {
	case TW_OP_NETWORK:
		what = p->networks.at[operand->index].name;
		break;
	case TW_OP_WORKLOAD:
		what = p->workloads.at[operand->index].name;
		break;
	case TW_OP_GROUP:
		what = p->groups.at[operand->index].name;
		break;
	case TW_OP_PREFIX:
		what = tw_prefix_format(&operand->prefix, prefix);
		break;
	case TW_OP_ANY:
		break;
	}
	snprintf(text, sizeof(text), "%s%s", operand->negate ? "!" : "", what);
	tw_text_yaml_print(text, out);
}

static void print_operands(
	const struct tw_policy *p, const struct tw_operands *list, struct tw_buf *out)
{
	tw_buf_adds(out, "[");
	for (size_t i = 0; i < list->n; i++) {
		tw_buf_adds(out, i ? ", " : "");
		print_operand(p, &list->at[i], out);
	}
	tw_buf_adds(out, "]");
}

/* Prints `from` or `to`, as a list only if it must be one. */
static void print_end(const struct tw_policy *p, const struct tw_operands *list, struct tw_buf *out)
{
	if (!list->n)
		tw_buf_adds(out, "any");
	else if (list->n == 1)
		print_operand(p, list->at, out);
	else
		print_operands(p, list, out);
}

void tw_print_group(const struct tw_policy *p, size_t index, struct tw_buf *out)
{
	const struct tw_group *group = &p->groups.at[index];
	const char *separator = "";

	tw_text_yaml_print(group->name, out);
	tw_buf_adds(out, ": {");
	if (group->tags) {
		tw_buf_adds(out, "tags: \"");
		print_tags(p, group->tags, TW_TAG_OR, out);
		tw_buf_adds(out, "\"");
		separator = ", ";
	}
	if (group->networks.n) {
		tw_buf_addf(out, "%snetworks: ", separator);
		print_operands(p, &group->networks, out);
		separator = ", ";
	}
	if (group->workloads.n || group->n_patterns) {
		tw_buf_addf(out, "%sworkloads: [", separator);
		separator = "";
		for (size_t i = 0; i < group->workloads.n; i++, separator = ", ") {
			tw_buf_adds(out, separator);
			print_operand(p, &group->workloads.at[i], out);
		}
		for (size_t i = 0; i < group->n_patterns; i++, separator = ", ") {
			tw_buf_adds(out, separator);
			tw_text_yaml_print(group->patterns[i], out);
		}
		tw_buf_adds(out, "]");
	}
	tw_buf_adds(out, "}");
}

static void print_services(
	const struct tw_policy *p, const struct tw_rule *rule, struct tw_buf *out)
{
	tw_buf_adds(out, rule->n_services == 1 ? "" : "[");
	for (size_t i = 0; i < rule->n_services; i++) {
		const struct tw_service_ref *ref = &rule->services[i];

		tw_buf_adds(out, i ? ", " : "");
		if (ref->service == TW_INDEX_NONE)
			tw_part_print(&ref->part, out);
		else
			tw_text_yaml_print(p->services.at[ref->service].name, out);
	}
	tw_buf_adds(out, rule->n_services == 1 ? "" : "]");
}

/* Prints what a rule does, in braces that are not closed yet. */
static void print_deeds(const struct tw_policy *p, const struct tw_rule *rule, struct tw_buf *out)
{
	tw_buf_adds(out, "{");
	if (rule->named) {
		tw_buf_adds(out, "name: ");
		tw_text_yaml_print(rule->info.name, out);
		tw_buf_adds(out, ", ");
	}
	tw_buf_adds(out, "from: ");
	print_end(p, &rule->from, out);
	tw_buf_adds(out, ", to: ");
	print_end(p, &rule->to, out);
	if (rule->n_services) {
		tw_buf_adds(out, ", service: ");
		print_services(p, rule, out);
	}
	if (rule->info.network) {
		tw_buf_adds(out, ", network: ");
		tw_text_yaml_print(rule->info.network, out);
	}
	tw_buf_addf(out, ", action: %s", tw_verdict_name(rule->info.action));
	/* `log: false` changes nothing for a rule that allows, because allowed connections are
	 * not logged by default. */
	if (rule->info.log || (rule->info.quiet && rule->info.action != TW_V_ALLOW))
		tw_buf_addf(out, ", log: %s", rule->info.log ? "true" : "false");
	if (!rule->wants_in || !rule->wants_out)
		tw_buf_addf(out, ", at: %s", rule->wants_out ? "from" : "to");
}

static void print_note(const char *key, const char *text, struct tw_buf *out)
{
	if (!text)
		return;
	tw_buf_addf(out, ", %s: ", key);
	tw_text_yaml_print(text, out);
}

static void print_until(int64_t until_s, struct tw_buf *out)
{
	time_t at = (time_t)until_s;
	char text[32];
	struct tm tm;

	if (gmtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		tw_buf_addf(out, ", until: %s", text);
}

void tw_policy_print_rule(const struct tw_policy *p, size_t index, struct tw_buf *out)
{
	const struct tw_rule *rule = &p->rules.at[index];

	if (index + 1 == p->rules.n) {
		tw_buf_addf(out, "default: %s", tw_verdict_name(rule->info.action));
		return;
	}
	print_deeds(p, rule, out);
	if (rule->info.disabled)
		tw_buf_adds(out, ", enabled: false");
	if (rule->info.until_s)
		print_until(rule->info.until_s, out);
	print_note("comment", rule->info.comment, out);
	print_note("owner", rule->info.owner, out);
	tw_buf_adds(out, "}");
}

/* Returns the 64-bit FNV-1a hash, which is the same in every process. */
static uint64_t digest_text(const char *text, size_t len)
{
	uint64_t digest = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		digest = (digest ^ (unsigned char)text[i]) * 0x100000001b3;
	return digest;
}

int tw_policy_rule_key(const struct tw_policy *p, size_t index, char key[TW_RULE_KEY_MAX])
{
	tw_auto_buf struct tw_buf text = {0};

	if (index + 1 == p->rules.n || p->rules.at[index].named) {
		snprintf(key, TW_RULE_KEY_MAX, "%s", p->rules.at[index].info.name);
		return 0;
	}
	/* A rule that is switched off and on again keeps its counts, as does one whose comment
	 * changes. */
	print_deeds(p, &p->rules.at[index], &text);
	tw_buf_adds(&text, "}");
	if (text.failed)
		return -ENOMEM;
	/* `#` cannot occur in a name. */
	snprintf(key, TW_RULE_KEY_MAX, "rule#%016" PRIx64, digest_text(text.data, text.len));
	return 0;
}

static void print_ask(const struct tw_policy *p, struct tw_buf *out)
{
	uint32_t ms = p->ask_ms ? p->ask_ms : TW_ASK_MS_DEFAULT;

	tw_buf_adds(out, ", ask: {timeout: ");
	if (ms % 1000)
		tw_buf_addf(out, "%ums", ms);
	else
		tw_text_seconds_print(ms / 1000, out);
	tw_buf_addf(out, ", on-timeout: %s}", p->ask_allows ? "allow" : "deny");
}

void tw_print_options(const struct tw_policy *p, struct tw_buf *out)
{
	const char *separator = "";
	char text[64];

	tw_buf_addf(out, "{unclaimed: %s", p->unclaimed == TW_UNCLAIMED_DENY ? "deny" : "ignore");
	print_mode(p->mode, out);
	print_tcp(p->tcp, out);
	if (p->has_bind)
		tw_buf_addf(out, ", bind: %s",
			p->bind == TW_BIND_FIRST_SENDER ? "first-sender" : "tap-mac");
	if (p->has_adopt) {
		tw_buf_adds(out, ", adopt: ");
		tw_text_seconds_print(p->adopt_seconds, out);
	}
	if (p->has_refusals) {
		tw_buf_adds(out, ", refusals: ");
		tw_limits_print_rate(p->refusals, out);
	}
	if (p->has_ask)
		print_ask(p, out);
	if (p->has_inspection)
		tw_buf_addf(out, ", inspection: {applications: %s}",
			p->applications ? "true" : "false");
	for (size_t i = 0; i < p->n_reserved; i++)
		tw_buf_addf(out, "%s\"%s\"", i ? ", " : ", reserved: [",
			tw_addr_format(&p->reserved[i], text));
	tw_buf_adds(out, p->n_reserved ? "]" : "");
	print_limits(&p->limits, out);
	for (unsigned int state = 0; state < TW_S__MAX; state++) {
		if (!p->timeout[state])
			continue;
		tw_buf_adds(out, *separator ? separator : ", timeouts: {");
		tw_buf_addf(out, "%s: ", tw_state_name(state));
		tw_text_seconds_print(p->timeout[state], out);
		separator = ", ";
	}
	tw_buf_adds(out, *separator ? "}}" : "}");
}

static void print_section(const struct tw_policy *p, const char *title, size_t n, const char *begin,
	void (*print)(const struct tw_policy *p, size_t index, struct tw_buf *out),
	struct tw_buf *out)
{
	if (n)
		tw_buf_addf(out, "%s:\n", title);
	for (size_t i = 0; i < n; i++) {
		tw_buf_adds(out, begin);
		print(p, i, out);
		tw_buf_adds(out, "\n");
	}
}

void tw_policy_print(const struct tw_policy *p, struct tw_buf *out)
{
	size_t n_rules = tw_policy_n_rules(p);

	tw_buf_adds(out, "version: 1\n");
	print_section(p, "networks", p->networks.n, "  ", tw_print_network, out);
	print_section(p, "services", p->services.n, "  ", tw_print_service, out);
	print_section(p, "workloads", p->workloads.n, "  ", tw_print_workload, out);
	print_section(p, "groups", p->groups.n, "  ", tw_print_group, out);
	print_section(p, "rules", n_rules, "  - ", tw_policy_print_rule, out);
	tw_policy_print_rule(p, n_rules, out);
	tw_buf_adds(out, "\noptions: ");
	tw_print_options(p, out);
	tw_buf_adds(out, "\n");
}
