/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read_options.c: the section `options`. */
#include <stdio.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "policy/diag.h"
#include "policy/limits.h"
#include "policy/read.h"
#include "policy/text.h"

#define TIMEOUT_SECONDS_MAX (25 * 86400) /* half of the tick counter's range */

static void read_timeouts(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct tw_policy *p = r->policy;

	if (!tw_reader_section(r, value, "timeouts"))
		return;
	for (const struct tw_node *node = value->first; node && !tw_reader_stops(r);
		node = node->next) {
		struct tw_guess guess = {0};
		const char *text;
		uint32_t seconds = 0;
		unsigned int state = 0;
		char hint[96];

		if (node->key->kind != TW_NODE_SCALAR)
			continue;
		for (; state < TW_S__MAX && strcmp(tw_state_name(state), node->key->text) != 0;
			state++)
			tw_guess(r, &guess, node->key->text, tw_state_name(state));
		text = tw_reader_text(r, node, "a timeout");
		if (state == TW_S__MAX) {
			tw_reader_error(r, node->key,
				tw_guess_hint(&guess, hint, sizeof(hint),
					"write a connection state such as established, syn-sent, udp-replied or icmp"),
				"there is no connection state %s",
				tw_diag_show(node->key->text).text);
			continue;
		}
		if (p->timeout[state])
			tw_reader_error(r, node->key, "keep one of them",
				"the timeout %s is set twice", node->key->text);
		if (!text)
			continue;
		if (tw_text_seconds(text, TIMEOUT_SECONDS_MAX, &seconds) < 0 || !seconds)
			tw_reader_error(r, node, "write 30s, 10m, 2h or 5d; from 1s to 25d",
				"%s is not a valid timeout", tw_diag_show(text).text);
		else
			p->timeout[state] = seconds;
	}
}

static void read_unclaimed(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "unclaimed");

	if (!text)
		return;
	if (!strcmp(text, "deny"))
		r->policy->unclaimed = TW_UNCLAIMED_DENY;
	else if (strcmp(text, "ignore") != 0)
		tw_reader_error(r, value, "write ignore or deny", "unclaimed cannot be %s",
			tw_diag_show(text).text);
}

static void read_mode(struct tw_reader *r, const struct tw_node *value, void *object)
{
	r->policy->mode = tw_reader_mode(r, value);
}

static void read_tcp(struct tw_reader *r, const struct tw_node *value, void *object)
{
	r->policy->tcp = tw_reader_tcp(r, value);
}

static void read_bind(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "bind");

	if (!text)
		return;
	if (!strcmp(text, "first-sender"))
		r->policy->bind = TW_BIND_FIRST_SENDER;
	else if (strcmp(text, "tap-mac") != 0)
		tw_reader_error(r, value, "write tap-mac or first-sender", "bind cannot be %s",
			tw_diag_show(text).text);
	r->policy->has_bind = true;
}

static void read_adopt(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "adopt");
	uint32_t seconds;

	if (!text)
		return;
	if (tw_text_seconds(text, TW_ADOPT_SECONDS_MAX, &seconds) < 0) {
		tw_reader_error(r, value, "write 0s (never), 30s, 5m; at most 24h",
			"%s is not a valid adoption window", tw_diag_show(text).text);
		return;
	}
	r->policy->adopt_seconds = seconds;
	r->policy->has_adopt = true;
}

static void add_reserved(struct tw_reader *r, const struct tw_node *item, void *object)
{
	const char *text = tw_reader_text(r, item, "an address in reserved");
	struct tw_policy *p = r->policy;
	struct tw_prefix prefix;

	if (!text || !tw_reader_prefix(r, item, text, false, &prefix))
		return;
	if (prefix.len != 128 || prefix.addr.b[0] != 0xfe || (prefix.addr.b[1] & 0xc0) != 0x80)
		tw_reader_error(r, item, "write an address such as \"fe80::1\"",
			"%s is not a link-local address", tw_diag_show(text).text);
	else if (p->n_reserved == TW_POLICY_RESERVED_MAX)
		tw_reader_error(r, item, NULL,
			"too many reserved addresses, at most %u are allowed",
			TW_POLICY_RESERVED_MAX);
	else
		p->reserved[p->n_reserved++] = prefix.addr;
}

static void read_reserved(struct tw_reader *r, const struct tw_node *value, void *object)
{
	tw_reader_list(r, value, "reserved", add_reserved, NULL);
}

static void read_refusals(struct tw_reader *r, const struct tw_node *value, void *object)
{
	struct tw_policy *p = r->policy;

	p->has_refusals = tw_limits_read_rate(r, value, "refusals", &p->refusals);
}

static void read_option_limits(struct tw_reader *r, const struct tw_node *value, void *object)
{
	tw_limits_read(r, value, &r->policy->limits);
}

/* ---- ask ---- */

#define ASK_MS_MAX 60000

/* Parses `250ms` or a duration in seconds. */
static bool parse_wait(const char *text, uint32_t *ret_ms)
{
	size_t len = strlen(text);
	char number[16];
	uint32_t seconds;

	if (len > 2 && len < sizeof(number) && !strcmp(text + len - 2, "ms")) {
		snprintf(number, sizeof(number), "%.*s", (int)(len - 2), text);
		return !tw_text_number(number, ASK_MS_MAX, ret_ms) && *ret_ms;
	}
	if (tw_text_seconds(text, ASK_MS_MAX / 1000, &seconds) < 0 || !seconds)
		return false;
	*ret_ms = seconds * 1000;
	return true;
}

static void read_ask_timeout(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "timeout");

	if (text && !parse_wait(text, &r->policy->ask_ms))
		tw_reader_error(r, value, "write 500ms, 1s, 10s; from 1ms to 1m",
			"%s cannot be the time to wait for an answer", tw_diag_show(text).text);
}

static void read_on_timeout(struct tw_reader *r, const struct tw_node *value, void *object)
{
	const char *text = tw_reader_text(r, value, "on-timeout");

	if (!text)
		return;
	if (!strcmp(text, "allow"))
		r->policy->ask_allows = true;
	else if (strcmp(text, "deny") != 0)
		tw_reader_error(r, value, "write deny or allow", "on-timeout cannot be %s",
			tw_diag_show(text).text);
}

static const struct tw_field ask_fields[] = {
	{.name = "timeout", .read = read_ask_timeout},
	{.name = "on-timeout", .read = read_on_timeout},
};

static void read_ask(struct tw_reader *r, const struct tw_node *value, void *object)
{
	if (!tw_reader_section(r, value, "ask"))
		return;
	r->policy->has_ask = true;
	tw_reader_map(
		r, value, "ask", ask_fields, sizeof(ask_fields) / sizeof(ask_fields[0]), NULL);
}

static void read_applications(struct tw_reader *r, const struct tw_node *value, void *object)
{
	r->policy->applications = tw_reader_bool(r, value, "applications", false);
}

static const struct tw_field inspection_fields[] = {
	{.name = "applications", .read = read_applications},
};

static void read_inspection(struct tw_reader *r, const struct tw_node *value, void *object)
{
	if (!tw_reader_section(r, value, "inspection"))
		return;
	r->policy->has_inspection = true;
	tw_reader_map(r, value, "inspection", inspection_fields,
		sizeof(inspection_fields) / sizeof(inspection_fields[0]), NULL);
}

static const struct tw_field option_fields[] = {
	{.name = "unclaimed", .read = read_unclaimed},
	{.name = "mode", .read = read_mode},
	{.name = "tcp", .read = read_tcp},
	{.name = "bind", .read = read_bind},
	{.name = "timeouts", .read = read_timeouts},
	{.name = "adopt", .read = read_adopt},
	{.name = "limits", .read = read_option_limits},
	{.name = "refusals", .read = read_refusals},
	{.name = "reserved", .read = read_reserved},
	{.name = "ask", .read = read_ask},
	{.name = "inspection", .read = read_inspection},
};

void tw_read_options(struct tw_reader *r, const struct tw_node *map)
{
	tw_reader_map(r, map, "options", option_fields,
		sizeof(option_fields) / sizeof(option_fields[0]), NULL);
}
