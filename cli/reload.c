/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall reload: makes the agent read its policy file again. Prints what `apply` prints. */
#include "cli/apply.h"

int tw_reload_run(const void *values)
{
	const struct tw_reload_options *options = values;
	struct tw_apply_options apply = {.socket = options->socket,
		.json = options->json,
		.allow_unprotect = options->allow_unprotect};
	Tapwall__V1__ReloadRequest body = TAPWALL__V1__RELOAD_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.allow_unprotect = options->allow_unprotect;
	request.body_case = TAPWALL__V1__REQUEST__BODY_RELOAD;
	request.reload = &body;
	return tw_apply_ask(&apply, &request);
}
