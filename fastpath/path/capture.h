/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.h: copies frames with their verdict to captures at a port.
 *
 * Why:        a capture with verdicts is the best way to see how a guest's traffic is filtered.
 * In:         a judged and reported frame, still unchanged; its outcome in scratch memory.
 * Invariants: 1. Without any capture this costs one test of a word already loaded.
 *             2. Never blocks, never decides: a frame without room is counted at its port.
 *             3. A frame is copied once at each port. A cut-through frame is copied for both ports
 *                when it is judged, and not again when the far program passes it.
 * Bounds:     two map lookups at each end; at most TW_CAPTURE_SNAP_MAX bytes are copied.
 */
#pragma once

#include "fastpath/path/port.h"

tw_inline void tw_capture(const struct tw_frame *f, const struct tw_outcome *o, __u32 port_id)
{
	__u32 ifindex = f->ifindex;
	struct tw_capture_want *want = tw_captures_lookup(f, &ifindex);
	struct tw_captured head = {0};

	if (!want || o->reason == TW_R_CUT_THROUGH ||
		(want->flags & TW_CAPTURE_F_REFUSED && o->verdict == TW_V_ALLOW))
		return;
	head.time_ns = f->now_ns;
	head.ifindex = ifindex;
	head.port_id = (__u16)port_id;
	head.len = f->len;
	head.cap_len = f->len < want->snap_len ? f->len : want->snap_len;
	head.outcome = *o;
	if (tw_frame_capture(f, &head) < 0)
		__sync_fetch_and_add(&want->lost, 1);
}
