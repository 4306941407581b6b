/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/role.h"

/* Only an operator may capture frames, which contain guests' data, and have the agent read a
 * file of the host. */
bool tw_role_may(enum tw_role role, const Tapwall__V1__Request *request)
{
	if (role == TW_ROLE_FAR_DECIDER)
		return request->body_case == TAPWALL__V1__REQUEST__BODY_DECIDE ||
		       request->body_case == TAPWALL__V1__REQUEST__BODY_ANSWER;
	switch (request->body_case) {
	case TAPWALL__V1__REQUEST__BODY_VERSION:
	case TAPWALL__V1__REQUEST__BODY_STATUS:
	case TAPWALL__V1__REQUEST__BODY_POLICY:
	case TAPWALL__V1__REQUEST__BODY_PORTS:
	case TAPWALL__V1__REQUEST__BODY_WORKLOADS:
	case TAPWALL__V1__REQUEST__BODY_GROUPS:
	case TAPWALL__V1__REQUEST__BODY_FLOWS:
	case TAPWALL__V1__REQUEST__BODY_RULES:
	case TAPWALL__V1__REQUEST__BODY_COUNTERS:
	case TAPWALL__V1__REQUEST__BODY_LOG:
	case TAPWALL__V1__REQUEST__BODY_TOP:
	case TAPWALL__V1__REQUEST__BODY_AGENTS:
	case TAPWALL__V1__REQUEST__BODY_QUARANTINES:
	case TAPWALL__V1__REQUEST__BODY_POLICY_VERSIONS:
	case TAPWALL__V1__REQUEST__BODY_POLICY_TARGETS:
	case TAPWALL__V1__REQUEST__BODY_HISTORY:
	case TAPWALL__V1__REQUEST__BODY__NOT_SET: /* answered as unknown */
		return true;
	case TAPWALL__V1__REQUEST__BODY_EVENTS:
		/* A second reader that acknowledges would end the slow path's stream. */
		return !request->events->acks || role == TW_ROLE_SLOW_PATH ||
		       role == TW_ROLE_OPERATOR;
	case TAPWALL__V1__REQUEST__BODY_DECIDE:
	case TAPWALL__V1__REQUEST__BODY_ANSWER:
		return role == TW_ROLE_DECIDER || role == TW_ROLE_SLOW_PATH ||
		       role == TW_ROLE_OPERATOR;
	case TAPWALL__V1__REQUEST__BODY_HELLO:
	case TAPWALL__V1__REQUEST__BODY_APPLY:
	case TAPWALL__V1__REQUEST__BODY_CONFIRM:
	case TAPWALL__V1__REQUEST__BODY_INSTALL:
	case TAPWALL__V1__REQUEST__BODY_REMOVE:
	case TAPWALL__V1__REQUEST__BODY_EVENTS_ACK:
		return role == TW_ROLE_SLOW_PATH || role == TW_ROLE_OPERATOR;
	case TAPWALL__V1__REQUEST__BODY_QUARANTINE_CHANGES:
		/* A change with a number that tapwall-slowd did not assign could make the agent ignore later ones. */
		return role == TW_ROLE_SLOW_PATH;
	default:
		return role == TW_ROLE_OPERATOR;
	}
}

const char *tw_role_refusal(enum tw_role role)
{
	switch (role) {
	case TW_ROLE_VIEWER:
		return "not allowed on the viewers' socket";
	case TW_ROLE_DECIDER:
		return "not allowed on the deciders' socket";
	case TW_ROLE_FAR_DECIDER:
		return "not allowed to a decider";
	default:
		return "not allowed to the slow path";
	}
}
