/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* both.h: the native fast path and the kernel's side by side, in a namespace of their own. */
#pragma once

#include "tests/run/netns.h"
#include "tests/run/target.h"

/* Moves the process into a fresh network namespace with ports of one kind and pairs both targets; the
 * kernel's is by_lookup or not (target.h). -EPERM or -EOPNOTSUPP (`err` says what is missing): cannot be had here. */
int tw_target_both(
	enum tw_port_kind kind, bool by_lookup, struct tw_target **ret, struct tw_err *err);
