/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall policy diff: compares two stored versions by their meaning. */
#include <errno.h>
#include <stdio.h>

#include "cli/policy.h"
#include "cli/report.h"
#include "cli/style.h"
#include "link/json.h"
#include "policy/policy.h"

static const char *const whats[] = {
	[TW_CHANGED_NETWORK] = "network",
	[TW_CHANGED_SERVICE] = "service",
	[TW_CHANGED_WORKLOAD] = "workload",
	[TW_CHANGED_GROUP] = "group",
	[TW_CHANGED_RULE] = "rule",
	[TW_CHANGED_OPTION] = "option",
};

struct diff {
	const struct tw_policy *old, *now;
	bool json;
	size_t n;
	int code;
};

/* Prints the text of a rule in one of the policies. */
static void print_rule(
	const struct tw_policy *policy, char sign, enum tw_style style, const char *name)
{
	tw_auto_buf struct tw_buf text = {0};
	long index = tw_policy_rule_index(policy, name);

	if (index < 0)
		return;
	tw_policy_print_rule(policy, (size_t)index, &text);
	if (!text.failed && text.len)
		printf("      %s%c %s%s\n", tw_style_on(style), sign, text.data, tw_style_off());
}

static void on_change(void *arg, enum tw_changed what, enum tw_change change, const char *name)
{
	static const struct {
		char sign;
		enum tw_style style;
		const char *word;
	} changes[] = {
		[TW_CHANGE_ADDED] = {'+', TW_STYLE_GOOD, "added"},
		[TW_CHANGE_REMOVED] = {'-', TW_STYLE_BAD, "removed"},
		[TW_CHANGE_CHANGED] = {'~', TW_STYLE_WARN, "changed"},
	};
	struct diff *diff = arg;

	diff->n++;
	if (diff->json) {
		if (!diff->code)
			diff->code = tw_report_json(
				json_pack("{s:s, s:s, s:o}", "what", whats[what], "change",
					changes[change].word, "name", tw_json_text(name)));
		return;
	}
	printf("  %s%c %s %s%s\n", tw_style_on(changes[change].style), changes[change].sign,
		whats[what], name, tw_style_off());
	if (what != TW_CHANGED_RULE)
		return;
	if (change != TW_CHANGE_ADDED)
		print_rule(diff->old, '-', TW_STYLE_BAD, name);
	if (change != TW_CHANGE_REMOVED)
		print_rule(diff->now, '+', TW_STYLE_GOOD, name);
}

static int read_version(
	const struct tw_policy_options *options, const char *number, struct tw_policy **ret)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_diags diags = {0};
	uint64_t version = 0;
	int code = tw_policy_number(number, "policy diff", &version);

	if (!code)
		code = tw_policy_fetch(options, version, &text);
	if (code)
		return code;
	code = tw_policy_read_unchecked(text.data ? text.data : "", text.len, NULL, 0, ret, &diags);
	if (code)
		tw_report_diags(&(struct tw_report_source){number, text.data, text.len}, &diags);
	tw_diags_done(&diags);
	return code == -ENOMEM ? tw_report_memory() : code ? (int)TW_EXIT_NO : TW_EXIT_OK;
}

int tw_policy_diff_run(const struct tw_policy_options *options)
{
	tw_auto(tw_policy) struct tw_policy *old = NULL, *now = NULL;
	struct diff diff = {.json = options->json};
	int code = read_version(options, options->what, &old);

	if (!code)
		code = read_version(options, options->other, &now);
	if (code)
		return code;
	diff.old = old;
	diff.now = now;
	if (tw_policy_diff(old, now, on_change, &diff) < 0)
		return tw_report_memory();
	if (!diff.n && !options->json)
		printf("the versions mean the same\n");
	return diff.code;
}
