/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* adoption.h: the windows in which a port accepts TCP connections that began before it saw them.
 *
 * How:        the kernel entry of a port has the end of its window. A window is as long as the
 *             policy's `adopt` says. It begins when the port becomes protected, and again when the
 *             port moves to another bridge, where its connections have no records. Until the guest
 *             sends its first frame, the window does not run: a live migration makes the tap long
 *             before the guest arrives, and pooled connections may be idle.
 * Invariants: 1. A window grants nothing that the policy denies.
 *             2. A guest cannot open a window: it takes a change of the host or an operator.
 *             3. A port in quarantine has no window.
 *             4. A policy with a shorter `adopt` shortens the open windows to that length, except
 *                those that an operator opened.
 *             Test: tests/e2e/adopt.sh.
 * Callers:    agent/publish, agent/answer; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fastpath/abi/types.h"

struct tw_agent_port;
struct tw_enforcement;
struct tw_policy;

/* Sets the end of a port's window under a policy in `entry`, whose network is set. `live` is the
 * port's entry in force, or NULL. Returns true if a window that is open ends earlier than before. */
bool tw_adoption_fill(const struct tw_enforcement *enforcement, const struct tw_policy *policy,
	const struct tw_port *live, struct tw_port *entry);
/* Called when a port has become protected. From then on, its window does not run until its guest sends. */
void tw_adoption_await(struct tw_enforcement *enforcement, struct tw_agent_port *port);
/* Opens a window at the ports of a workload. If `workload` is NULL, opens it at all ports, and at
 * those that become protected meanwhile. A window that ends later stays. Sets *ret_ports to the
 * number of ports. Returns 0, or -EIO with `err` filled. */
int tw_adoption_open(struct tw_enforcement *enforcement, const char *workload, uint32_t seconds,
	size_t *ret_ports, struct tw_err *err);
/* Closes the windows at the ports of a workload, whatever opened them. If `workload` is NULL, closes
 * them at all ports, and an operator's window for all ports. Sets *ret_ports to the number of ports
 * that had one. Returns 0, or -EIO with `err` filled: then some may be open. */
int tw_adoption_stop(struct tw_enforcement *enforcement, const char *workload, size_t *ret_ports,
	struct tw_err *err);
/* Ends windows, and extends those whose guests have not sent yet. */
void tw_adoption_tick(struct tw_enforcement *enforcement);
