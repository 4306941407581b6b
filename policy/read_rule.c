/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read_rule.c: the sections `services` and `rules`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clean.h"
#include "fastpath/abi/names.h"
#include "policy/diag.h"
#include "policy/read.h"
#include "policy/service.h"
#include "policy/text.h"

/* ---- services ---- */

struct service_draft {
	const char *proto;
	const struct tw_node *port;
	const struct tw_node *source_port;
	const struct tw_node *type;
	const struct tw_node *code;
};

static void read_proto(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct service_draft *draft = object;

	draft->proto = tw_reader_text(r, value, "proto");
}

static void keep_port(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct service_draft *)object)->port = value;
}

static void keep_source_port(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct service_draft *)object)->source_port = value;
}

static void keep_type(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct service_draft *)object)->type = value;
}

static void keep_code(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct service_draft *)object)->code = value;
}

static const struct tw_field service_fields[] = {
	{.name = "proto",
		.read = read_proto,
		.required = true,
		.hint = "add proto: tcp, udp, icmp, icmp6 or a protocol number"},
	{.name = "port", .read = keep_port},
	{.name = "source-port", .read = keep_source_port},
	{.name = "type", .read = keep_type},
	{.name = "code", .read = keep_code},
};

static void push_part(struct tw_reader *r, const struct tw_node *node, struct tw_part part)
{
	if (++r->n_parts <= TW_POLICY_PARTS_MAX)
		tw_reader_failed(r, tw_vec_push(&r->parts, part));
	else if (r->n_parts == TW_POLICY_PARTS_MAX + 1)
		tw_reader_error(r, node, "name services once and use their names",
			"too many protocols and ports, at most %u are allowed",
			TW_POLICY_PARTS_MAX);
}

/* Reads a port or a range of ports. If nothing is written, the range is all ports. */
static bool read_ports(
	struct tw_reader *r, const struct tw_node *node, uint32_t *ret_lo, uint32_t *ret_hi)
{
	const char *text;

	*ret_lo = 0;
	*ret_hi = TW_PORT_MAX;
	if (!node)
		return true;
	text = tw_reader_text(r, node, "a port");
	if (!text)
		return false;
	if (!tw_text_range(text, TW_PORT_MAX, ret_lo, ret_hi))
		return true;
	tw_reader_error(r, node, "write 443, or 5000-5100 with the lower port first; 0 to 65535",
		"%s is not a port or a range of ports", tw_diag_show(text).text);
	return false;
}

static void push_ports(struct tw_reader *r, const struct tw_node *node,
	const struct tw_proto *proto, const struct tw_node *port, const struct tw_node *source_port)
{
	uint32_t lo, hi;
	struct tw_part part;

	if (!read_ports(r, port, &lo, &hi))
		return;
	part = tw_part_of(proto, lo, hi);
	if (read_ports(r, source_port, &part.sport_lo, &part.sport_hi))
		push_part(r, node, part);
}

/* Appends every pair of `port` and `source-port`, each of which may be a list. */
static void push_port_lists(struct tw_reader *r, const struct tw_node *node,
	const struct tw_proto *proto, const struct service_draft *draft)
{
	const struct tw_node *port = draft->port, *source = draft->source_port;
	bool many_ports = port && port->kind == TW_NODE_SEQ;
	bool many_sources = source && source->kind == TW_NODE_SEQ;

	if ((many_ports && !port->n) || (many_sources && !source->n))
		tw_reader_error(r, node, "leave the key out, or list something",
			"a list of ports is empty");
	for (const struct tw_node *p = many_ports ? port->first : port;; p = p->next) {
		for (const struct tw_node *s = many_sources ? source->first : source;;
			s = s->next) {
			push_ports(r, node, proto, p, s);
			if (!many_sources || !s || !s->next)
				break;
		}
		if (!many_ports || !p || !p->next || r->n_parts > TW_POLICY_PARTS_MAX)
			break;
	}
}

static void push_type(struct tw_reader *r, const struct tw_node *node, const struct tw_proto *proto,
	const struct service_draft *draft)
{
	const char *type = draft->type ? tw_reader_text(r, draft->type, "type") : NULL;
	const char *code = draft->code ? tw_reader_text(r, draft->code, "code") : NULL;
	uint32_t type_number = 0, code_number = 0;

	if (!draft->type && !draft->code) {
		push_part(r, node, tw_part_of(proto, 0, TW_PORT_MAX));
		return;
	}
	if (!draft->type) {
		tw_reader_error(r, draft->code, "give the type too", "a code needs a type");
		return;
	}
	if (!type || (draft->code && !code))
		return;
	if (tw_text_number(type, 255, &type_number) < 0 ||
		(code && tw_text_number(code, 255, &code_number) < 0)) {
		tw_reader_error(
			r, draft->type, "write numbers from 0 to 255", "not an ICMP type or code");
		return;
	}
	push_part(r, node,
		tw_part_of(proto, type_number << 8 | code_number,
			type_number << 8 | (code ? code_number : 255)));
}

static void read_service_object(struct tw_reader *r, const struct tw_node *node)
{
	struct service_draft draft = {0};
	const struct tw_proto *proto;
	bool has_ports, has_types;
	uint32_t number;

	tw_reader_map(r, node, "a service", service_fields,
		sizeof(service_fields) / sizeof(service_fields[0]), &draft);
	if (!draft.proto)
		return;
	has_ports = draft.port || draft.source_port;
	has_types = draft.type || draft.code;
	proto = tw_proto_find(draft.proto, strlen(draft.proto));
	if (!proto && tw_text_number(draft.proto, 255, &number) < 0) {
		char hint[64];
		const char *better = tw_proto_hint(draft.proto, hint, sizeof(hint));

		tw_reader_error(r, node,
			better ? better : "write tcp, udp, icmp, icmp6 or a number from 0 to 255",
			"there is no protocol %s", tw_diag_show(draft.proto).text);
	} else if (!proto && !has_ports && !has_types) {
		push_part(r, node, tw_part_of_number(number));
	} else if (has_ports && (!proto || proto->details != TW_PROTO_PORTS)) {
		tw_reader_error(r, node, "ports need proto: tcp or proto: udp",
			"protocol %s has no ports here", draft.proto);
	} else if (has_types && (!proto || proto->details != TW_PROTO_TYPES)) {
		tw_reader_error(r, node, "type and code need proto: icmp or proto: icmp6",
			"protocol %s has no type or code here", draft.proto);
	} else if (proto->details == TW_PROTO_PORTS) {
		push_port_lists(r, node, proto, &draft);
	} else {
		push_type(r, node, proto, &draft);
	}
}

/* Returns a hint for 80, or for 80/tcp as in /etc/services: how to write it here. */
static const char *port_hint(const char *text, char *hint, size_t hint_len)
{
	size_t len = strspn(text, "0123456789-");
	int shown = len < 16 ? (int)len : 16;

	if (!len || (text[len] && text[len] != '/'))
		return NULL;
	if (text[len] && tw_proto_find(text + len + 1, strlen(text + len + 1)))
		snprintf(hint, hint_len, "write %s/%.*s", text + len + 1, shown, text);
	else
		snprintf(hint, hint_len, "write tcp/%.*s or udp/%.*s", shown, text, shown, text);
	return hint;
}

static void bad_service(struct tw_reader *r, const struct tw_node *node, const char *how)
{
	struct tw_guess guess = {0};
	const char *hint = how;
	char scratch[192];

	if (!hint)
		hint = tw_proto_hint(node->text, scratch, sizeof(scratch));
	if (!hint)
		hint = port_hint(node->text, scratch, sizeof(scratch));
	if (!hint) {
		tw_guess_names(r, &guess, node->text, &r->policy->service_names);
		hint = tw_guess_hint(&guess, scratch, sizeof(scratch),
			"name it under services, or write tcp/443, icmp/8, proto/47");
	}
	tw_reader_error(r, node, hint, how ? "%s is not a service" : "there is no service %s",
		tw_diag_show(node->text).text);
}

/* Reads `tcp/80,443,8000-8100`: each entry of the list means what it would mean alone. */
static void read_literals(struct tw_reader *r, const struct tw_node *node, const char *text)
{
	int head = (int)strcspn(text, "/") + 1;
	const char *how = NULL;
	struct tw_part part;
	char item[64];

	for (const char *at = text + head;; at++) {
		int len = (int)strcspn(at, ",");

		if (snprintf(item, sizeof(item), "%.*s%.*s", head, text, len, at) >=
				(int)sizeof(item) ||
			tw_service_parse(item, &part, &how) < 0) {
			bad_service(r, node, how);
			return;
		}
		push_part(r, node, part);
		at += len;
		if (!*at)
			return;
	}
}

void tw_read_service_part(struct tw_reader *r, const struct tw_node *node)
{
	const char *text, *how = NULL;
	struct tw_part part;

	if (node->kind == TW_NODE_MAP) {
		read_service_object(r, node);
		return;
	}
	text = tw_reader_text(r, node, "a service");
	if (!text)
		return;
	if (strchr(text, '/') && strchr(text, ','))
		read_literals(r, node, text);
	else if (tw_service_parse(text, &part, &how) < 0)
		bad_service(r, node, how);
	else
		push_part(r, node, part);
}

static void add_service_part(struct tw_reader *r, const struct tw_node *item, void *object)
{
	tw_read_service_part(r, item);
}

void tw_read_services(struct tw_reader *r, const struct tw_node *map)
{
	struct tw_policy *p = r->policy;

	for (const struct tw_node *node = map->first; node && !tw_reader_stops(r);
		node = node->next) {
		struct tw_service service = {0};
		struct tw_part part;
		const char *how = NULL;

		if (node->key->kind == TW_NODE_SCALAR &&
			tw_service_parse(node->key->text, &part, &how) != -ENOENT)
			tw_reader_error(r, node->key, "choose another name",
				"%s is a protocol and cannot be a name",
				tw_diag_show(node->key->text).text);
		else
			service.name = tw_reader_name(
				r, node->key, &p->service_names, 0, p->services.n);
		r->parts.n = 0;
		tw_reader_list(r, node, "a service", add_service_part, NULL);
		if (!service.name)
			continue;
		service.n_parts = r->parts.n;
		service.parts = tw_reader_keep(r, r->parts.at, r->parts.n, sizeof(*r->parts.at));
		tw_reader_failed(r, tw_vec_push(&p->services, service));
	}
}

/* ---- rules ---- */

struct rule_draft {
	struct tw_rule rule;
	const struct tw_node *name;
};

static void keep_name(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct rule_draft *)object)->name = value;
}

static void unknown_end(struct tw_reader *r, const struct tw_node *item, const char *text)
{
	const char *how = "define it under networks, workloads or groups";
	struct tw_guess guess = {0};
	char hint[384];

	if (!strcasecmp(text, "any") || !strcasecmp(text, "all") || !strcmp(text, "*")) {
		how = "write any";
	} else if (tw_text_is_name(text) && tw_names_find(&r->policy->tag_names, text)) {
		snprintf(hint, sizeof(hint),
			"it is a tag; name its workloads under groups, %s: {tags: %s}", text, text);
		how = hint;
	} else {
		tw_guess_names(r, &guess, text, &r->policy->names);
		how = tw_guess_hint(&guess, hint, sizeof(hint), how);
	}
	tw_reader_error(
		r, item, how, "there is no group, workload or network %s", tw_diag_show(text).text);
}

static void add_operand(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "an entry of from or to");
	struct tw_operand operand = {.kind = TW_OP_ANY};
	const struct tw_name *name;
	struct tw_prefix prefix;
	bool host_bits;

	if (!text)
		return;
	if (*text == '!') {
		operand.negate = true;
		text++;
		while (*text == ' ')
			text++;
	}
	name = tw_names_find(&r->policy->names, text);
	if (name) {
		operand.kind = name->kind;
		operand.index = name->index;
	} else if (strcmp(text, "any") != 0) {
		/* If the text could be a name, the error says that the name is not defined. */
		bool is_name = tw_text_is_name(text) && text[strspn(text, "0123456789.-")];

		if (!strcmp(text, "*") || (is_name && tw_text_prefix(text, &prefix, &host_bits)))
			unknown_end(r, item, text);
		else
			tw_reader_operands(r, item, text, operand.negate);
		return;
	}
	tw_reader_failed(r, tw_vec_push(&r->operands, operand));
}

static void read_ends(
	struct tw_reader *r, const struct tw_node *value, const char *what, struct tw_operands *ret)
{
	r->operands.n = 0;
	tw_reader_list(r, value, what, add_operand, NULL);
	/* `any` alone means the same as a missing key, and is printed as one. */
	if (r->operands.n == 1 && r->operands.at[0].kind == TW_OP_ANY && !r->operands.at[0].negate)
		r->operands.n = 0;
	ret->n = r->operands.n;
	ret->at = tw_reader_keep(r, r->operands.at, r->operands.n, sizeof(*r->operands.at));
}

static void read_from(struct tw_reader *r, const struct tw_node *value, void *object)
{
	read_ends(r, value, "from", &((struct rule_draft *)object)->rule.from);
}

static void read_to(struct tw_reader *r, const struct tw_node *value, void *object)
{
	read_ends(r, value, "to", &((struct rule_draft *)object)->rule.to);
}

static void add_service(struct tw_reader *r, const struct tw_node *item, void *object)
{
	struct tw_service_ref ref = {.service = TW_INDEX_NONE};
	const struct tw_name *name = item->kind == TW_NODE_SCALAR
					     ? tw_names_find(&r->policy->service_names, item->text)
					     : NULL;

	if (name) {
		ref.service = name->index;
		tw_reader_failed(r, tw_vec_push(&r->refs, ref));
		return;
	}
	r->parts.n = 0;
	tw_read_service_part(r, item);
	for (size_t i = 0; i < r->parts.n; i++) {
		ref.part = r->parts.at[i];
		tw_reader_failed(r, tw_vec_push(&r->refs, ref));
	}
}

static bool is_any_service(const struct tw_service_ref *ref)
{
	return ref->service == TW_INDEX_NONE && ref->part.key_lo == 0 &&
	       ref->part.key_hi == TW_KEY_MAX;
}

static void read_service(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct rule_draft *draft = object;

	r->refs.n = 0;
	tw_reader_list(r, value, "service", add_service, NULL);
	if (r->refs.n == 1 && is_any_service(&r->refs.at[0]))
		r->refs.n = 0;
	draft->rule.n_services = r->refs.n;
	draft->rule.services = tw_reader_keep(r, r->refs.at, r->refs.n, sizeof(*r->refs.at));
}

static void read_action(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "action");
	struct rule_draft *draft = object;
	struct tw_guess guess = {0};
	char hint[96];
	int verdict;

	if (!text)
		return;
	verdict = tw_verdict_from_name(text);
	if (verdict > TW_V_NONE && verdict <= TW_V_ASK) {
		draft->rule.info.action = (enum tw_verdict)verdict;
		return;
	}
	if (!strcasecmp(text, "drop") || !strcasecmp(text, "block"))
		guess.best = "deny";
	else if (!strcasecmp(text, "accept") || !strcasecmp(text, "pass") ||
		 !strcasecmp(text, "permit"))
		guess.best = "allow";
	for (unsigned int v = TW_V_ALLOW; v < TW_V__MAX; v++)
		tw_guess(r, &guess, text, tw_verdict_name(v));
	tw_reader_error(r, value,
		tw_guess_hint(&guess, hint, sizeof(hint), "write allow, deny, reject or ask"),
		"there is no action %s", tw_diag_show(text).text);
}

static void read_log(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "log");
	struct rule_draft *draft = object;

	if (!text)
		return;
	draft->rule.info.log = !strcasecmp(text, "true");
	draft->rule.info.quiet = !strcasecmp(text, "false");
	if (!draft->rule.info.log && !draft->rule.info.quiet)
		tw_reader_error(r, value, "write true or false", "log cannot be %s",
			tw_diag_show(text).text);
}

static void read_at(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "at");
	struct tw_rule_info *info = &((struct rule_draft *)object)->rule.info;

	if (!text)
		return;
	if (!strcmp(text, "from"))
		info->at_in = false;
	else if (!strcmp(text, "to"))
		info->at_out = false;
	else if (strcmp(text, "both") != 0)
		tw_reader_error(r, value, "write both, from or to", "at cannot be %s",
			tw_diag_show(text).text);
}

static void read_enabled(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct tw_rule_info *info = &((struct rule_draft *)object)->rule.info;

	info->disabled = !tw_reader_bool(r, value, "enabled", true);
}

/* Reads YYYY-MM-DDTHH:MM[:SS]Z, RFC 3339 without fractions and other zones, or a day, which ends the rule when
 * that day begins in UTC. */
static bool read_time(const char *text, int64_t *ret_s)
{
	static const char *const forms[] = {
		"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d %H:%MZ", "%Y-%m-%d"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0}, same;
		const char *end = strptime(text, forms[i], &tm);
		time_t at;

		if (!end || *end)
			continue;
		same = tm;
		at = timegm(&tm);
		/* timegm() accepts February 30. */
		if (at <= 0 || tm.tm_mday != same.tm_mday || tm.tm_mon != same.tm_mon)
			return false;
		*ret_s = at;
		return true;
	}
	return false;
}

static void read_until(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "until");

	if (text && !read_time(text, &((struct rule_draft *)object)->rule.info.until_s))
		tw_reader_error(r, value, "write 2026-12-31T00:00Z, in UTC", "until cannot be %s",
			tw_diag_show(text).text);
}

/* Returns a copy of a note for people, or NULL after an error. */
static const char *read_note(struct tw_reader *r, const struct tw_node *value, const char *key)
{
	const char *text = tw_reader_text(r, value, key);

	if (!text)
		return NULL;
	if (strlen(text) > TW_RULE_NOTE_MAX || !tw_clean_check(text, strlen(text))) {
		tw_reader_error(r, value, "write one line of at most 255 bytes",
			"%s is too long, or has a control character", key);
		return NULL;
	}
	return tw_reader_keep(r, text, strlen(text) + 1, 1);
}

static void read_comment(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct rule_draft *)object)->rule.info.comment = read_note(r, value, "comment");
}

static void read_owner(struct tw_reader *r, const struct tw_node *value, void *object)
{
	((struct rule_draft *)object)->rule.info.owner = read_note(r, value, "owner");
}

static void read_network(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "network");
	struct rule_draft *draft = object;
	struct tw_guess guess = {0};
	const struct tw_name *known;
	char hint[192];

	if (!text)
		return;
	known = tw_names_find(&r->policy->space_names, text);
	if (!known) {
		tw_guess_names(r, &guess, text, &r->policy->space_names);
		tw_reader_error(r, value,
			tw_guess_hint(
				&guess, hint, sizeof(hint), "set network at the workloads first"),
			"no workload is in network %s", tw_diag_show(text).text);
		return;
	}
	draft->rule.space = known->index;
	draft->rule.info.network = known->text;
}

static const struct tw_field rule_fields[] = {
	{.name = "network", .read = read_network},
	{.name = "name", .read = keep_name},
	{.name = "from", .read = read_from},
	{.name = "to", .read = read_to},
	{.name = "service", .read = read_service},
	{.name = "action",
		.read = read_action,
		.required = true,
		.hint = "add action: allow, deny, reject or ask"},
	{.name = "log", .read = read_log},
	{.name = "at", .read = read_at},
	{.name = "enabled", .read = read_enabled},
	{.name = "until", .read = read_until},
	{.name = "comment", .read = read_comment},
	{.name = "owner", .read = read_owner},
};

/* Names the rule: as written, or by its number. */
static bool name_rule(
	struct tw_reader *r, const struct tw_node *node, struct rule_draft *draft, size_t number)
{
	struct tw_node by_number = {
		.kind = TW_NODE_SCALAR, .line = node->line, .column = node->column};
	char text[32];

	if (draft->name) {
		if (!tw_reader_text(r, draft->name, "a rule's name"))
			return false;
		draft->rule.named = true;
		draft->rule.info.name = tw_reader_name(
			r, draft->name, &r->policy->rule_names, 0, number);
	} else {
		snprintf(text, sizeof(text), "rule-%zu", number + 1);
		by_number.text = text;
		draft->rule.info.name = tw_reader_name(
			r, &by_number, &r->policy->rule_names, 0, number);
	}
	return draft->rule.info.name;
}

void tw_read_rules(struct tw_reader *r, const struct tw_node *list, size_t number)
{
	struct tw_policy *p = r->policy;

	for (const struct tw_node *node = list->first; node && !tw_reader_stops(r);
		node = node->next, number++) {
		struct rule_draft draft = {.rule = {.column = node->column}};

		if (number == TW_POLICY_RULES_MAX) {
			tw_reader_error(r, node, NULL, "too many rules, at most %u are allowed",
				TW_POLICY_RULES_MAX);
			return;
		}
		draft.rule.info.line = node->line;
		draft.rule.info.at_out = draft.rule.info.at_in = true;
		tw_reader_map(r, node, "a rule", rule_fields,
			sizeof(rule_fields) / sizeof(rule_fields[0]), &draft);
		draft.rule.wants_out = draft.rule.info.at_out;
		draft.rule.wants_in = draft.rule.info.at_in;
		draft.rule.info.at_out &= !draft.rule.info.disabled;
		draft.rule.info.at_in &= !draft.rule.info.disabled;
		if (node->kind == TW_NODE_MAP && name_rule(r, node, &draft, number))
			tw_reader_failed(r, tw_vec_push(&p->rules, draft.rule));
	}
}
