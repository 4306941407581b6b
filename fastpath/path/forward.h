/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* forward.h: hands an approved frame to the vSwitch, and a refused one's answer to its sender.
 *
 * Why:        the mark tells the far end of the same network that the near end has tracked the
 *             frame. A guest cannot set it: skb->mark is no part of a frame.
 * Invariants: 1. A mark counts only on the network it was made for; a frame that is routed to
 *                another one is judged there in full.
 *             2. Frames reach the guest without the mark.
 */
#pragma once

#include "fastpath/path/inspect.h"
#include "fastpath/path/reply.h"

/* Whether the near end has asked every gate of this frame and sent it straight here. */
tw_inline int tw_mark_cut(const struct tw_config *config, enum tw_dir dir, __u32 mark)
{
	return dir == TW_DIR_IN && mark == (config->mark | TW_MARK_CUT);
}

/* The forward stage of a frame that passes: cut through, or to the vSwitch. Only what was tracked for both ends is marked: not
 * housekeeping, and nothing from transit ports, which track for themselves alone. */
tw_inline void tw_forward(struct tw_frame *f, const struct tw_scope *s, const struct tw_packet *p,
	const struct tw_flow *flow)
{
	if (s->dir == TW_DIR_IN) {
		if (tw_mark_ours(s->config, s->port, f->mark) ||
			tw_mark_cut(s->config, TW_DIR_IN, f->mark))
			tw_frame_mark(f, 0);
		return;
	}
	if (s->far) {
		tw_frame_mark(f, s->config->mark | TW_MARK_CUT);
		tw_frame_redirect(f, s->far_ifindex);
	} else if (flow->decision && !tw_scope_alone(s, p))
		tw_frame_mark(f, tw_mark_base(s->config, s->port->network) |
					 (flow->untracked ? TW_MARK_LOOSE : 0) |
					 (s->epoch & TW_MARK_EPOCH));
}
