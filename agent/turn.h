/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* turn.h: acts on the flags that the modules set, in a fixed order.
 *
 * How:        the loop calls tw_turn_act() after each callback. Callbacks and modules only set flags.
 */
#pragma once

struct tw_agent;

/* The loop's `turn` callback; `arg` is a struct tw_agent. */
void tw_turn_act(void *arg);
/* Brings up the ports of the first dump. */
void tw_turn_begin(struct tw_agent *agent);
