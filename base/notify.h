/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* notify.h: tells the service manager how the agent is, by the datagrams of sd_notify(3).
 *
 * Without NOTIFY_SOCKET in the environment every call does nothing.
 */
#pragma once

#include <stdint.h>

void tw_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tw_notify_reloading(void);

/* Feeds the manager's watchdog, if it has one, twice in its time; cheap to call often. To be called
 * from whatever may take long. */
void tw_notify_alive(void);
