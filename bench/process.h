/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* process.h: runs the commands and processes of which the measured systems consist.
 *
 * Why:        no process of the benchmark may outlive it. If a system forwards frames in processes,
 *             their CPU time is part of the cost of a frame.
 * Invariants: 1. Every process ends with this one, even if this one is killed.
 *             2. All of them run in a private mount namespace with a scratch directory, so that no
 *                file, socket or pin is left behind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define TW_BENCH_PATH_MAX 128

/* Enters a private mount namespace with a scratch directory. Called once, before anything else. */
int tw_bench_isolate(struct tw_err *err);
/* Fills `ret` with a path in the scratch directory, which also has bpf/ (a bpffs). */
void tw_bench_scratch(char ret[static TW_BENCH_PATH_MAX], const char *stem, const char *suffix);

/* Runs a command in the current namespaces. `input`, if not NULL, is its stdin. Returns -EIO if it
 * fails. */
int tw_bench_command(const char *const *argv, const char *input, struct tw_err *err);
/* Starts a command that ends with this process, with its output in `log`. Returns its pid or a
 * negative errno. */
pid_t tw_bench_start(const char *const *argv, const char *log, struct tw_err *err);
/* True if a started process still runs. If it has ended, it is reaped. */
bool tw_bench_runs(pid_t pid);
/* Ends a started process and waits for it. Does nothing for pid 0. */
void tw_bench_stop(pid_t pid);
/* Returns the CPU time that all threads of a process have used so far, in user and kernel mode,
 * or 0 if it has ended. First waits a moment until all threads sleep, because the kernel
 * accounts running threads only at ticks, and because unfinished work belongs to what was
 * measured before. */
uint64_t tw_bench_cpu_ns(pid_t pid);
/* Copies the first line of `log` that contains `what` or, if none does, the last line, without the
 * newline. `ret` is empty if `log` has no line. True if `what` was found. */
bool tw_bench_log_line(const char *log, const char *what, char *ret, size_t max);
/* Sleeps between two checks of a condition. */
void tw_bench_pause(void);
#define TW_BENCH_PAUSES_PER_S 50
