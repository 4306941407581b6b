/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* role.h: the requests that an end of a connection may send, by where it connected.
 *
 * Callers:    agent/answer/, slowpath/.
 */
#pragma once

#include <stdbool.h>

#include "link.pb-c.h"

enum tw_role {
	TW_ROLE_VIEWER,	     /* requests that only read */
	TW_ROLE_DECIDER,     /* a viewer's requests, and answers to rules that ask */
	TW_ROLE_FAR_DECIDER, /* a decider with a certificate: only questions and answers */
	TW_ROLE_SLOW_PATH,   /* a decider's requests, and the requests that set the policy */
	TW_ROLE_OPERATOR,    /* all */
	TW_ROLE__MAX,
};

/* True if a role may send this request. Requests that are not listed are for operators only. */
bool tw_role_may(enum tw_role role, const Tapwall__V1__Request *request);
/* Returns the text of the error for a refused request. */
const char *tw_role_refusal(enum tw_role role);
