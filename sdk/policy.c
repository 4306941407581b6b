/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sdk/sdk.h"

static int no_memory(struct tapwall_error *error)
{
	return tw_sdk_error(error, -ENOMEM, NULL, NULL, "out of memory");
}

/* ---- reading ---- */

/* The texts belong to the response, except the policy's, which gets a NUL at its end. */
struct policy {
	struct tapwall_policy shown; /* first, so that the caller's pointer is this one */
	Tapwall__V1__Response *response;
	char text[];
};

int tapwall_policy_get(
	struct tapwall_handle *agent, struct tapwall_policy **ret, struct tapwall_error *error)
{
	Tapwall__V1__PolicyRequest body = TAPWALL__V1__POLICY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__Response *response = NULL;
	struct policy *policy;
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY;
	request.policy = &body;
	code = tw_sdk_call(agent, &request, TAPWALL__V1__RESPONSE__BODY_POLICY, &response, error);
	if (code < 0)
		return code;
	policy = tw_alloc(sizeof(*policy) + response->policy->text.len + 1);
	if (!policy) {
		tapwall__v1__response__free_unpacked(response, NULL);
		return no_memory(error);
	}
	if (response->policy->text.len)
		memcpy(policy->text, response->policy->text.data, response->policy->text.len);
	policy->response = response;
	policy->shown = (struct tapwall_policy){.text = policy->text,
		.len = response->policy->text.len,
		.source = response->policy->source,
		.generation = response->policy->generation};
	*ret = &policy->shown;
	return 0;
}

void tapwall_policy_free(struct tapwall_policy *shown)
{
	struct policy *policy = (struct policy *)shown;

	if (!policy)
		return;
	tapwall__v1__response__free_unpacked(policy->response, NULL);
	free(policy);
}

/* ---- setting ---- */

/* The texts belong to the response. */
struct applied {
	struct tapwall_applied shown; /* first, so that the caller's pointer is this one */
	Tapwall__V1__Response *response;
	struct tapwall_diagnostic *diagnostics;
	const char **unprotected;
};

void tapwall_applied_free(struct tapwall_applied *shown)
{
	struct applied *applied = (struct applied *)shown;

	if (!applied)
		return;
	tapwall__v1__response__free_unpacked(applied->response, NULL);
	free(applied->diagnostics);
	free(applied->unprotected);
	free(applied);
}

const struct tapwall_diagnostic *tapwall_applied_diagnostic(
	const struct tapwall_applied *shown, size_t index)
{
	const struct applied *applied = (const struct applied *)shown;

	return index < shown->n_diagnostics ? &applied->diagnostics[index] : NULL;
}

static int show_diagnostics(struct applied *applied)
{
	const Tapwall__V1__Response *response = applied->response;

	applied->diagnostics = tw_alloc_array(
		response->n_diagnostics, sizeof(*applied->diagnostics));
	if (!applied->diagnostics)
		return -ENOMEM;
	for (size_t i = 0; i < response->n_diagnostics; i++) {
		const Tapwall__V1__Diagnostic *d = response->diagnostics[i];

		applied->diagnostics[i] = (struct tapwall_diagnostic){
			.warning = d->severity == TAPWALL__V1__DIAGNOSTIC__SEVERITY__WARNING,
			.line = d->line,
			.column = d->column,
			.text = d->text,
			.hint = d->hint,
			.file = d->file[0] ? d->file : NULL,
			.file_line = d->file_line};
	}
	applied->shown.n_diagnostics = response->n_diagnostics;
	return 0;
}

static int show_unprotected(struct applied *applied, const Tapwall__V1__Applied *a)
{
	applied->unprotected = tw_alloc_array(a->n_unprotected, sizeof(*applied->unprotected));
	if (!applied->unprotected)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_unprotected; i++)
		applied->unprotected[i] = a->unprotected[i]->port;
	applied->shown.unprotected = applied->unprotected;
	applied->shown.n_unprotected = a->n_unprotected;
	return 0;
}

static int show_applied(struct applied *applied, const Tapwall__V1__Applied *a, bool dry_run)
{
	struct tapwall_applied *shown = &applied->shown;

#define SHOW(list) shown->n_##list = a->n_##list, shown->list = (const char *const *)a->list
	SHOW(rules_added);
	SHOW(rules_removed);
	SHOW(rules_changed);
	SHOW(workloads_added);
	SHOW(workloads_removed);
	SHOW(workloads_changed);
	SHOW(ports_changed);
	SHOW(dangers);
#undef SHOW
	shown->in_force = !dry_run;
	shown->unchanged = a->unchanged;
	shown->generation = a->generation;
	shown->compile_ms = a->compile_ms;
	shown->publish_ms = a->publish_ms;
	return show_unprotected(applied, a);
}

/* Makes the result of a response, which it takes over. */
static int applied_new(Tapwall__V1__Response *response, bool dry_run, struct tapwall_applied **ret)
{
	struct applied *applied = tw_alloc(sizeof(*applied));
	int code;

	if (!applied) {
		tapwall__v1__response__free_unpacked(response, NULL);
		return -ENOMEM;
	}
	applied->response = response;
	code = show_diagnostics(applied);
	if (!code && response->body_case == TAPWALL__V1__RESPONSE__BODY_APPLIED)
		code = show_applied(applied, response->applied, dry_run);
	if (code < 0)
		tapwall_applied_free(&applied->shown);
	else
		*ret = &applied->shown;
	return code;
}

static int take_response(Tapwall__V1__Response *response, bool dry_run,
	struct tapwall_applied **ret, struct tapwall_error *error)
{
	int code = response->error ? tw_sdk_refused(response, error) : 0;
	bool read = response->body_case == TAPWALL__V1__RESPONSE__BODY_APPLIED ||
		    response->n_diagnostics;

	if (!code && !read)
		code = tw_sdk_error(error, -EBADMSG, "policy",
			"use a library of the agent's version", "the answer is of another kind");
	if (!ret || !read) {
		tapwall__v1__response__free_unpacked(response, NULL);
		return code;
	}
	return applied_new(response, dry_run, ret) < 0 ? no_memory(error) : code;
}

int tapwall_policy_set(struct tapwall_handle *agent, const char *text, size_t len,
	const char *source, unsigned int flags, struct tapwall_applied **ret,
	struct tapwall_error *error)
{
	Tapwall__V1__ApplyRequest body = TAPWALL__V1__APPLY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	Tapwall__V1__Response *response = NULL;
	int code;

	if (ret)
		*ret = NULL;
	if (flags & ~(TAPWALL_DRY_RUN | TAPWALL_ALLOW_UNPROTECT))
		return tw_sdk_error(error, -EINVAL, "flags", "use a newer library",
			"the program uses flags that this library does not know");
	body.text.data = (uint8_t *)tw_sdk_borrow(text);
	body.text.len = len;
	body.source = tw_sdk_borrow(source ? source : "api");
	body.dry_run = flags & TAPWALL_DRY_RUN;
	body.allow_unprotect = flags & TAPWALL_ALLOW_UNPROTECT;
	request.body_case = TAPWALL__V1__REQUEST__BODY_APPLY;
	request.apply = &body;
	code = tw_sdk_ask(agent, &request, &client, error);
	if (code < 0)
		return code;
	code = tw_sdk_receive_any(client, tw_sdk_wait_ms(agent), &response, error);
	if (code == -EAGAIN)
		return tw_sdk_error(error, -ETIMEDOUT, agent->address, "see what the agent logs",
			"the agent does not answer");
	return code < 0 ? code : take_response(response, flags & TAPWALL_DRY_RUN, ret, error);
}
