/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* counts.h: the fast path's counters, summed over all CPUs. */
#pragma once

#include <stdint.h>

#include "fastpath/abi/types.h"

struct tw_kernel;

/* These return 0 or a negative errno, and leave `ret` untouched on failure. */
int tw_counts_port(const struct tw_kernel *kernel, uint32_t id, struct tw_port_count *ret);
int tw_counts_clear_port(const struct tw_kernel *kernel, uint32_t id);
/* Ended connections that were not reported because the ring buffer was full. */
int tw_counts_closes_lost(const struct tw_kernel *kernel, uint64_t *ret);
int tw_counts_reason(const struct tw_kernel *kernel, uint32_t reason, uint32_t dir, uint64_t *ret);

/* The counters of a rule slot; zeros if there is no such slot. Read while CPUs count, so they may
 * be of slightly different moments. */
struct tw_rule_count tw_counts_rule(const struct tw_kernel *kernel, uint32_t slot);
/* Clears them. The slot belongs to no rule of a policy in force. */
void tw_counts_clear_rule(const struct tw_kernel *kernel, uint32_t slot);
