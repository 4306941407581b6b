/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall policy diff: compares two versions that tapwall-slowd stores. */
#include <errno.h>
#include <stdio.h>

#include "cli/changes.h"
#include "cli/policy.h"
#include "cli/report.h"
#include "cli/versions.h"
#include "policy/policy.h"

static int read_version(
	const struct tw_policy_options *options, const char *number, struct tw_policy **ret)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_diags diags = {0};
	uint64_t version = 0;
	int code = tw_versions_number(number, "policy diff", "tapwall policy log", &version);

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
	const struct tw_changes_view view = {.json = options->json};
	size_t n = 0;
	int code = read_version(options, options->what, &old);

	if (!code)
		code = read_version(options, options->other, &now);
	if (code)
		return code;
	code = tw_changes_print(old, now, &view, &n);
	if (!code && !n && !options->json)
		printf("the versions mean the same\n");
	return code;
}
