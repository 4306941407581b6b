/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* file.h: the history in a file (history/) as a store. Caller: store.c. */
#pragma once

#include "slowpath/store/store.h"

int tw_file_writer_open(const char *path, const struct tw_history_limits *limits,
	struct tw_store_writer **ret, struct tw_err *err);
int tw_file_reader_open(const char *path, struct tw_store_reader **ret, struct tw_err *err);
