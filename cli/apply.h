/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apply.h: code shared by the verbs `apply`, `rollback` and `reload`. */
#pragma once

#include "cli/cli.h"
#include "link/link.h"

/* Reads the time of --confirm; NULL leaves *ret_s as it is. Prints an error. Returns an exit code. */
int tw_apply_confirm_time(const char *text, uint32_t *ret_s);
/* Sends the request and prints the agent's answer, as text or as JSON. Returns an exit code. */
int tw_apply_ask(const struct tw_apply_options *options, Tapwall__V1__Request *request);
