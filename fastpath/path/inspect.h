/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* inspect.h: the stage for payload inspection. So far, every payload passes.
 *
 * In:         a packet of a connection whose gates are open.
 * Out:        TW_R_NONE.
 */
#pragma once

#include "fastpath/path/conntrack/track.h"

tw_inline enum tw_reason tw_inspect(
	const struct tw_frame *f, const struct tw_packet *p, const struct tw_flow *flow)
{
	return TW_R_NONE;
}
