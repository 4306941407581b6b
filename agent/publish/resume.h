/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* resume.h: which policy is in force after a start: the file that was named, or what was in force before. */
#pragma once

#include "agent/publish/enforcement.h"

struct tw_saved_rules;

/* At start: the later of two decisions, which are the file that was named and what was in force before,
 * maybe by an apply since. If the file is refused, what was in force stays. */
void tw_resume_policy(struct tw_enforcement *enforcement, const struct tw_saved_rules *saved);
/* Tries the policy file again that could not be put in force at start, if that is due. */
void tw_resume_again(struct tw_enforcement *enforcement);
/* Reads the file of --policy again, and tells the service manager. */
void tw_resume_reload(struct tw_enforcement *enforcement);
