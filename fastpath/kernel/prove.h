/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* prove.h: a program's id, by which it is found at an interface (for this directory only). */
#pragma once

#include <stdint.h>

/* Returns a program's id; 0 if it cannot be read. */
uint32_t tw_prove_id(int prog_fd);
