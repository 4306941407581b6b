/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* both.h: a pair of the native fast path and the BPF programs in the kernel, in a network namespace
 * of its own. */
#pragma once

#include "tests/run/netns.h"
#include "tests/run/target.h"

/* Moves the process into a new network namespace with ports of one kind, and pairs both targets;
 * `by_lookup` as in target.h. -EPERM or -EOPNOTSUPP: not available on this host (`err` names what
 * is missing). */
int tw_target_both(
	enum tw_port_kind kind, bool by_lookup, struct tw_target **ret, struct tw_err *err);
