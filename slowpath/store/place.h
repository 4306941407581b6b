/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* place.h: opens the store that a text names: "clickhouse://HOST[:PORT]/DATABASE" is a ClickHouse server,
 * "clickhouses://…" is one by TLS, and any other text is the path of a file.
 *
 * Callers:    recorder.c, search.c.
 */
#pragma once

#include <stdbool.h>

#include "slowpath/store/store.h"

/* True if the text names a server. */
bool tw_place_is_remote(const char *place);

/* Opens a store to write. A server is not contacted yet. A file that cannot be opened is no error: `ready` tries
 * again, and the state says why. Returns 0, or a negative errno with `err` filled in. */
int tw_place_open_writer(const char *place, const struct tw_store_access *access,
	const struct tw_history_limits *limits, struct tw_store_writer **ret, struct tw_err *err);

/* Opens a store to read. Returns as above. */
int tw_place_open_reader(const char *place, const struct tw_store_access *access,
	struct tw_store_reader **ret, struct tw_err *err);
