/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* plan.h: prints the steps for trying the paths, for demo/inside. Functions of type int print to
 * stdout and return an exit code. */
#pragma once

#include "demo/report/paths.h"

/* Prints one line per guest: NAME PORT MAC ADDRESS… */
int tw_lab_plan_guests(const struct tw_lab_paths *paths);
/* Prints the ports on which guests must answer, for `probe serve`: tcp:80 udp:514 … */
int tw_lab_plan_services(const struct tw_lab_paths *paths);
/* Prints the arguments of `probe try` in this guest. */
int tw_lab_plan_asks(const struct tw_lab_paths *paths, const char *guest);
/* Prints the arguments of `probe send` in this guest, without the interface. */
int tw_lab_plan_frames(const struct tw_lab_paths *paths, const char *guest);
/* Prints the frames that must arrive, as lines GUEST ID. */
int tw_lab_plan_awaited(const struct tw_lab_paths *paths);
/* Prints the connections as lines for `tapwall explain --batch`, each path in each of its families,
 * in order. */
int tw_lab_plan_tuples(const struct tw_lab_paths *paths);

/* True if the path is a connection that the guest's own stack opens. Only these can be explained
 * beforehand. */
bool tw_lab_plan_is_tuple(const struct tw_lab_path *path);
