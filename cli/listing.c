/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "cli/agent.h"
#include "cli/report.h"
#include "link/json.h"
#include "link/json_message.h"

/* An item that waits to be sorted: a row of the sheet, or a line of JSON. */
struct waiting {
	double key;
	size_t index; /* number of the row, or offset of the line */
};

struct view {
	const struct tw_listing *listing;
	struct tw_sheet sheet;
	struct tw_buf lines; /* lines of JSON, each ending with a NUL */
	TW_VEC(struct waiting) waiting;
	size_t n; /* items so far */
	bool json;
	void *arg;
};

static int add_line(struct view *view, json_t *object)
{
	tw_autofree char *line = tw_json_line(object);

	if (!line)
		return tw_report_memory();
	tw_buf_add(&view->lines, line, strlen(line) + 1);
	return view->lines.failed ? tw_report_memory() : TW_EXIT_OK;
}

/* Adds a row to the sheet, or to the lines of JSON. Not every item makes a row. */
static int on_item(struct view *view, const Tapwall__V1__Response *response)
{
	const struct tw_listing *listing = view->listing;
	struct waiting waiting = {.index = view->json ? view->lines.len : view->n};
	size_t n_cells = view->sheet.cells.n;
	int code = TW_EXIT_OK;

	if (view->json && !listing->key) {
		code = tw_report_json(tw_json_response(response));
		return code || ++view->n != listing->limit ? code : TW_AGENT_ENOUGH;
	}
	if (view->json)
		code = add_line(view, tw_json_response(response));
	else
		listing->add(&view->sheet, response, view->arg);
	if (code || (!view->json && view->sheet.cells.n == n_cells))
		return code;
	view->n++;
	if (!listing->key)
		return code;
	waiting.key = listing->key(response, view->arg);
	return tw_vec_push(&view->waiting, waiting) < 0 ? tw_report_memory() : TW_EXIT_OK;
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	struct view *view = arg;
	const struct tw_listing *listing = view->listing;

	if (response->body_case == listing->body)
		return listing->keep && !listing->keep(response, view->arg)
			       ? TW_EXIT_OK
			       : on_item(view, response);
	if (listing->other && !view->json)
		listing->other(response, view->arg);
	return TW_EXIT_OK;
}

static int compare(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static int show(struct view *view)
{
	const struct tw_listing *listing = view->listing;
	size_t shown = listing->limit && listing->limit < view->n ? listing->limit : view->n;
	tw_autofree size_t *order = tw_alloc_array(shown, sizeof(*order));
	int code;

	if (!order)
		return tw_report_memory();
	if (listing->key && view->n)
		qsort(view->waiting.at, view->n, sizeof(*view->waiting.at), compare);
	for (size_t i = 0; i < shown; i++)
		order[i] = listing->key ? view->waiting.at[i].index : i;
	if (view->json) {
		for (size_t i = 0; i < shown && listing->key; i++)
			puts(view->lines.data + order[i]);
		return TW_EXIT_OK;
	}
	code = listing->before ? listing->before(view->arg) : TW_EXIT_OK;
	view->sheet.order = order;
	view->sheet.n_order = shown;
	if (!code)
		code = tw_sheet_show(&view->sheet, listing->nothing);
	return code || !listing->after ? code : listing->after(view->arg, shown, view->n);
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

	if (!code)
		code = show(&view);
	tw_sheet_done(&view.sheet);
	tw_buf_done(&view.lines);
	tw_vec_done(&view.waiting);
	return code;
}
