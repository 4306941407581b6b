/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask.h: batches of headers for the classifier, in the kernel and natively. */
#pragma once

#include "fastpath/path/packet.h"

#define ASKS_MAX 262144 /* limit of headers in one batch */

struct ask {
	struct tw_tuple tuple;
	__u32 slot;
	__u32 dir; /* enum tw_dir */
	__u32 own;
	__u32 v4;
	__u32 icmp;
	__u32 decision; /* output: the decision word */
};
