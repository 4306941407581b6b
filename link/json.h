/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* json.h: small helpers on jansson for what goes out as JSON.
 *
 * Values are made with jansson's own calls; a NULL from any of them makes the whole object NULL, so
 * that memory is checked once, in tw_json_line().
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* A string; null for NULL or "". Bytes that are not UTF-8 become '?'. */
json_t *tw_json_text(const char *text);
json_t *tw_json_u64(uint64_t number);		   /* up to 2^63 - 1, which is where it is cut */
json_t *tw_json_s(double seconds);		   /* to the millisecond; null when negative */
json_t *tw_json_out_in(uint64_t out, uint64_t in); /* {"out":…,"in":…} */

/* One object with the members of both, which are taken over; NULL when either is. */
json_t *tw_json_merge(json_t *object, json_t *more);

/* The object as one line without its newline, which the caller frees; lets go of the object. NULL
 * when there is no memory, or no object. */
char *tw_json_line(json_t *object);
