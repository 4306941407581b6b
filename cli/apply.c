/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clean.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/folder.h"
#include "cli/agent.h"
#include "cli/apply.h"
#include "cli/changes.h"
#include "cli/effects.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/rights.h"
#include "cli/style.h"
#include "cli/versions.h"
#include "link/json.h"
#include "link/json_message.h"
#include "policy/text.h"

#define CONFIRM_MAX_S 86400
#define TRIPWIRE_MAX  100000
#define CHANGES	      10
#define OPEN_NAMES    16 /* names of unclaimed ports shown; `tapwall ports` lists all */

/* Options and policies for printing the answer. */
struct view {
	const struct tw_apply_options *options;
	struct tw_policy *old, *now; /* NULL: their text is not known here */
	struct tw_rights lost;	     /* rights that frames which pass now will lack */
};

static void print_names(char sign, enum tw_style style, const char *noun, size_t n, char **names)
{
	for (size_t i = 0; i < n && i < CHANGES; i++)
		printf("  %s%c %s %s%s\n", tw_style_on(style), sign, noun, names[i],
			tw_style_off());
	if (n > CHANGES)
		printf("  %s%c and %zu more %ss%s\n", tw_style_on(style), sign, n - CHANGES, noun,
			tw_style_off());
}

/* True if the agent refuses this change because --allow-unprotect was not given. */
static bool is_refused(const struct tw_apply_options *options, const Tapwall__V1__Applied *a)
{
	return options->dry_run && !options->allow_unprotect && a->n_unprotected;
}

/* Prints the ports that the policy leaves unfiltered, and their number, before anything else. */
static void print_open(const struct tw_apply_options *options, const Tapwall__V1__Applied *a)
{
	const char *on = tw_style_on(TW_STYLE_BAD), *off = tw_style_off();
	const char *would = options->dry_run ? "would be" : "now";

	if (a->n_unprotected)
		printf("%sNOT FILTERED:%s %zu protected port%s %s open:", on, off, a->n_unprotected,
			a->n_unprotected == 1 ? "" : "s", would);
	for (size_t i = 0; i < a->n_unprotected; i++) {
		const Tapwall__V1__Unprotected *row = a->unprotected[i];

		printf("%s %s", i ? "," : "", row->port);
		if (row->workload[0])
			printf(" (%s)", row->workload);
	}
	if (a->n_unprotected)
		putchar('\n');
	if (a->n_open > a->n_unprotected)
		printf("%sNOT FILTERED:%s %zu port%s without a workload in total:", on, off,
			a->n_open, a->n_open == 1 ? "" : "s");
	for (size_t i = 0; a->n_open > a->n_unprotected && i < a->n_open && i < OPEN_NAMES; i++)
		printf("%s %s", i ? "," : "", a->open[i]);
	if (a->n_open > a->n_unprotected)
		printf("%s\n", a->n_open > OPEN_NAMES ? ", …" : "");
}

static void print_text(const struct tw_apply_options *options, const Tapwall__V1__Applied *a)
{
	print_open(options, a);
	printf("%s%s%s ", tw_style_on(TW_STYLE_STRONG),
		tw_cleaned(options->file ? options->file : a->source).text, tw_style_off());
	if (is_refused(options, a))
		printf("would be refused without --allow-unprotect");
	else if (options->dry_run)
		printf("%s", a->unchanged ? "would change nothing" : "would be put in force");
	else if (a->unchanged)
		printf("is in force already, generation %llu", (unsigned long long)a->generation);
	else
		printf("is in force, generation %llu", (unsigned long long)a->generation);
	printf(" %s %s", tw_glyph(TW_GLYPH_DOT), tw_human_ms(a->compile_ms + a->publish_ms).text);
	if (!a->unchanged)
		printf(" (compile %s, publish %s)", tw_human_ms(a->compile_ms).text,
			tw_human_ms(a->publish_ms).text);
	putchar('\n');
	if (options->confirm && !options->dry_run)
		printf("%sreturns to the previous policy unless tapwall confirm is called within %s%s\n",
			tw_style_on(TW_STYLE_WARN), options->confirm, tw_style_off());
	for (size_t i = 0; i < a->n_dangers; i++)
		printf("  %s! %s%s\n", tw_style_on(TW_STYLE_BAD), a->dangers[i], tw_style_off());
}

/* Prints what changes, with the texts of rules if they are known here. Returns an exit code. */
static int print_changes(const struct view *view, const Tapwall__V1__Applied *a)
{
	const struct tw_changes_view limited = {.limit = CHANGES};
	size_t n = 0;
	int code;

	if (view->now) {
		code = tw_changes_print(view->old, view->now, &limited, &n);
		if (code || n)
			return code;
	}
	print_names('+', TW_STYLE_GOOD, "rule", a->n_rules_added, a->rules_added);
	print_names('-', TW_STYLE_BAD, "rule", a->n_rules_removed, a->rules_removed);
	print_names('~', TW_STYLE_WARN, "rule", a->n_rules_changed, a->rules_changed);
	print_names('+', TW_STYLE_GOOD, "workload", a->n_workloads_added, a->workloads_added);
	print_names('-', TW_STYLE_BAD, "workload", a->n_workloads_removed, a->workloads_removed);
	print_names('~', TW_STYLE_WARN, "workload", a->n_workloads_changed, a->workloads_changed);
	return TW_EXIT_OK;
}

static json_t *applied_json(const struct view *view, const Tapwall__V1__Applied *a)
{
	const struct tw_apply_options *options = view->options;

	return tw_json_merge(tw_json_applied(a, options->dry_run, is_refused(options, a)),
		json_pack("{s:o}", "rights_lost", tw_rights_json(&view->lost)));
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const struct view *view = arg;
	const struct tw_apply_options *options = view->options;
	const Tapwall__V1__Applied *a = response->applied;
	int code;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_APPLIED)
		return TW_EXIT_OK;
	if (!options->json) {
		print_text(options, a);
		code = tw_rights_print_lost(&view->lost, options->dry_run);
		if (!code && !a->unchanged)
			code = print_changes(view, a);
		if (code)
			return code;
		if (options->dry_run && !a->unchanged && view->old && view->now)
			code = tw_effects_print(options->socket, view->old, view->now);
		if (code)
			return code;
		print_names('~', TW_STYLE_WARN, "port", a->n_ports_changed, a->ports_changed);
	} else if (tw_report_json(applied_json(view, a))) {
		return TW_EXIT_INTERNAL;
	}
	return is_refused(options, a) ? TW_EXIT_NO : TW_EXIT_OK;
}

static int ask(const struct view *view, const struct tw_buf *text, Tapwall__V1__Request *request)
{
	struct tw_agent_call call = {
		.socket = view->options->socket,
		.file = view->options->file,
		.text = text,
		.raw = view->options->json,
		.answer = on_answer,
		.arg = (void *)(uintptr_t)view,
	};

	return tw_agent_ask(&call, request);
}

int tw_apply_ask(const struct tw_apply_options *options, Tapwall__V1__Request *request)
{
	const struct view view = {.options = options};

	return ask(&view, NULL, request);
}

/* Reads a policy whose errors are reported elsewhere. *ret stays NULL if it has any. */
static void read_quietly(const struct tw_buf *text, struct tw_policy **ret)
{
	struct tw_diags diags = {0};

	if (text->len && tw_policy_read_unchecked(text->data, text->len, NULL, 0, ret, &diags))
		*ret = NULL;
	if (*ret)
		tw_policy_expire(*ret, time(NULL));
	tw_diags_done(&diags);
}

/* Reads both policies, so that the changes, and the rights that guests will lack, can be printed. */
static void read_both(struct view *view, const struct tw_buf *text)
{
	tw_auto_buf struct tw_buf old = {0};

	tw_versions_fetch(view->options->socket, 0, true, &old);
	read_quietly(&old, &view->old);
	if (view->old || !old.len)
		read_quietly(text, &view->now);
}

int tw_apply_confirm_time(const char *text, uint32_t *ret_s)
{
	if (!text || (!tw_text_seconds(text, CONFIRM_MAX_S, ret_s) && *ret_s))
		return TW_EXIT_OK;
	return tw_report_error(TW_EXIT_USAGE, "--confirm", "write 60s or 5m, at most 24h",
		"invalid time '%s'", tw_cleaned(text).text);
}

/* Reads --tripwire. Prints an error. Returns an exit code. */
static int read_tripwire(const struct tw_apply_options *options, uint32_t *ret)
{
	if (!options->tripwire)
		return TW_EXIT_OK;
	if (!options->confirm)
		return tw_report_error(
			TW_EXIT_USAGE, "--tripwire", "add --confirm 60s", "needs --confirm");
	if (tw_text_number(options->tripwire, TRIPWIRE_MAX - 1, ret) < 0)
		return tw_report_error(TW_EXIT_USAGE, "--tripwire",
			"write a number of connections below 100000", "invalid number '%s'",
			tw_cleaned(options->tripwire).text);
	++*ret;
	return TW_EXIT_OK;
}

int tw_apply_run(const void *values)
{
	struct tw_apply_options options = *(const struct tw_apply_options *)values;
	Tapwall__V1__ApplyRequest body = TAPWALL__V1__APPLY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	tw_autofree char *whole = realpath(options.file, NULL);
	tw_auto_buf struct tw_buf text = {0};
	struct view view = {.options = &options};
	struct tw_err err = {0};
	int code;

	if (tw_folder_read(options.file, &text, &err) < 0)
		return tw_report_err(&err);
	options.file = tw_file_label(options.file);
	body.text.data = (uint8_t *)text.data;
	body.text.len = text.len;
	body.comment = (char *)(uintptr_t)(options.comment ? options.comment : "");
	body.source = whole ? whole : (char *)options.file;
	body.dry_run = options.dry_run;
	body.allow_unprotect = options.allow_unprotect;
	if (tw_apply_confirm_time(options.confirm, &body.confirm_s) ||
		read_tripwire(&options, &body.tripwire))
		return TW_EXIT_USAGE;
	request.body_case = TAPWALL__V1__REQUEST__BODY_APPLY;
	request.apply = &body;
	read_both(&view, &text);
	/* If this fails, the policy is applied nevertheless. */
	if (view.old && view.now)
		tw_rights_find_lost(options.socket, view.old, view.now, &view.lost);
	code = ask(&view, &text, &request);
	tw_rights_done(&view.lost);
	tw_policy_free(view.old);
	tw_policy_free(view.now);
	return code;
}
