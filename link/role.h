/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* role.h: what the end of a connection may ask, by where it connected.
 *
 * Callers:    agent/answer/, slowpath/.
 */
#pragma once

#include <stdbool.h>

#include "link.pb-c.h"

enum tw_role {
	TW_ROLE_VIEWER,	   /* what shows something and changes nothing */
	TW_ROLE_SLOW_PATH, /* as a viewer, and the policy */
	TW_ROLE_OPERATOR,  /* all */
};

/* True if a role may ask this. What is not listed is the operator's. */
bool tw_role_may(enum tw_role role, const Tapwall__V1__Request *request);
/* Says why not, for the error. */
const char *tw_role_refusal(enum tw_role role);
