/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* seen_text.h: what was seen, as text. */
#pragma once

#include <stdio.h>

#include "cli/gather.h"

/* A short text by value, valid within the expression that made it. */
struct tw_seen_text {
	char text[128];
};

/* tcp/5432, icmp/8, proto/47, or `tcp, many ports`. */
struct tw_seen_text tw_seen_service(const struct tw_seen_entry *entry);
/* Local time to the second: 2026-01-31 14:05:06. */
struct tw_seen_text tw_seen_time(double unix_time);
/* The addresses and ports of the newest connection: 10.0.0.11:40000 > 10.0.0.21:5432. */
struct tw_seen_text tw_seen_example(const struct tw_seen_entry *entry);

/* Prints a line for each reason why something may be missing. */
void tw_seen_warn(const struct tw_gathered *gathered, FILE *out);
