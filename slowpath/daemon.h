/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon.h: runs tapwall-slowd. Caller: main.c. */
#pragma once

#include "slowpath/options.h"

/* Runs until a signal. Returns an exit code. */
int tw_slow_run(const struct tw_slow_options *options);
