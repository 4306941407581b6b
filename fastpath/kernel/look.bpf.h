/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* look.bpf.h: calls tw_look, the program that looks at payloads (path/app/look.h). It is apart from the
 * programs of the full path, because the time that the kernel takes to load a program grows faster than
 * its length.
 *
 * Callers:    tap.bpf.c, which includes it.
 */
#pragma once

/* Returns TW_DECISION_LOOK and TW_DECISION_APP as they are after the payload in scratch: what tw_look
 * returns, which replaces this subprogram. */
__noinline int tw_sub_look(struct __sk_buff *skb, __u32 payer_id, __u32 known, __u32 expected)
{
	struct tw_scratch *scratch = tw_scratch_get(0);
	int none = 0;

	if (!scratch)
		return 0;
	scratch->args[0] = payer_id;
	scratch->args[1] = known;
	scratch->args[2] = expected;
	bpf_tail_call(skb, &tw_full, TW_FULL_LOOK);
	/* Otherwise the compiler would take this for what the call returns. */
	TW_OPAQUE(none);
	return none;
}
