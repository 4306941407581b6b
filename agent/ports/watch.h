/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* watch.h: follows the host's interfaces and brings ports up and down.
 *
 * Order:      a port's entry is written, then its programs are attached, then the latch lets it
 *             through: at each moment it is as shut as it was, or judged.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tw_agent;
struct tw_agent_port;

/* Sets up latch and netlink and meets the ports that are there. Attaches nothing yet, so that a
 * first policy can be published before. */
int tw_watch_open(struct tw_agent *agent, struct tw_err *err);
/* Attaches the ports that are there and begins to follow changes. */
int tw_watch_begin(struct tw_agent *agent);

/* Attaches and lets through what is due, without a look at the policy. */
void tw_watch_attach(struct tw_agent *agent);
/* True if the latch keeps this port shut while it is not attached. */
bool tw_watch_covers(const struct tw_agent *agent, const struct tw_agent_port *port);
/* True if the port has no programs, and nothing keeps it shut. */
bool tw_watch_is_unfiltered(const struct tw_agent *agent, const struct tw_agent_port *port);
/* A policy is in force: attaches the ports that were left as they were for want of one. */
void tw_watch_take_left(struct tw_agent *agent);
/* Something about ports changed: publishes, attaches and lets through what is due. */
void tw_agent_ports_changed(struct tw_agent *agent);
/* Hears what netlink has to tell, now and again: on it hangs how long frames are cut through. */
void tw_watch_tick(struct tw_agent *agent);
/* An interface is there no more. */
void tw_watch_gone(struct tw_agent *agent, uint32_t ifindex);
/* Saves what is known of ports and images, if it changed since the last time. */
void tw_watch_save(struct tw_agent *agent);
