/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall diff: compares the policy in force, earlier ones and files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clean.h"
#include "base/file.h"
#include "base/folder.h"
#include "cli/changes.h"
#include "cli/cli.h"
#include "cli/effects.h"
#include "cli/report.h"
#include "cli/rights.h"
#include "cli/versions.h"

static bool is_number(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

/* Reads a policy: a file, or one of the agent by its number. `what` NULL: the one in force. */
static int read_side(
	const struct tw_diff_options *options, const char *what, struct tw_policy **ret)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_diags diags = {0};
	struct tw_err err = {0};
	uint64_t number = 0;
	int code = TW_EXIT_OK;

	if (what && is_number(what))
		code = tw_versions_number(what, "diff", "tapwall policy --history", &number);
	else if (what && tw_folder_read(what, &text, &err) < 0)
		return tw_report_err(&err);
	if (!code && (!what || number))
		code = tw_versions_fetch(options->socket, number, false, &text);
	if (code)
		return code;
	code = tw_policy_read_unchecked(text.data ? text.data : "", text.len, NULL, 0, ret, &diags);
	if (!code)
		tw_policy_expire(*ret, time(NULL));
	if (code)
		tw_report_diags(
			&(struct tw_report_source){.file = what ? tw_file_label(what) : "in force",
				.text = text.data,
				.len = text.len},
			&diags);
	tw_diags_done(&diags);
	return code == -ENOMEM ? tw_report_memory() : code ? (int)TW_EXIT_NO : TW_EXIT_OK;
}

/* Prints the frames that pass now and that the other policy would deny for lack of a right. */
static int print_lost(const char *socket, const struct tw_policy *old, const struct tw_policy *now)
{
	struct tw_rights lost = {0};
	int code = tw_rights_find_lost(socket, old, now, &lost);

	if (!code)
		code = tw_rights_print_lost(&lost, true);
	tw_rights_done(&lost);
	return code;
}

int tw_diff_run(const void *values)
{
	const struct tw_diff_options *options = values;
	const struct tw_changes_view view = {.json = options->json};
	tw_auto(tw_policy) struct tw_policy *old = NULL, *now = NULL;
	size_t n = 0;
	int code = read_side(options, options->other ? options->what : NULL, &old);

	if (!code)
		code = read_side(options, options->other ? options->other : options->what, &now);
	if (!code)
		code = tw_changes_print(old, now, &view, &n);
	if (code)
		return code;
	if (n && !options->json && !options->other)
		code = print_lost(options->socket, old, now);
	if (code)
		return code;
	if (n && !options->json)
		code = tw_effects_print(options->other ? NULL : options->socket, old, now);
	if (code)
		return code;
	if (!n && !options->json)
		printf("the policies mean the same\n");
	return n ? TW_EXIT_NO : TW_EXIT_OK;
}
