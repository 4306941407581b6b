/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "cli/report.h"
#include "cli/style.h"

static const struct tw_column columns[] = {
	{.title = "PORT"},
	{.title = "WORKLOAD"},
	{.title = "STATE"},
	{.title = "FOUND BY", .spare = 7},
	{.title = "MAC", .spare = 5},
	{.title = "BRIDGE", .spare = 3},
	{.title = "RULES", .right = true, .spare = 6},
	{.title = "OUT", .right = true},
	{.title = "IN", .right = true},
	{.title = "BYTES OUT", .right = true, .spare = 2},
	{.title = "BYTES IN", .right = true, .spare = 2},
	{.title = "DENIED OUT", .right = true},
	{.title = "DENIED IN", .right = true},
	{.title = "HALF OPEN", .right = true, .spare = 1},
	{.title = "ESTABLISHED", .right = true, .spare = 1},
	{.title = "ADDRESSES", .spare = 4},
	{.title = "TROUBLE"},
};

/* Lines printed before the table. */
struct head {
	struct tw_buf gaps; /* lines */
	unsigned int n_open;
	unsigned int n_observed;
	unsigned int n_liberal;
};

static void join(char *text, size_t max, size_t n, char **items)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && len < max; i++)
		len += (size_t)snprintf(text + len, max - len, "%s%s", i ? " " : "", items[i]);
}

/* Appends the addresses from DHCP, such as `10.0.0.50 (59m)`, and marks those that the policy
 * does not know yet. */
static void join_leases(char *text, size_t max, const Tapwall__V1__Port *p)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < p->n_leases && len < max; i++) {
		const Tapwall__V1__Lease *lease = p->leases[i];

		len += (size_t)snprintf(text + len, max - len, " %s (%s%s)", lease->address,
			lease->left_s < 0 ? "forever" : tw_human_span(lease->left_s).text,
			lease->known ? "" : ", not in the policy");
	}
}

/* Adds a line for each fault of the port, to be printed before the table. */
static void add_gap(struct head *head, const Tapwall__V1__Port *p)
{
	const char *on = tw_style_on(TW_STYLE_BAD), *off = tw_style_off();
	bool unfiltered = !strcmp(p->state, "unfiltered");

	head->n_open += p->open || unfiltered;
	head->n_observed += !strcmp(p->state, "observed");
	head->n_liberal += !strcmp(p->tcp, "liberal");
	if (p->open || unfiltered)
		tw_buf_addf(&head->gaps, "%sNOT FILTERED:%s %s: %s\n", on, off, p->name,
			p->open		? "no workload of the policy has it"
			: p->trouble[0] ? p->trouble
					: "it has no programs and is not kept shut");
	if (p->why[0])
		tw_buf_addf(&head->gaps, "%sSHUT:%s %s: %s\n", on, off, p->name, p->why);
	if (p->bridged[0])
		tw_buf_addf(
			&head->gaps, "%s: frames go through the bridge: %s\n", p->name, p->bridged);
	if (p->resembles[0])
		tw_buf_addf(&head->gaps,
			"%sLOOKS LIKE%s %s: %s: to bind it, write port: %s in the policy\n", on,
			off, p->resembles, p->name, p->name);
}

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Port *p = response->port;
	enum tw_style out = p->denied_out ? TW_STYLE_BAD : TW_STYLE_DIM;
	enum tw_style in = p->denied_in ? TW_STYLE_BAD : TW_STYLE_DIM;
	const char *state = tw_style_state(p->state, p->open);
	char addresses[512];

	add_gap(arg, p);
	join(addresses, sizeof(addresses), p->n_addresses, p->addresses);
	join_leases(addresses, sizeof(addresses), p);
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", p->name);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", p->workload);
	tw_sheet_cell(sheet, tw_style_of(state), "%s", state);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", p->found_by);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", p->mac);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", p->bridge);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(p->rules).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(p->packets_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(p->packets_in).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(p->bytes_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(p->bytes_in).text);
	tw_sheet_cell(sheet, out, "%s", tw_human_count(p->denied_out).text);
	tw_sheet_cell(sheet, in, "%s", tw_human_count(p->denied_in).text);
	tw_sheet_cell(sheet, p->quota_passed ? TW_STYLE_BAD : TW_STYLE_PLAIN, "%s",
		tw_human_count(p->half_open).text);
	tw_sheet_cell(sheet, p->quota_refused ? TW_STYLE_BAD : TW_STYLE_PLAIN, "%s",
		tw_human_count(p->established).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", addresses);
	tw_sheet_cell(sheet, TW_STYLE_BAD, "%s", p->trouble);
}

static int print_head(void *arg)
{
	const struct head *head = arg;

	if (head->gaps.failed)
		return tw_report_memory();
	if (head->n_open)
		printf("%sNOT FILTERED:%s %u port%s\n", tw_style_on(TW_STYLE_BAD), tw_style_off(),
			head->n_open, head->n_open == 1 ? "" : "s");
	if (head->n_observed)
		printf("%sOBSERVED:%s not enforced, rules and default deny nothing at %u port%s\n",
			tw_style_on(TW_STYLE_BAD), tw_style_off(), head->n_observed,
			head->n_observed == 1 ? "" : "s");
	if (head->n_liberal)
		printf("%sLIBERAL:%s state and sequence numbers of TCP deny nothing at %u port%s\n",
			tw_style_on(TW_STYLE_WARN), tw_style_off(), head->n_liberal,
			head->n_liberal == 1 ? "" : "s");
	if (head->gaps.len)
		fputs(head->gaps.data, stdout);
	return TW_EXIT_OK;
}

static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_PORT,
	.columns = columns,
	.n_columns = TW_ARGS_N(columns),
	.nothing = "no port matches the agent's patterns",
	.add = add_row,
	.before = print_head};

int tw_ports_run(const void *values)
{
	const struct tw_ports_options *options = values;
	Tapwall__V1__PortsRequest body = TAPWALL__V1__PORTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct head head = {0};
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_PORTS;
	request.ports = &body;
	code = tw_listing_run(&listing, options->socket, options->json, &request, &head);
	tw_buf_done(&head.gaps);
	return code;
}
