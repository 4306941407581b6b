/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Fuzzer: quarantine.json with a correct checksum, assembled from parts of a list: each byte of the input selects one,
 * and a byte from 192 on copies the next byte. The list stays within its bounds. If it is written again, the file is read
 * as the same list. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/state/quarantines.h"
#include "agent/state/sealed.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char folder[] = "/dev/shm/tapwall-fuzz-XXXXXX";
static struct tw_store *store;

static void require(int holds)
{
	if (!holds)
		abort();
}

static void remove_folder(void)
{
	static const char *const names[] = {TW_STORE_QUARANTINE, TW_STORE_PRESENT, TW_STORE_LOCK};
	char path[sizeof(folder) + 32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static void make_store(void)
{
	require(mkdtemp(folder) != NULL);
	atexit(remove_folder);
	require(!tw_store_open(folder, &store, NULL));
	/* Errors in files are expected, and not printed. */
	tw_log_init("fuzz", (enum tw_log_level)0);
}

#define LONG_TEXT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *const parts[] = {"{\"workload\":\"w1\"", "{\"workload\":\"w2\"",
	"{\"workload\":\"\"", "{\"workload\":3", "{\"workload\":\"\\u00e4\\u0007\"",
	"{\"workload\":\"" LONG_TEXT LONG_TEXT "\"", "},", "}", ",\"reason\":\"why\"",
	",\"reason\":null", ",\"reason\":\"" LONG_TEXT LONG_TEXT LONG_TEXT LONG_TEXT "\"",
	",\"who\":\"root\"", ",\"who\":\"" LONG_TEXT "\\u00e4\"", ",\"since\":1", ",\"since\":-1",
	",\"until\":2", ",\"until\":9223372036854775807", ",\"until\":1e300", ",\"change\":7",
	",\"change\":-7", ",\"change\":9223372036854775807", ",\"ended\":1", ",\"ended\":\"1\"",
	",\"ended_by\":\"ann\"", ",\"lost\":true", ",\"lost\":1", ",\"ports\":[\"tap1\",\"tap2\"]",
	",\"ports\":[\"\",3,null]", ",\"ports\":{}",
	",\"ports\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"0123456789abcdef0\"]",
	"null,", "[],", "3,"};
#define N_PARTS (sizeof(parts) / sizeof(parts[0]))

static void make_file(const uint8_t *data, size_t len, struct tw_buf *file)
{
	tw_auto_buf struct tw_buf body = {0};

	tw_buf_adds(
		&body, len && data[0] & 1 ? "\"number\":5,\"quarantines\":[" : "\"quarantines\":[");
	for (size_t i = 0; i < len; i++)
		if (data[i] < 192)
			tw_buf_adds(&body, parts[data[i] % N_PARTS]);
		else if (++i < len)
			tw_buf_add(&body, (const char *)data + i, 1);
	tw_buf_adds(&body, "]}");
	require(!body.failed);
	tw_sealed_add(file, body.data, body.len);
}

static void check_list(const struct tw_quarantines *list)
{
	require(list->list.n <= 2 * TW_QUARANTINES_MAX);
	tw_vec_foreach (&list->list, q) {
		require(q->workload[0] &&
			strnlen(q->workload, sizeof(q->workload)) < sizeof(q->workload));
		require(strnlen(q->reason, sizeof(q->reason)) < sizeof(q->reason));
		require(strnlen(q->who, sizeof(q->who)) < sizeof(q->who));
		require(strnlen(q->ended_by, sizeof(q->ended_by)) < sizeof(q->ended_by));
		require(!q->ended_s == (tw_quarantines_find(list, q->workload, NULL) == q) ||
			list->list.n > 1 || q->lost);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tw_quarantines first = {0}, again = {0};
	tw_auto_buf struct tw_buf file = {0};

	if (!store)
		make_store();
	make_file(data, len, &file);
	require(!tw_store_write(store, TW_STORE_QUARANTINE, file.data, file.len, NULL));
	tw_quarantines_load(&first, store);
	check_list(&first);
	if (!tw_quarantines_save(&first, store, NULL)) {
		require(!tw_quarantines_load(&again, store));
		require(again.list.n == first.list.n);
		for (size_t i = 0; i < again.list.n; i++)
			require(!strcmp(again.list.at[i].workload, first.list.at[i].workload) &&
				again.list.at[i].change == first.list.at[i].change &&
				again.list.at[i].until_s == first.list.at[i].until_s);
	}
	tw_quarantines_done(&first);
	tw_quarantines_done(&again);
	return 0;
}
