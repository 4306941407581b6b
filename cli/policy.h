/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* policy.h: the parts of the verb `policy`. */
#pragma once

#include "base/buf.h"
#include "cli/cli.h"

/* Gets the text of a stored version, 0: the newest. Prints errors. Returns an exit code. */
int tw_policy_fetch(const struct tw_policy_options *options, uint64_t version, struct tw_buf *text);
/* Prints how two stored versions differ. Returns an exit code. */
int tw_policy_diff_run(const struct tw_policy_options *options);
