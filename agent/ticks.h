/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ticks.h: the fast path's ticks in user space. */
#pragma once

#include "base/clock.h"
#include "fastpath/abi/types.h"

static inline uint32_t tw_ticks_now(void)
{
	return (uint32_t)(tw_clock_ns() >> TW_TICK_SHIFT);
}

/* Returns the ticks from `then` to `now`. If another CPU noted `then` after `now` was read, returns
 * 0. */
static inline uint32_t tw_ticks_since(uint32_t now, uint32_t then)
{
	return then - now < TW_TICKS_PER_SECOND ? 0 : now - then;
}

static inline double tw_ticks_seconds(uint32_t ticks)
{
	return (double)((uint64_t)ticks << TW_TICK_SHIFT) / 1e9;
}
