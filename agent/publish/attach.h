/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* attach.h: attaches the programs to ports, and lets ports through the latch.
 *
 * Order:      a port's entry is written, then its programs are attached, then the latch lets it
 *             through: at each moment it is as shut as it was, or judged.
 */
#pragma once

#include <stdbool.h>

#include "agent/publish/enforcement.h"

/* Attaches and lets through what is due, without a look at the policy. */
void tw_attach_ports(struct tw_enforcement *enforcement);
/* Puts the latch in place with the ports let through that run: those attached, or all there are. */
void tw_attach_latch(struct tw_enforcement *enforcement, bool attached_only);

/* Without any policy, now or before, guests that run are left as they are: nothing is attached to their
 * ports, and the latch lets them through. What an earlier agent filtered or kept shut is not among them. */
void tw_attach_leave_running(struct tw_enforcement *enforcement);
/* A policy is in force: attaches the ports that were left as they were for want of one. */
void tw_attach_left(struct tw_enforcement *enforcement);
