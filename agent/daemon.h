/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon.h: the agent from its start to its end. */
#pragma once

#include "agent/options.h"

/* Sets everything up and runs until told to stop; returns the exit code. Speaks on stderr. */
int tw_daemon_run(const struct tw_agent_options *options);
/* Takes down all that an agent with these options left in the kernel; returns the exit code. */
int tw_daemon_release(const struct tw_agent_options *options);
