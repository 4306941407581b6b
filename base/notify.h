/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* notify.h: tells the service manager the agent's state, by the datagrams of sd_notify(3).
 *
 * If NOTIFY_SOCKET is not in the environment, every call does nothing.
 */
#pragma once

#include <stdint.h>

void tw_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tw_notify_reloading(void);

/* Notifies the manager's watchdog, if there is one, twice per period. Cheap to call often.
 * Long-running work must call it. */
void tw_notify_alive(void);
