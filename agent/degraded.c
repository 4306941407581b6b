/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/degraded.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"

void tw_degrade(struct tw_agent *agent, enum tw_degraded what, const char *format, ...)
{
	char text[TW_DEGRADED_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!strcmp(text, agent->degraded[what]))
		return;
	memcpy(agent->degraded[what], text, sizeof(text));
	tw_log(TW_LOG_ERR, "degraded: %s", text);
}

void tw_degrade_end(struct tw_agent *agent, enum tw_degraded what)
{
	if (!agent->degraded[what][0])
		return;
	tw_log(TW_LOG_INFO, "no longer degraded: %s", agent->degraded[what]);
	agent->degraded[what][0] = '\0';
}
