/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* expedite.h: shortens the kernel's waits while programs are attached.
 *
 * Why:        each attaching or detaching of a program, and each filling of a slot of images, waits
 *             16 to 39 ms for an RCU grace period, under the lock of rtnetlink. With
 *             /sys/kernel/rcu_expedited the wait is about 0.1 ms, but each CPU is interrupted.
 * How:        tw_expedite_begin() saves the setting in a file (the note), then sets it to 1. The
 *             note lets the next process restore the setting if this one dies.
 * Invariants: 1. Only the holder of a lock (flock) on the setting changes it, so agents of several
 *                network namespaces do not take each other's value for the host's own.
 *             2. The setting is not changed without a note.
 *             3. A note of another boot is ignored.
 * Errors:     none: without the setting, everything works as before, only slower. It has no effect
 *             where /sys/kernel/rcu_normal is 1, as on real-time hosts.
 */
#pragma once

#include <stdbool.h>

struct tw_expedite {
	const char *setting; /* NULL: TW_EXPEDITE_SETTING */
	const char *note;    /* path of the note; NULL: never change the setting */
	int fd;		     /* the setting, locked; valid if `on` */
	bool on;
};

#define TW_EXPEDITE_SETTING "/sys/kernel/rcu_expedited"

/* Sets the setting to 1. Does nothing if an earlier call, the host or another agent has set it. */
void tw_expedite_begin(struct tw_expedite *expedite);
/* Restores the saved value. Does nothing without tw_expedite_begin(). */
void tw_expedite_end(struct tw_expedite *expedite);
/* Restores the value that an earlier process saved and did not restore. */
void tw_expedite_recover(struct tw_expedite *expedite);
