/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* addr.h: an address of either family. */
#pragma once

#include <linux/types.h>

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), in wire order. */
struct tw_addr {
	union {
		__u8 b[16];
		__be32 w[4];
		__be64 d[2];
	};
};
