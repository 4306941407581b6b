/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* counts.h: the fast path's per-CPU counters, summed. */
#pragma once

#include <stdint.h>

#include "fastpath/abi/types.h"

struct tw_kernel;

/* All return 0 or a negative errno, and leave `ret` untouched on failure. */
int tw_counts_port(const struct tw_kernel *kernel, uint32_t id, struct tw_port_count *ret);
int tw_counts_clear_port(const struct tw_kernel *kernel, uint32_t id);
/* Ended connections that were not reported because the ring buffer was full. */
int tw_counts_closes_lost(const struct tw_kernel *kernel, uint64_t *ret);
int tw_counts_rule(const struct tw_kernel *kernel, uint32_t slot, struct tw_rule_count *ret);
int tw_counts_reason(const struct tw_kernel *kernel, uint32_t reason, uint32_t dir, uint64_t *ret);
