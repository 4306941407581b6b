/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/listing.h"

#include "cli/agent.h"
#include "cli/report.h"
#include "link/json_message.h"

struct view {
	const struct tw_listing *listing;
	struct tw_sheet sheet;
	bool json;
	void *arg;
};

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	struct view *view = arg;

	if (response->body_case != view->listing->body) {
		if (view->listing->other && !view->json)
			view->listing->other(response, view->arg);
		return TW_EXIT_OK;
	}
	if (view->json)
		return tw_report_json(tw_json_response(response));
	view->listing->add(&view->sheet, response, view->arg);
	return TW_EXIT_OK;
}

int tw_listing_run(const struct tw_listing *listing, const char *socket, bool json,
	Tapwall__V1__Request *request, void *arg)
{
	struct view view = {.listing = listing,
		.sheet = {.columns = listing->columns, .n_columns = listing->n_columns},
		.json = json,
		.arg = arg};
	struct tw_agent_call call = {.socket = socket,
		.slow = listing->slow,
		.raw = json,
		.answer = on_answer,
		.arg = &view};
	int code = tw_agent_ask(&call, request);

	if (!code && !json && listing->before)
		code = listing->before(arg);
	if (!code && !json)
		code = tw_sheet_show(&view.sheet, listing->nothing);
	tw_sheet_done(&view.sheet);
	return code;
}
