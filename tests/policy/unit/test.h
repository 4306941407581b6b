/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test.h: definitions shared by the unit tests of the policy. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

/* Reads a policy that must be valid. */
static inline struct tw_policy *must_read(const char *text)
{
	struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	int err = tw_policy_read(text, strlen(text), &policy, &diags);

	for (size_t i = 0; i < diags.n; i++)
		if (diags.at[i].severity == TW_SEV_ERROR)
			print_message("%u:%u: %s\n", diags.at[i].line, diags.at[i].column,
				diags.at[i].text);
	tw_diags_done(&diags);
	assert_int_equal(err, 0);
	return policy;
}
