/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* human.h: formats numbers and times for people to read. */
#pragma once

#include <stdint.h>

/* A short text by value, valid within the expression that made it. */
struct tw_short {
	char text[40];
};

struct tw_short tw_human_bytes(uint64_t bytes);	  /* 812 B, 3.1 KiB, 45 MiB */
struct tw_short tw_human_rate(double rate);	  /* 0, 0.3, 42, 1.2k, 45k, 1.3M */
struct tw_short tw_human_count(uint64_t count);	  /* 1,234,567 */
struct tw_short tw_human_span(double seconds);	  /* 0.4s, 12s, 3m05s, 2h14m, 5d03h; < 0: never */
struct tw_short tw_human_time(double unix_time);  /* local time, to the millisecond */
struct tw_short tw_human_ms(double milliseconds); /* 0.42 ms, 3.1 ms, 120 ms */
