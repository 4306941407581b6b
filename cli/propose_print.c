/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* propose_print.c: prints the draft.
 *
 * How:        networks, services and workloads are copied from the text of the policy in force, comments
 *             included, if its sections can be told apart by their lines. If not, and if rights are granted, they
 *             are printed in canonical form, as groups, rules and options always are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/args.h"
#include "base/cleanup.h"
#include "cli/propose.h"
#include "cli/propose_groups.h"
#include "fastpath/abi/names.h"
#include "policy/print.h"
#include "policy/service.h"
#include "policy/text.h"

#define LABEL_MAX 32 /* bytes of a name within the name of a rule, or within a comment */

struct printer {
	const struct tw_propose *propose;
	struct tw_groups_drafted groups;
	struct tw_buf rules;
	struct tw_names names; /* names of the added rules */
	TW_VEC(char *) texts;  /* memory of the names */
};

/* ---- words ---- */

static void print_service(const struct tw_propose_service *service, struct tw_buf *out)
{
	static const char *const names[] = {[TW_PROTO_ICMP] = "icmp",
		[TW_PROTO_TCP] = "tcp",
		[TW_PROTO_UDP] = "udp",
		[TW_PROTO_ICMP6] = "icmp6"};
	const char *name = service->proto < TW_ARGS_N(names) ? names[service->proto] : NULL;
	struct tw_part part = tw_part_of_number(service->proto);

	if (name) {
		part = tw_part_of(tw_proto_find(name, strlen(name)), service->lo, service->hi);
	}
	tw_part_print(&part, out);
}

/* Adds a short form of a text that is made of the characters of names. */
static void add_label(const char *text, struct tw_buf *out)
{
	tw_buf_addf(out, "%.*s", LABEL_MAX, text);
}

static const char *workload_name(const struct printer *p, uint32_t workload)
{
	return p->propose->policy->workloads.at[workload].name;
}

static void label_end(const struct printer *p, const struct tw_propose_rule *rule, enum tw_dir dir,
	struct tw_buf *out)
{
	const struct tw_propose_end *first = &rule->end[dir].at[0];
	const char *group = tw_groups_drafted_of(&p->groups, rule, dir);

	if (group)
		add_label(group, out);
	else if (first->workload != TW_INDEX_NONE)
		add_label(workload_name(p, first->workload), out);
	else if (tw_propose_is_group(&first->prefix))
		tw_buf_adds(out, "multicast");
	else
		tw_buf_adds(out, "outside");
	if (!group && rule->end[dir].n > 1 && first->workload != TW_INDEX_NONE)
		tw_buf_adds(out, "-and-others");
}

void tw_propose_label(const struct tw_propose_service *service, char *ret, size_t max)
{
	tw_auto_buf struct tw_buf text = {0};

	print_service(service, &text);
	snprintf(ret, max, "%s", text.failed ? "service" : text.data);
	for (char *c = ret; *c; c++)
		if (*c == '/')
			*c = '-';
}

static void label_service(const struct tw_propose_rule *rule, struct tw_buf *out)
{
	char text[40];

	tw_propose_label(&rule->services.at[0], text, sizeof(text));
	tw_buf_adds(out, text);
	if (rule->services.n > 1)
		tw_buf_adds(out, "-and-others");
}

static bool is_taken(const struct printer *p, const char *name)
{
	return tw_names_find(&p->names, name) ||
	       (!p->propose->fresh && tw_names_find(&p->propose->policy->rule_names, name));
}

/* Adds the name of a rule: its ends and service, with a number if that is taken. */
static int add_name(struct printer *p, const struct tw_propose_rule *rule, struct tw_buf *out)
{
	tw_auto_buf struct tw_buf name = {0};
	size_t len;
	char *copy;

	if (rule->why)
		tw_buf_adds(&name, "off-");
	label_end(p, rule, TW_DIR_OUT, &name);
	tw_buf_adds(&name, "-to-");
	label_end(p, rule, TW_DIR_IN, &name);
	tw_buf_adds(&name, "-");
	label_service(rule, &name);
	len = name.len;
	for (unsigned int n = 2; !name.failed && is_taken(p, name.data); n++) {
		name.len = len;
		tw_buf_addf(&name, "-%u", n);
	}
	copy = name.failed ? NULL : tw_strdup(name.data);
	if (!copy || tw_vec_push(&p->texts, copy) < 0) {
		free(copy);
		return -ENOMEM;
	}
	tw_text_yaml_print(copy, out);
	return tw_names_add(&p->names, (struct tw_name){.text = copy});
}

/* ---- comments ---- */

static void add_time(double unix_time, struct tw_buf *out)
{
	time_t at = (time_t)unix_time;
	char text[32];
	struct tm tm;

	if (gmtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%MZ", &tm))
		tw_buf_adds(out, text);
}

static void add_end(const struct printer *p, const struct tw_propose_end *end, struct tw_buf *out)
{
	char text[TW_PREFIX_TEXT_MAX];

	if (end->workload != TW_INDEX_NONE)
		add_label(workload_name(p, end->workload), out);
	else
		tw_buf_adds(out, tw_prefix_format(&end->prefix, text));
}

static void add_wide(const struct tw_propose_rule *rule, struct tw_buf *out)
{
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		uint32_t n_seen = 0;

		tw_vec_foreach (&rule->end[dir], end)
			if (tw_propose_is_wide(end) && end->n_seen > n_seen)
				n_seen = end->n_seen;
		if (n_seen)
			tw_buf_addf(out, "; %s is wider than the %u addresses seen",
				dir == TW_DIR_OUT ? "from" : "to", n_seen);
	}
}

static void add_comment(
	const struct printer *p, const struct tw_propose_rule *rule, struct tw_buf *out)
{
	static const char *const whys[] = {
		[TW_PROPOSE_ON] = "",
		[TW_PROPOSE_UNANSWERED] = "off, never answered: ",
		[TW_PROPOSE_RARE] = "off, fewer than --min: ",
		[TW_PROPOSE_PORTS_DYNAMIC] = "off, ports seem to be assigned dynamically: ",
		[TW_PROPOSE_PORTS_MANY] = "off, so many ports that it may be a port scan: ",
	};
	const struct tw_propose_pair *fewest = &rule->fewest;
	tw_auto_buf struct tw_buf text = {0};

	_Static_assert(TW_ARGS_N(whys) == TW_PROPOSE_WHY__MAX, "a text for each");
	tw_buf_addf(&text, "%sseen %llu time%s", whys[rule->why], (unsigned long long)rule->n,
		rule->n == 1 ? "" : "s");
	if (rule->n_pairs > 1)
		tw_buf_addf(&text, " by %llu pairs", (unsigned long long)rule->n_pairs);
	tw_buf_adds(&text, ", last ");
	add_time(rule->last, &text);
	if (rule->n_pairs > 1) {
		tw_buf_addf(&text, "; fewest: %llu by ", (unsigned long long)fewest->n);
		add_end(p, &fewest->end[TW_DIR_OUT], &text);
		tw_buf_adds(&text, " to ");
		add_end(p, &fewest->end[TW_DIR_IN], &text);
	}
	add_wide(rule, &text);
	tw_buf_adds(out, ", comment: ");
	if (text.failed)
		out->failed = true;
	else
		tw_text_yaml_print(text.data, out);
}

/* ---- rules ---- */

static void add_operand(const char *text, bool negated, size_t *n, struct tw_buf *out)
{
	char operand[TW_NAME_MAX + 2];

	snprintf(operand, sizeof(operand), "%s%s", negated ? "!" : "", text);
	tw_buf_adds(out, (*n)++ ? ", " : "");
	tw_text_yaml_print(operand, out);
}

/* Adds what a prefix that is wider than what was seen must not include. */
static void add_exceptions(const struct printer *p, const struct tw_propose_rule *rule,
	enum tw_dir dir, size_t *n, struct tw_buf *out)
{
	bool v4 = false, v6 = false;

	if (p->groups.guests)
		add_operand(p->groups.guests, true, n, out);
	if (dir == TW_DIR_OUT)
		return;
	tw_vec_foreach (&rule->end[dir], end) {
		v4 |= end->prefix.len == 96;
		v6 |= end->prefix.len == 0;
	}
	if (v4)
		add_operand("224.0.0.0/4", true, n, out);
	if (v4)
		add_operand("255.255.255.255", true, n, out);
	if (v6)
		add_operand("ff00::/8", true, n, out);
}

static void print_end(const struct printer *p, const struct tw_propose_rule *rule, enum tw_dir dir,
	struct tw_buf *out)
{
	const char *group = tw_groups_drafted_of(&p->groups, rule, dir);
	bool wide = tw_propose_is_wide(&rule->end[dir].at[0]);
	tw_auto_buf struct tw_buf list = {0};
	char text[TW_PREFIX_TEXT_MAX];
	size_t n = 0;

	if (group)
		add_operand(group, false, &n, &list);
	tw_vec_foreach (&rule->end[dir], end) {
		if (end->workload == TW_INDEX_NONE)
			add_operand(tw_prefix_format(&end->prefix, text), false, &n, &list);
		else if (!group)
			add_operand(workload_name(p, end->workload), false, &n, &list);
	}
	if (wide)
		add_exceptions(p, rule, dir, &n, &list);
	if (list.failed)
		out->failed = true;
	else
		tw_buf_addf(out, n > 1 ? "[%s]" : "%s", list.data);
}

static int add_rule(struct printer *p, const struct tw_propose_rule *rule)
{
	struct tw_buf *out = &p->rules;
	size_t n = 0;

	tw_buf_adds(out, "  - {name: ");
	if (add_name(p, rule, out) < 0)
		return -ENOMEM;
	tw_buf_adds(out, ", from: ");
	print_end(p, rule, TW_DIR_OUT, out);
	tw_buf_adds(out, ", to: ");
	print_end(p, rule, TW_DIR_IN, out);
	tw_buf_adds(out, rule->services.n > 1 ? ", service: [" : ", service: ");
	tw_vec_foreach (&rule->services, service) {
		tw_buf_adds(out, n++ ? ", " : "");
		print_service(service, out);
	}
	tw_buf_adds(out, rule->services.n > 1 ? "]" : "");
	tw_buf_adds(out, ", action: allow");
	if (rule->why)
		tw_buf_adds(out, ", enabled: false");
	add_comment(p, rule, out);
	tw_buf_adds(out, "}\n");
	return 0;
}

/* ---- sections ---- */

static const char *line_start(const char *text, size_t len, unsigned int line)
{
	const char *at = text;

	for (unsigned int i = 1; i < line && at; i++) {
		at = memchr(at, '\n', len - (size_t)(at - text));
		at = at ? at + 1 : NULL;
	}
	return at ? at : text + len;
}

/* Copies sections whose names are in `keys`, with their comments. Returns false if the lines of sections
 * are not known. */
static bool copy_sections(
	const struct tw_propose *propose, const char *text, size_t len, struct tw_buf *out)
{
	static const char *const keys[] = {"version:", "networks:", "services:", "workloads:"};
	const struct tw_policy_text *lines = &propose->policy->text;
	size_t n = 0;

	for (size_t i = 0; i < lines->n_sections && lines->plain && !propose->granted; i++) {
		const char *from = line_start(text, len, lines->sections[i]);
		const char *to = i + 1 < lines->n_sections
					 ? line_start(text, len, lines->sections[i + 1])
					 : text + len;

		for (size_t k = 0; k < TW_ARGS_N(keys); k++) {
			if ((size_t)(to - from) < strlen(keys[k]) ||
				strncmp(from, keys[k], strlen(keys[k])) != 0)
				continue;
			tw_buf_add(out, from, (size_t)(to - from));
			if (to[-1] != '\n')
				tw_buf_adds(out, "\n");
			n++;
		}
	}
	return n > 0;
}

static void print_section(const struct tw_policy *policy, const char *title, size_t n,
	void (*print)(const struct tw_policy *policy, size_t index, struct tw_buf *out),
	struct tw_buf *out)
{
	if (n)
		tw_buf_addf(out, "%s:\n", title);
	for (size_t i = 0; i < n; i++) {
		tw_buf_adds(out, "  ");
		print(policy, i, out);
		tw_buf_adds(out, "\n");
	}
}

static void print_groups(const struct printer *p, struct tw_buf *out)
{
	const struct tw_policy *policy = p->propose->policy;

	if (policy->groups.n || p->groups.text.len)
		tw_buf_adds(out, "groups:\n");
	for (size_t i = 0; i < policy->groups.n; i++) {
		tw_buf_adds(out, "  ");
		tw_print_group(policy, i, out);
		tw_buf_adds(out, "\n");
	}
	tw_buf_add(out, p->groups.text.data, p->groups.text.len);
}

static void print_rules(const struct printer *p, struct tw_buf *out)
{
	const struct tw_policy *policy = p->propose->policy;
	size_t n = p->propose->fresh ? 0 : tw_policy_n_rules(policy);

	if (n || p->rules.len)
		tw_buf_adds(out, "rules:\n");
	for (size_t i = 0; i < n; i++) {
		tw_buf_adds(out, "  - ");
		tw_policy_print_rule(policy, i, out);
		tw_buf_adds(out, "\n");
	}
	tw_buf_add(out, p->rules.data, p->rules.len);
}

static void print_options(const struct printer *p, struct tw_buf *out)
{
	struct tw_policy copy = *p->propose->policy;

	copy.mode = p->propose->observe ? TW_MODE_OBSERVE : TW_MODE_ENFORCE;
	tw_buf_adds(out, "default: deny\noptions: ");
	tw_print_options(&copy, out);
	tw_buf_adds(out, "\n");
}

static void print_all(const struct printer *p, const char *text, size_t len, struct tw_buf *out)
{
	const struct tw_policy *policy = p->propose->policy;

	tw_buf_adds(out, p->propose->head);
	if (!copy_sections(p->propose, text, len, out)) {
		tw_buf_adds(out, "version: 1\n");
		print_section(policy, "networks", policy->networks.n, tw_print_network, out);
		print_section(policy, "services", policy->services.n, tw_print_service, out);
		print_section(policy, "workloads", policy->workloads.n, tw_print_workload, out);
	}
	print_groups(p, out);
	print_rules(p, out);
	print_options(p, out);
}

int tw_propose_print(
	const struct tw_propose *propose, const char *text, size_t len, struct tw_buf *out)
{
	struct printer p = {.propose = propose};
	int ret = tw_groups_drafted_make(&p.groups, propose);

	tw_vec_foreach (&propose->rules, rule)
		if (!ret)
			ret = add_rule(&p, rule);
	if (!ret)
		print_all(&p, text, len, out);
	if (p.rules.failed || out->failed)
		ret = -ENOMEM;
	tw_vec_foreach (&p.texts, name)
		free(*name);
	tw_vec_done(&p.texts);
	tw_names_done(&p.names);
	tw_buf_done(&p.rules);
	tw_groups_drafted_done(&p.groups);
	return ret;
}
