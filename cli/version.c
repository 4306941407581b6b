/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <sys/utsname.h>

#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "cli/sheet.h"
#include "link/json.h"
#include "link/json_message.h"

static const struct tw_column columns[] = {
	{.title = "FEATURE"}, {.title = "FOUND"}, {.title = "USED"}, {.title = "NOTE"}};

static void cell_bool(struct tw_sheet *sheet, bool yes)
{
	tw_sheet_cell(sheet, yes ? TW_STYLE_GOOD : TW_STYLE_DIM, yes ? "yes" : "no");
}

static int print_features(const Tapwall__V1__Version *v)
{
	tw_auto_sheet struct tw_sheet sheet = {
		.columns = columns, .n_columns = TW_ARGS_N(columns), .indent = "  "};

	for (size_t i = 0; i < v->n_features; i++) {
		const Tapwall__V1__Feature *f = v->features[i];

		tw_sheet_cell(&sheet, TW_STYLE_NAME, "%s", f->name);
		cell_bool(&sheet, f->found);
		cell_bool(&sheet, f->used);
		tw_sheet_cell(&sheet, TW_STYLE_DIM, "%s", f->note);
	}
	return v->n_features ? tw_sheet_show(&sheet, "") : TW_EXIT_OK;
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const struct tw_version_options *options = arg;
	const Tapwall__V1__Version *v = response->version;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_VERSION)
		return TW_EXIT_OK;
	if (options->json)
		return tw_report_json(json_pack("{s:s, s:{s:o, s:o}, s:o, s:o}", "version",
			TW_VERSION, "agent", "version", tw_json_text(v->version), "protocol",
			tw_json_u64(v->protocol), "kernel", tw_json_text(v->kernel), "features",
			tw_json_features(v)));
	printf("%stapwall %s%s\n", tw_style_on(TW_STYLE_STRONG), TW_VERSION, tw_style_off());
	printf("  agent   %s, protocol %u, at %s\n", v->version, v->protocol, options->socket);
	printf("  kernel  %s\n", v->kernel);
	return print_features(v);
}

/* Without an agent, prints the versions of this program and the kernel. */
static int print_alone(const struct tw_version_options *options)
{
	struct utsname name = {0};

	uname(&name);
	if (options->json)
		return tw_report_json(json_pack("{s:s, s:n, s:o, s:[]}", "version", TW_VERSION,
			"agent", "kernel", tw_json_text(name.release), "features"));
	printf("%stapwall %s%s\n", tw_style_on(TW_STYLE_STRONG), TW_VERSION, tw_style_off());
	printf("  agent   not reachable at %s\n", options->socket);
	printf("  kernel  %s\n", name.release);
	return TW_EXIT_OK;
}

int tw_version_run(const void *values)
{
	const struct tw_version_options *options = values;
	Tapwall__V1__VersionRequest body = TAPWALL__V1__VERSION_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = options->socket,
		.raw = options->json,
		.answer = on_answer,
		.arg = (void *)options,
		.may_be_absent = true};
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_VERSION;
	request.version = &body;
	code = tw_agent_ask(&call, &request);
	return code == TW_EXIT_NO_AGENT ? print_alone(options) : code;
}
