/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* channel.c: runs the commands of `tapwall-appliance exec` in the service VM.
 *
 *	channel TTY   the serial line on which they arrive; see demo/probe/agent.c for the protocol
 *
 * Only root of the host can connect to the other end of the line.
 */
#include <signal.h>

#include "demo/probe/probe.h"

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	return tw_probe_agent(argc - 1, argv + 1);
}
