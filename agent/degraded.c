/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/degraded.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

void tw_degraded_begin(
	struct tw_degraded_state *state, enum tw_degraded what, const char *format, ...)
{
	char text[TW_DEGRADED_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!strcmp(text, state->text[what]))
		return;
	memcpy(state->text[what], text, sizeof(text));
	tw_log(TW_LOG_ERR, "degraded: %s", text);
}

void tw_degraded_end(struct tw_degraded_state *state, enum tw_degraded what)
{
	if (!state->text[what][0])
		return;
	tw_log(TW_LOG_INFO, "no longer degraded: %s", state->text[what]);
	state->text[what][0] = '\0';
}
