/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: any bytes as a HistoryRequest. It is refused, or becomes a query within its bounds. No text of
 * the request can end its literal in the SQL condition. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "link/link.h"
#include "slowpath/clickhouse/filter_sql.h"
#include "slowpath/query/wanted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* Outside of quotes there are only names, numbers and operators. Within them there are letters, digits, \xHH, and the
 * hyphen of names of reasons. */
static void check_sql(const char *sql)
{
	int quoted = 0;

	for (; *sql; sql++) {
		unsigned char c = (unsigned char)*sql;

		if (c == '\'')
			quoted = !quoted;
		else if (quoted)
			require(isalnum(c) || c == '\\' || c == '-');
		else
			require(isalnum(c) || strchr(" _()<>=!,", c));
		if (c == '\\')
			require(sql[1] == 'x' && isxdigit((unsigned char)sql[2]) &&
				isxdigit((unsigned char)sql[3]));
	}
	require(!quoted);
}

static void check_wanted(const struct tw_wanted *wanted)
{
	const struct tw_history_filter *filter = &wanted->query.filter;
	const struct tw_history_end *ends[] = {&filter->either, &filter->from, &filter->to};
	tw_auto_buf struct tw_buf sql = {0};

	require(wanted->query.limit && wanted->query.limit <= TW_WANTED_MAX);
	require(wanted->skip <= TW_WANTED_SKIP);
	require(wanted->n_texts <= sizeof(wanted->texts) / sizeof(wanted->texts[0]));
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		require(ends[i]->prefix_len <= 128);
	tw_filter_sql_add(&sql, filter, false);
	require(!sql.failed);
	check_sql(sql.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	Tapwall__V1__HistoryRequest *request = tapwall__v1__history_request__unpack(
		NULL, len, data);
	struct tw_wanted wanted;
	struct tw_err err = {0};

	if (!request)
		return 0;
	if (!tw_wanted_read(request, &wanted, &err))
		check_wanted(&wanted);
	else
		require(err.code < 0 && err.text[0]);
	tw_wanted_done(&wanted);
	tapwall__v1__history_request__free_unpacked(request, NULL);
	return 0;
}
