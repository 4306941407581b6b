/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* daemon.h: starts the agent, runs it, and ends it. */
#pragma once

#include "agent/options.h"

/* Sets everything up and runs until stopped. Returns the exit code. Prints to stderr. */
int tw_daemon_run(const struct tw_agent_options *options);
/* Removes everything that an agent with these options left in the kernel. Returns the exit code. */
int tw_daemon_release(const struct tw_agent_options *options);
