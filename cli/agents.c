/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "cli/style.h"

#define HANDSHAKES_WARN 16
#define CERT_WARN_S	(7 * 86400)
#define CA_WARN_S	(180 * 86400)

static const struct tw_column columns[] = {
	{.title = "AGENT"},
	{.title = "VERSION"},
	{.title = "POLICY", .right = true},
	{.title = "STATE"},
	{.title = "FOR", .right = true},
	{.title = "LAST CONTACT", .right = true},
	{.title = "ADDRESS"},
	{.title = "WHY"},
};

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Agent *a = response->agent;

	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", a->name);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", a->version);
	if (a->policy_generation)
		tw_sheet_cell(
			sheet, TW_STYLE_PLAIN, "%llu", (unsigned long long)a->policy_generation);
	else
		tw_sheet_cell(sheet, TW_STYLE_WARN, "%s", "none");
	tw_sheet_cell(sheet, a->connected ? TW_STYLE_GOOD : TW_STYLE_BAD, "%s",
		a->connected ? "connected" : "away");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_span(a->since_s).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_span(a->contact_s).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", a->address);
	if (a->connected && a->certificate_left_s && a->certificate_left_s < CERT_WARN_S)
		tw_sheet_cell(sheet, TW_STYLE_WARN, "its certificate expires in %s",
			tw_human_span(a->certificate_left_s).text);
	else
		tw_sheet_cell(sheet, TW_STYLE_WARN, "%s", a->connected ? "" : a->why);
}

/* Prints when the slow path's own certificates expire, if they expire soon. */
static void tell_state(const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__SlowState *s = response->slow_state;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_SLOW_STATE)
		return;
	if (s->handshakes >= HANDSHAKES_WARN)
		printf("%u connections are in their handshake.\n\n", s->handshakes);
	if (s->in_bytes > s->in_bytes_max / 2)
		printf("Incomplete messages of agents take %s of %s.\n\n",
			tw_human_bytes(s->in_bytes).text, tw_human_bytes(s->in_bytes_max).text);
	if (s->certificate_left_s < CERT_WARN_S)
		printf("The slow path's certificate %s %s%s.\n\n",
			s->certificate_left_s < 0 ? "EXPIRED" : "expires in",
			tw_human_span(fabs(s->certificate_left_s)).text,
			s->certificate_left_s < 0 ? " ago" : "");
	if (s->ca_left_s < CA_WARN_S)
		printf("The CA's certificate %s %s%s, and all that it issued with it: make a new CA and enroll every host again.\n\n",
			s->ca_left_s < 0 ? "EXPIRED" : "expires in",
			tw_human_span(fabs(s->ca_left_s)).text, s->ca_left_s < 0 ? " ago" : "");
}

static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_AGENT,
	.columns = columns,
	.n_columns = TW_ARGS_N(columns),
	.slow = true,
	.nothing = "no agent has connected",
	.add = add_row,
	.other = tell_state};

int tw_agents_run(const void *values)
{
	const struct tw_agents_options *options = values;
	Tapwall__V1__AgentsRequest body = TAPWALL__V1__AGENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_AGENTS;
	request.agents = &body;
	return tw_listing_run(&listing, options->socket, options->json, &request, NULL);
}
