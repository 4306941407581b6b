/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/store/place.h"

#include <string.h>

#include "slowpath/clickhouse/reader.h"
#include "slowpath/clickhouse/server.h"
#include "slowpath/clickhouse/writer.h"
#include "slowpath/store/file.h"

bool tw_place_is_remote(const char *place)
{
	return !strncmp(place, TW_CLICKHOUSE_PLAIN, strlen(TW_CLICKHOUSE_PLAIN)) ||
	       !strncmp(place, TW_CLICKHOUSE_TLS, strlen(TW_CLICKHOUSE_TLS));
}

int tw_place_open_writer(const char *place, const struct tw_store_access *access,
	const struct tw_history_limits *limits, struct tw_store_writer **ret, struct tw_err *err)
{
	if (tw_place_is_remote(place))
		return tw_clickhouse_writer_open(place, access, limits, ret, err);
	return tw_file_writer_open(place, limits, ret, err);
}

int tw_place_open_reader(const char *place, const struct tw_store_access *access,
	struct tw_store_reader **ret, struct tw_err *err)
{
	if (tw_place_is_remote(place))
		return tw_clickhouse_reader_open(place, access, ret, err);
	return tw_file_reader_open(place, ret, err);
}
