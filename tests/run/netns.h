/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* netns.h: a private network namespace for this process, with the ports of scene.h as interfaces.
 *
 * The namespace has no name and ends with the process, also after a crash.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

enum tw_port_kind { TW_PORTS_DUMMY, TW_PORTS_TAP, TW_PORTS_VETH, TW_PORTS__MAX };

/* Finds a kind by its name; -ENOENT if there is none. */
int tw_port_kind_from_name(const char *name, enum tw_port_kind *ret);

/* Returns the name of a kind. */
const char *tw_port_kind_name(enum tw_port_kind kind);

/* Moves the process into a new namespace with `n` interfaces of one kind, numbered from
 * tw_scene_ifindex(0) upwards. -EPERM without the privilege. Taps exist until the process ends. */
int tw_netns_enter(enum tw_port_kind kind, size_t n, struct tw_err *err);
