/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clean.h"
#include "base/file.h"
#include "base/folder.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/stats.h"
#include "cli/style.h"
#include "fastpath/abi/names.h"
#include "link/json.h"
#include "policy/files.h"
#include "policy/policy.h"

static json_t *json_diags(const struct tw_diags *diags, enum tw_severity severity)
{
	json_t *list = json_array();

	for (size_t i = 0; i < diags->n; i++) {
		const struct tw_diag *d = &diags->at[i];
		json_t *row;

		if (d->severity != severity)
			continue;
		row = json_pack("{s:i, s:i, s:o, s:o}", "line",
			(int)(d->file ? d->file_line : d->line), "column", (int)d->column, "text",
			tw_json_text(d->text), "hint", tw_json_text(d->hint));
		if (d->file)
			row = tw_json_merge(row, json_pack("{s:o}", "file", tw_json_text(d->file)));
		if (json_array_append_new(list, row) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static const char *default_action(const struct tw_policy *policy)
{
	return tw_verdict_name(tw_policy_rule(policy, tw_policy_n_rules(policy))->action);
}

static int print_json(const char *file, const struct tw_policy *policy,
	const struct tw_stats *stats, const struct tw_diags *diags)
{
	json_t *object = json_pack("{s:o, s:b, s:o, s:o}", "file", tw_json_text(file), "valid",
		policy != NULL, "errors", json_diags(diags, TW_SEV_ERROR), "warnings",
		json_diags(diags, TW_SEV_WARNING));

	if (policy)
		object = tw_json_merge(
			object, json_pack("{s:o, s:o, s:o, s:o, s:s}", "rules",
					tw_json_u64(tw_policy_n_rules(policy)), "workloads",
					tw_json_u64(tw_policy_n_workloads(policy)), "groups",
					tw_json_u64(tw_policy_n_groups(policy)), "ports",
					tw_json_u64(tw_policy_n_vnics(policy)), "default",
					default_action(policy)));
	if (policy && stats)
		object = tw_json_merge(
			object, json_pack("{s:o, s:o}", "images", tw_stats_json(stats), "members",
					tw_json_u64(stats->n_members)));
	return tw_report_json(object);
}

static void put_count(size_t n, const char *noun, const char *after)
{
	printf("%s %s%s%s", tw_human_count(n).text, noun, n == 1 ? "" : "s", after);
}

static void print_summary(const char *file, const struct tw_policy *policy)
{
	printf("%s: %svalid%s: ", tw_cleaned(file).text, tw_style_on(TW_STYLE_GOOD),
		tw_style_off());
	put_count(tw_policy_n_rules(policy), "rule", ", ");
	put_count(tw_policy_n_workloads(policy), "workload", " with ");
	put_count(tw_policy_n_vnics(policy), "port", ", ");
	put_count(tw_policy_n_groups(policy), "group", ", ");
	printf("default %s\n", default_action(policy));
}

static int print_text(const struct tw_policy *policy, bool lowered)
{
	tw_auto_buf struct tw_buf out = {0};

	if (lowered)
		tw_policy_print_lowered(policy, &out);
	else
		tw_policy_print(policy, &out);
	if (out.failed)
		return tw_report_memory();
	fwrite(out.data, 1, out.len, stdout);
	return TW_EXIT_OK;
}

static int answer(const struct tw_check_options *options, const struct tw_buf *text,
	const struct tw_policy *policy, const struct tw_stats *stats, struct tw_diags *diags)
{
	const char *file = tw_file_label(options->file);
	const struct tw_report_source source = {file, text->data, text->len};

	if (tw_files_place(text->data, text->len, diags) < 0)
		return tw_report_memory();
	if (options->json) {
		int code = print_json(file, policy, options->stats ? stats : NULL, diags);

		return code || policy ? code : TW_EXIT_NO;
	}
	(options->all ? tw_report_all_diags : tw_report_diags)(&source, diags);
	if (!policy)
		return TW_EXIT_NO;
	if (options->lowered || options->print)
		return print_text(policy, options->lowered);
	print_summary(file, policy);
	return options->stats ? tw_stats_print(stats) : TW_EXIT_OK;
}

int tw_check_run(const void *values)
{
	const struct tw_check_options *options = values;
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	tw_auto_buf struct tw_buf text = {0};
	struct tw_diags diags = {0};
	struct tw_stats stats = {0};
	struct tw_err err = {0};
	bool compiled;
	int code;

	if (tw_folder_read(options->file, &text, &err) < 0)
		return tw_report_err(&err);
	code = tw_policy_read_unchecked(text.data, text.len, NULL, 0, &policy, &diags);
	if (!code)
		tw_policy_expire(policy, time(NULL));
	if (!code)
		code = tw_policy_check(policy, &diags);
	/* A policy is valid only if every port's image can be compiled. */
	if (!code)
		code = tw_stats_make(&stats, policy, &diags);
	compiled = code == 0;
	if (code == -ENOMEM)
		code = tw_report_memory();
	else
		code = answer(options, &text, compiled ? policy : NULL, &stats, &diags);
	tw_stats_done(&stats);
	tw_diags_done(&diags);
	return code;
}
