/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/expiry.h"

#include "agent/publish/apply.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "agent/state/versions.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define RETRY_NS 5000000000u

static void log_ended(const struct tw_policy *policy, int64_t now)
{
	for (size_t i = 0; i < tw_policy_n_rules(policy); i++) {
		const struct tw_rule_info *info = tw_policy_rule(policy, i);

		if (info->until_s && !info->expired && !info->disabled && info->until_s <= now)
			tw_log(TW_LOG_WARNING, "rule %s has ended: its until has passed",
				info->name);
	}
}

void tw_expiry_tick(struct tw_enforcement *enforcement)
{
	tw_auto(tw_inforce) struct tw_inforce *inforce = NULL;
	int64_t now = tw_versions_now(enforcement->versions), next;
	struct tw_apply_order order = {.by = {.comment = "the until of a rule has passed"},
		.adopt = true,
		.allow_unprotect = true};

	if (!enforcement->inforce || !tw_apply_is_idle(enforcement) ||
		tw_clock_ns() < enforcement->expire_ns)
		return;
	next = enforcement->inforce->next_until_s;
	if (!next || now < next)
		return;
	enforcement->expire_ns = tw_clock_ns() + RETRY_NS;
	inforce = tw_inforce_ref(enforcement->inforce);
	log_ended(inforce->written, now);
	order.text = inforce->text->bytes;
	order.len = inforce->text->len;
	order.source = inforce->source;
	order.file_mark = inforce->file_mark;
	tw_apply_begin(enforcement, &order, NULL, NULL);
}
