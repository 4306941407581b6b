/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* resume.h: decides which policy is in force after a start: the file of --policy, or the policy
 * that was in force before. */
#pragma once

#include "agent/publish/enforcement.h"

struct tw_saved_rules;

/* At the start, puts the more recent of two policies in force: the file of --policy, or the policy
 * that was in force before, which may have been applied after that file. If the file is refused,
 * the other one stays. */
void tw_resume_policy(struct tw_enforcement *enforcement, const struct tw_saved_rules *saved);
/* Retries a policy file that could not be put in force at the start, if a retry is due. */
void tw_resume_again(struct tw_enforcement *enforcement);
/* Reads the file of --policy again and notifies the service manager. */
void tw_resume_reload(struct tw_enforcement *enforcement);
