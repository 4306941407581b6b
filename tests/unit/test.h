/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* test.h: includes <cmocka.h> and, before it, the headers that it requires. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
