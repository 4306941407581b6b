/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sdk/sdk.h"

/* The texts of a status belong to the response. */
struct status {
	struct tapwall_status shown; /* first, so that the caller's pointer is this one */
	Tapwall__V1__Response *response;
};

static void fill(const Tapwall__V1__Status *s, struct tapwall_status *ret)
{
	*ret = (struct tapwall_status){
		.version = s->version,
		.pid = s->pid,
		.uptime_s = s->uptime_s,
		.policy_source = s->policy_source,
		.policy_generation = s->policy_generation,
		.policy_age_s = s->policy_age_s,
		.rules = s->rules,
		.workloads = s->workloads,
		.ports_protected = s->ports_protected,
		.ports_shut = s->ports_shut,
		.ports_unclaimed = s->ports_unclaimed,
		.ports_open = s->ports_open,
		.ports_unfiltered = s->ports_unfiltered,
		.connections = s->connections,
		.connections_max = s->connections_max,
		.events_lost = s->events_lost,
		.events_limited = s->events_limited,
		.forwarding = s->forwarding,
		.default_action = s->default_,
		.degraded = (const char *const *)s->degraded,
		.n_degraded = s->n_degraded,
		.deciders = s->deciders,
		.questions_open = s->questions_open,
		.questions = s->questions,
		.questions_answered = s->questions_answered,
		.questions_overdue = s->questions_overdue,
		.ports_observed = s->ports_observed,
	};
}

int tapwall_status_get(
	struct tapwall_handle *agent, struct tapwall_status **ret, struct tapwall_error *error)
{
	Tapwall__V1__StatusRequest body = TAPWALL__V1__STATUS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__Response *response = NULL;
	struct status *status;
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_STATUS;
	request.status = &body;
	code = tw_sdk_call(agent, &request, TAPWALL__V1__RESPONSE__BODY_STATUS, &response, error);
	if (code < 0)
		return code;
	status = tw_alloc(sizeof(*status));
	if (!status) {
		tapwall__v1__response__free_unpacked(response, NULL);
		return tw_sdk_error(error, -ENOMEM, NULL, NULL, "out of memory");
	}
	status->response = response;
	fill(response->status, &status->shown);
	*ret = &status->shown;
	return 0;
}

void tapwall_status_free(struct tapwall_status *shown)
{
	struct status *status = (struct status *)shown;

	if (!status)
		return;
	tapwall__v1__response__free_unpacked(status->response, NULL);
	free(status);
}
