/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apps.h: memory that apps.c and its programs share.
 */
#pragma once

#include "fastpath/path/app/app.h"

#define APPS_ETHER 14 /* bytes before the payload */

struct apps_io {
	struct tw_app_head head;
	struct tw_app_state state;
	__be64 wire[TW_APP_WORDS];
};
