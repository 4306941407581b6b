/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask.h: questions for the classifier, many at a time, in the kernel and natively. */
#pragma once

#include "fastpath/path/packet.h"

#define ASKS_MAX 262144 /* at once */

struct ask {
	struct tw_tuple tuple;
	__u32 slot;
	__u32 dir; /* enum tw_dir */
	__u32 own;
	__u32 v4;
	__u32 icmp;
	__u32 decision; /* the answer */
};
