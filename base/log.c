/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"

static const char *log_program = "tapwall";
static enum tw_log_level log_max = TW_LOG_INFO;
static bool log_journal;
static void (*_Atomic log_tee)(void *arg, enum tw_log_level level, const char *text);
static void *_Atomic log_tee_arg;

void tw_log_init(const char *program, enum tw_log_level max_level)
{
	log_program = program;
	log_max = max_level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void tw_log_tee(void (*tee)(void *arg, enum tw_log_level level, const char *text), void *arg)
{
	atomic_store(&log_tee, NULL);
	atomic_store(&log_tee_arg, arg);
	atomic_store(&log_tee, tee);
}

void tw_log(enum tw_log_level level, const char *format, ...)
{
	void (*tee)(void *arg, enum tw_log_level level, const char *text);
	char text[1024];
	va_list args;

	if (level > log_max)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tw_clean(text, strlen(text));
	if (log_journal)
		fprintf(stderr, "<%d>%s\n", (int)level, text);
	else
		fprintf(stderr, "%s: %s\n", log_program, text);
	tee = atomic_load(&log_tee);
	if (tee)
		tee(atomic_load(&log_tee_arg), level, text);
}
