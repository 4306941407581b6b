/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* forward.h: hands an approved frame to the vSwitch, and a refused one's answer to its sender.
 *
 * Why:        the mark tells the far end of the same network that the near end has tracked the
 *             frame. A guest cannot set it: skb->mark is no part of a frame.
 * Invariants: 1. A mark counts only on the network it was made for; a frame that is routed to
 *                another one is judged there in full.
 *             2. Frames reach the guest without the mark.
 *             3. A frame is let pass as cut through only where its sender's bridge would have sent
 *                it, whatever the agent has heard so far (tests/e2e/cut.sh, with the agent dead).
 */
#pragma once

#include "fastpath/path/inspect.h"
#include "fastpath/path/reply.h"

/* Whether the near end has asked every gate of this frame and sent it straight here. */
tw_inline int tw_mark_cut(const struct tw_config *config, enum tw_dir dir, __u32 mark)
{
	return dir == TW_DIR_IN && mark == (config->mark | TW_MARK_CUT);
}

/* Whether an uplink has sent this frame straight here, to be judged here in full. */
tw_inline int tw_mark_inbound(const struct tw_config *config, enum tw_dir dir, __u32 mark)
{
	return dir == TW_DIR_IN && mark == (config->mark | TW_MARK_INBOUND);
}

/* Whether a bridge lets untagged frames go from one seat to another: on the same bridge, in the same
 * VLAN, not both isolated. */
tw_inline int tw_seats_meet(__u64 a, __u64 b)
{
	return !((a ^ b) & ~(__u64)TW_SEAT_ISOLATED) && !(a & b & TW_SEAT_ISOLATED);
}

/* What a frame with that mark is: one that arrives where its sender's bridge would have sent it, one
 * that went astray, or (TW_R_NONE) one whose mark is by chance as ours are. The near end has just
 * left the ticket, on this CPU: a redirect ends in the far program. */
tw_inline enum tw_reason tw_arrival(const struct tw_frame *f, const struct tw_sheet *sheet)
{
	__u64 seat = tw_frame_seat(f);

	if (seat == TW_SEAT_UNKNOWN)
		return TW_R_CUT_THROUGH;
	if (!sheet->ticket)
		return TW_R_NONE;
	return seat && tw_seats_meet(seat, sheet->ticket) && tw_frame_fits(f) ? TW_R_CUT_THROUGH
									      : TW_R_ASTRAY;
}

/* The forward stage of a frame that passes: cut through, or to the vSwitch. Only what was tracked for both ends is marked: not
 * housekeeping, and nothing from transit ports, which track for themselves alone. */
tw_inline void tw_forward(struct tw_frame *f, const struct tw_scope *s, struct tw_sheet *sheet)
{
	if (s->dir == TW_DIR_IN) {
		if (tw_mark_ours(s->config, s->port, f->mark) ||
			tw_mark_cut(s->config, TW_DIR_IN, f->mark) ||
			tw_mark_inbound(s->config, TW_DIR_IN, f->mark))
			tw_frame_mark(f, 0);
		return;
	}
	if (s->far) {
		sheet->ticket = sheet->flow.seat;
		tw_frame_mark(f, s->config->mark | TW_MARK_CUT);
		tw_frame_redirect(f, sheet->flow.far_ifindex);
	} else if (sheet->flow.uplink_ifindex) {
		tw_frame_redirect(f, sheet->flow.uplink_ifindex);
	} else if (sheet->flow.decision && !tw_scope_alone(s, &sheet->packet))
		tw_frame_mark(f, tw_mark_base(s->config, s->port->network) |
					 (sheet->flow.untracked ? TW_MARK_LOOSE : 0) |
					 (s->epoch & TW_MARK_EPOCH));
}
