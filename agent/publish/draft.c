/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/draft.h"

#include <errno.h>
#include <string.h>

#include "agent/publish/applied.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "base/clock.h"

void tw_draft_begin(struct tw_draft *draft, const struct tw_enforcement *enforcement)
{
	*draft = (struct tw_draft){.now_s = tw_versions_now(enforcement->versions)};
	if (enforcement->inforce)
		draft->old = tw_inforce_ref(enforcement->inforce);
}

void tw_draft_read(struct tw_draft *draft, const struct tw_apply_order *order,
	struct tw_diags *diags, struct tw_applied *applied)
{
	uint64_t start = tw_clock_ns();
	struct tw_inforce *inforce = NULL;
	int code = tw_inforce_new(
		order->text, order->len, order->source, draft->old, draft->now_s, diags, &inforce);

	draft->inforce = inforce;
	if (!code)
		code = tw_compiler_new(inforce->policy, inforce->slots, &inforce->compiler);
	if (!code)
		code = tw_applied_compare(applied, draft->old, inforce);
	draft->code = code;
	draft->read_ns = tw_clock_ns() - start;
}

/* True if the policy in force is the one with which the draft was compared. */
static bool is_current(const struct tw_enforcement *enforcement, const struct tw_draft *draft)
{
	const struct tw_inforce *now = enforcement->inforce;

	return now && draft->old ? now->written == draft->old->written : now == draft->old;
}

int tw_draft_verify(const struct tw_draft *draft, const struct tw_enforcement *enforcement,
	const char *source, struct tw_err *err)
{
	if (draft->code < 0)
		return tw_err_set(err, draft->code, source, NULL, "%s",
			draft->code == -EINVAL ? "the policy is invalid" : strerror(-draft->code));
	if (!is_current(enforcement, draft))
		return tw_err_set(err, -ESTALE, source, "apply it again",
			"another policy took effect while this one was read");
	return 0;
}

int tw_draft_check(const struct tw_draft *draft, struct tw_diags *diags)
{
	return tw_policy_check(draft->inforce->written, diags);
}

void tw_draft_done(struct tw_draft *draft)
{
	tw_inforce_free(draft->old);
	tw_inforce_free(draft->inforce);
	draft->old = draft->inforce = NULL;
}
