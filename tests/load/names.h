/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* names.h: memory that names.c and its program share.
 */
#pragma once

#include "fastpath/path/app/name.h"

#define NAMES_ETHER 14 /* bytes before the payload */

struct names_io {
	struct tw_name_reader name;
	struct tw_name_window window;
	__be64 wire[TW_NAME_WINDOW / 8];
	__u32 at; /* bytes of the payload that are read */
	__u32 steps;
};
