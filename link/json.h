/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* json.h: helpers for JSON output with jansson.
 *
 * Callers build values with jansson's own functions. If any of them returns NULL for lack of memory,
 * the whole object becomes NULL. So only tw_json_line() has to check for it.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* A string; JSON null if `text` is NULL or empty. If it is not valid UTF-8, each byte from 0x80
 * becomes '?'. */
json_t *tw_json_text(const char *text);
json_t *tw_json_u64(uint64_t number);		   /* at most 2^63 - 1 */
json_t *tw_json_s(double seconds);		   /* to the millisecond; negative: JSON null */
json_t *tw_json_out_in(uint64_t out, uint64_t in); /* {"out":…,"in":…} */

/* Returns one object with the members of both. Takes both over. NULL if either is NULL. */
json_t *tw_json_merge(json_t *object, json_t *more);

/* Returns the object as one line without a newline, for the caller to free, and releases the
 * object. NULL if `object` is NULL or memory runs out. */
char *tw_json_line(json_t *object);
