/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test.h: what cmocka.h wants before it, in the order it wants. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
