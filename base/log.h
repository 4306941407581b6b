/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* log.h: messages of programs (never of libraries) to their operator, on stderr, one line each.
 * Text is cleaned: it can neither begin a new line nor control a terminal.
 *
 * Under systemd (JOURNAL_STREAM is set) each line has the <N> priority prefix of sd-daemon(3).
 */
#pragma once

enum tw_log_level { TW_LOG_ERR = 3, TW_LOG_WARNING = 4, TW_LOG_INFO = 6, TW_LOG_DEBUG = 7 };

void tw_log_init(const char *program, enum tw_log_level max_level);
/* Sets a function to which tw_log() also passes each message that it logs, in the thread that logs it. NULL: none.
 * The caller must not free `arg` while another thread may log. */
void tw_log_tee(void (*tee)(void *arg, enum tw_log_level level, const char *text), void *arg);
void tw_log(enum tw_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
