/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* prove.h: a program's number, by which it is found at an interface (inside this folder only). */
#pragma once

#include <stdint.h>

/* 0 if it cannot be asked. */
uint32_t tw_prove_id(int prog_fd);
