/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* plan.h: what has to be done to try the paths, as text for those who do it. All print to stdout
 * and return an exit code. */
#pragma once

#include "demo/report/paths.h"

/* One line per guest: NAME PORT MAC ADDRESS… */
int tw_lab_plan_guests(const struct tw_lab_paths *paths);
/* The ports that guests must answer on, for `probe serve`: tcp:80 udp:514 … */
int tw_lab_plan_services(const struct tw_lab_paths *paths);
/* The arguments of `probe try` in this guest. */
int tw_lab_plan_asks(const struct tw_lab_paths *paths, const char *guest);
/* The arguments of `probe send` in this guest, behind the interface. */
int tw_lab_plan_frames(const struct tw_lab_paths *paths, const char *guest);
/* The frames that must arrive, as lines GUEST ID. */
int tw_lab_plan_awaited(const struct tw_lab_paths *paths);
/* The connections as lines for `tapwall explain --batch`, each path in each family that has a
 * connection, in order. */
int tw_lab_plan_tuples(const struct tw_lab_paths *paths);

/* Is the path a connection that an honest guest opens? Only such can be explained beforehand. */
bool tw_lab_plan_is_tuple(const struct tw_lab_path *path);
