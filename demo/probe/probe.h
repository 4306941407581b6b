/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* probe.h: what runs inside a guest of the lab, one static program.
 *
 * What:       `agent` runs the host's commands that come over a serial line; `serve` answers on
 *             TCP and UDP ports and notes frames that carry the lab's token; `try` asks many
 *             services at once and tells how each answered; `send` sends one handmade frame.
 * Callers:    the guest's init, the demo and tests/vm; in the fallback on network namespaces the
 *             same program runs there.
 */
#pragma once

/* Each takes the arguments behind its name and returns the exit code. */
int tw_probe_agent(int argc, char **argv);
int tw_probe_serve(int argc, char **argv);
int tw_probe_try(int argc, char **argv);
int tw_probe_send(int argc, char **argv);
