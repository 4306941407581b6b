/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* netns.h: a network namespace for this process alone, with the ports of scene.h as interfaces.
 *
 * The namespace has no name and ends with the process, also after a crash.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

enum tw_port_kind { TW_PORTS_DUMMY, TW_PORTS_TAP, TW_PORTS_VETH, TW_PORTS__MAX };

/* -ENOENT when no kind is called so. */
int tw_port_kind_from_name(const char *name, enum tw_port_kind *ret);

/* Moves the process into a fresh namespace with `n` interfaces of one kind, numbered from
 * tw_scene_ifindex(0) up. -EPERM without the right to. Taps stay as long as the process lives. */
int tw_netns_enter(enum tw_port_kind kind, size_t n, struct tw_err *err);
