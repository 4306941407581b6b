/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/err.h"

#include <stdarg.h>

int tw_err_set(
	struct tw_err *err, int code, const char *place, const char *hint, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	snprintf(err->place, sizeof(err->place), "%s", place ? place : "");
	snprintf(err->hint, sizeof(err->hint), "%s", hint ? hint : "");
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}
