/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bridge_port.h: the bridge functions of port.h in user space, where no bridge can be asked.
 *
 * Callers:    native.c, which includes it.
 */
#pragma once

tw_inline __u64 tw_frame_bridge_port(const struct tw_frame *f)
{
	return TW_BRIDGE_PORT_UNKNOWN;
}

tw_inline __u32 tw_bridge_way(
	const struct tw_frame *f, __u64 bridge_port, const __u8 mac[6], __u32 len)
{
	return 0;
}

tw_inline int tw_bridge_knows(const struct tw_frame *f, __u64 bridge_port, const __u8 mac[6])
{
	return 0;
}

tw_inline int tw_frame_fits(const struct tw_frame *f)
{
	return 1;
}
