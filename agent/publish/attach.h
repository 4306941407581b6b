/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* attach.h: attaches the programs to ports, and lets ports through the latch.
 *
 * Order:      a port's entry is written, then its programs are attached, then the latch lets it
 *             through. At each moment the port is either still shut or judged.
 */
#pragma once

#include <stdbool.h>

#include "agent/publish/enforcement.h"

/* Attaches ports and lets them through the latch where that is due. Makes no plan. */
void tw_attach_ports(struct tw_enforcement *enforcement);
/* Installs the latch. It lets through the ports that carry traffic: the attached ones or, without
 * `attached_only`, all existing ones. */
void tw_attach_latch(struct tw_enforcement *enforcement, bool attached_only);

/* Leaves running guests unfiltered if there is no policy and never was one: attaches nothing to
 * their ports and lets them through the latch. Ports that an earlier agent filtered or kept shut
 * are excluded. */
void tw_attach_leave_running(struct tw_enforcement *enforcement);
/* Attaches the ports that were left unfiltered, once a policy is in force. */
void tw_attach_left(struct tw_enforcement *enforcement);
