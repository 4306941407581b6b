/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* process.h: commands that set systems up, and processes that are part of them.
 *
 * Why:        nothing that the benchmark starts may outlive it, and the CPU time of what works on
 *             frames in a process of its own is part of what a frame costs.
 * Invariants: 1. Whatever is started ends with this process, even if that is killed.
 *             2. All of it lives in a mount namespace with a scratch folder of its own, so that no
 *                file, socket or pin is left behind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define TW_BENCH_PATH_MAX 128

/* Enters a mount namespace of its own with a scratch folder; once, before all else. */
int tw_bench_isolate(struct tw_err *err);
/* Fills `ret` with a path in the scratch folder, which also holds bpf/ (a bpffs). */
void tw_bench_scratch(char ret[static TW_BENCH_PATH_MAX], const char *stem, const char *suffix);

/* Runs a command in the current namespaces with `input` (or nothing) on stdin; -EIO if it fails. */
int tw_bench_command(const char *const *argv, const char *input, struct tw_err *err);
/* Starts a command that ends with this process; what it prints goes to `log`. Returns its pid or a
 * negative errno. */
pid_t tw_bench_start(const char *const *argv, const char *log, struct tw_err *err);
/* True if a started process still runs. A process that does not has been reaped. */
bool tw_bench_runs(pid_t pid);
/* Ends a started process and waits until it is gone; nothing for pid 0. */
void tw_bench_stop(pid_t pid);
/* CPU time that all threads of a process have used so far, in user and kernel; 0 when it is gone.
 * Waits a moment until they sleep: of a thread that runs, the kernel tells only what it had used by
 * the last tick, and what is still to be done belongs to what was asked before. */
uint64_t tw_bench_cpu_ns(pid_t pid);
/* Gets the first line of `log` that contains `what`, or else its last line, without the newline;
 * empty if there is none. True if `what` was found. */
bool tw_bench_log_line(const char *log, const char *what, char *ret, size_t max);
/* Sleeps between two checks of a condition. */
void tw_bench_pause(void);
#define TW_BENCH_PAUSES_PER_S 50
