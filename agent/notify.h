/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* notify.h: tells the service manager how the agent is, by the datagrams of sd_notify(3).
 *
 * Without NOTIFY_SOCKET in the environment every call does nothing.
 */
#pragma once

#include <stdint.h>

void tw_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tw_notify_reloading(void);

/* How often to send WATCHDOG=1, half of what the manager allows; 0: never. */
uint64_t tw_notify_watchdog_ns(void);
