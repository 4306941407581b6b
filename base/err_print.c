/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* err_print.c: prints errors; separate from err.c because libraries do not print. */
#include "base/err.h"

#include <string.h>

#include "base/clean.h"

void tw_err_print(FILE *out, const char *program, const struct tw_err *err)
{
	struct tw_err clean = *err;

	tw_clean(clean.place, strlen(clean.place));
	tw_clean(clean.text, strlen(clean.text));
	tw_clean(clean.hint, strlen(clean.hint));
	fprintf(out, "%s: %s%s%s%s%s\n", program, clean.place, clean.place[0] ? ": " : "",
		clean.text, clean.hint[0] ? "; " : "", clean.hint);
}
