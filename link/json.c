/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/cleanup.h"

json_t *tw_json_text(const char *text)
{
	tw_autofree char *copy = NULL;
	json_t *json;

	if (!text || !text[0])
		return json_null();
	json = json_string(text);
	if (json)
		return json;
	copy = tw_strdup(text);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

json_t *tw_json_u64(uint64_t number)
{
	return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

json_t *tw_json_s(double seconds)
{
	return seconds >= 0 ? json_real(round(seconds * 1000) / 1000) : json_null();
}

json_t *tw_json_out_in(uint64_t out, uint64_t in)
{
	return json_pack("{s:o, s:o}", "out", tw_json_u64(out), "in", tw_json_u64(in));
}

json_t *tw_json_merge(json_t *object, json_t *more)
{
	if (!object || !more || json_object_update(object, more) < 0) {
		json_decref(object);
		object = NULL;
	}
	json_decref(more);
	return object;
}

char *tw_json_line(json_t *object)
{
	const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
	char *line = object ? json_dumps(object, flags) : NULL;

	/* Without JSON_ENSURE_ASCII, jansson escapes only the control characters of ASCII.
	 * Terminals obey others, too. */
	if (line && !tw_clean_check(line, strlen(line))) {
		free(line);
		line = json_dumps(object, flags | JSON_ENSURE_ASCII);
	}
	json_decref(object);
	return line;
}
