/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* case.h: reads a .case file (tests/case/README.md) into its steps.
 *
 * Names and frames remain text here: their meaning depends on the policy in force at that step.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

enum tw_step_kind {
	TW_STEP_POLICY,
	TW_STEP_FRAME,
	TW_STEP_PORT,
	TW_STEP_SET,
	TW_STEP_CHECK,
	TW_STEP_ANSWER,
	TW_STEP_LEARN
};

struct tw_step {
	enum tw_step_kind kind;
	unsigned int line;
	uint64_t at_ns; /* time since the start of the case */
	char *text;	/* POLICY: YAML; FRAME: the frame; others: the text after the keyword */
	char *path;	/* FRAME: "out web-1", "web-1 -> db-1" */
	char *expect;	/* FRAME */
	char *reply;	/* FRAME: the expected refusal, or NULL */
};

struct tw_case {
	char *about;
	char *native_only;  /* the reason, or NULL */
	uint32_t max_conns; /* 0: the default */
	uint64_t start_ns;
	struct tw_step *steps;
	size_t n_steps;
	size_t steps_max;
};

/* Reads the text of a case. 0; -EINVAL with `err` (its place is `name`:line); -ENOMEM. */
int tw_case_read(const char *name, const char *text, struct tw_case **ret, struct tw_err *err);
void tw_case_free(struct tw_case *c);
TW_DEFINE_AUTO(tw_case)

/* Reads a file into a string. 0 or negative errno. */
int tw_case_slurp(const char *path, char **ret, struct tw_err *err);
