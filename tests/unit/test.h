/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test.h: includes what <cmocka.h> needs before it, in that order. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
