/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall rollback: puts an earlier policy in force again. */
#include <stdio.h>

#include "cli/apply.h"
#include "cli/versions.h"

int tw_rollback_run(const void *values)
{
	const struct tw_rollback_options *options = values;
	char comment[64], label[32];
	struct tw_apply_options apply = {.socket = options->socket,
		.json = options->json,
		.confirm = options->confirm,
		.dry_run = options->dry_run,
		.allow_unprotect = options->allow_unprotect,
		.file = label};
	Tapwall__V1__ApplyRequest body = TAPWALL__V1__APPLY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	int code = options->number ? tw_versions_number(options->number, "rollback",
					     "tapwall policy --history", &body.kept)
				   : tw_versions_before(options->socket, &body.kept);

	if (!code)
		code = tw_apply_confirm_time(options->confirm, &body.confirm_s);
	if (code)
		return code;
	snprintf(label, sizeof(label), "policy %llu", (unsigned long long)body.kept);
	snprintf(
		comment, sizeof(comment), "rollback to policy %llu", (unsigned long long)body.kept);
	body.comment = options->comment ? (char *)(uintptr_t)options->comment : comment;
	body.dry_run = options->dry_run;
	body.allow_unprotect = options->allow_unprotect;
	request.body_case = TAPWALL__V1__REQUEST__BODY_APPLY;
	request.apply = &body;
	return tw_apply_ask(&apply, &request);
}
