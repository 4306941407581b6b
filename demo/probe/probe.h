/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* probe.h: the static program that runs inside guests of the lab.
 *
 * What:       `agent` runs commands received over a serial line. `serve` answers on TCP and UDP
 *             ports and records frames with the lab's token. `try` sends requests to many services
 *             at once and prints each result. `send` sends frames built by frame.c.
 * Callers:    the guest's init, the demo and tests/vm. If network namespaces stand in for guests,
 *             the same program runs in them.
 */
#pragma once

/* Each function takes the arguments after its name and returns the exit code. */
int tw_probe_agent(int argc, char **argv);
int tw_probe_serve(int argc, char **argv);
int tw_probe_try(int argc, char **argv);
int tw_probe_send(int argc, char **argv);
