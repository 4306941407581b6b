/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conns.h: the connection table on a target of its own: plain arrays, any number of CPUs at once.
 *
 * Callers:    conns.c, once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* A target provides all that port.h asks for; the table asks for little of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include "fastpath/path/packet.h"

#define PORTS 8

struct table {
	struct tw_config config;
	struct tw_row *rows;
	struct tw_conn *records;
	uint32_t n_rows;
	struct tw_load loads[PORTS];
	struct tw_upkeep upkeep;
	uint64_t n_told; /* ends that were told */
	bool ring_full;
};

struct cpu {
	struct table *table;
	struct tw_sheet sheet;
	struct tw_event event;
};

static struct cpu *cpu_of(const struct tw_frame *f)
{
	return f->target;
}

tw_inline __u32 tw_table_rows(const struct tw_frame *f)
{
	return cpu_of(f)->table->n_rows;
}

tw_inline __u32 tw_table_slots(const struct tw_frame *f)
{
	return tw_conn_slots(cpu_of(f)->table->config.conn_max);
}

tw_inline struct tw_row *tw_rows_lookup(const struct tw_frame *f, const __u32 *k)
{
	struct table *t = cpu_of(f)->table;

	return *k < t->n_rows ? &t->rows[*k] : NULL;
}

tw_inline struct tw_conn *tw_conns_lookup(const struct tw_frame *f, const __u32 *k)
{
	struct table *t = cpu_of(f)->table;

	return *k < tw_record_number(t->n_rows, 0) ? &t->records[*k] : NULL;
}

tw_inline struct tw_load *tw_loads_lookup(const struct tw_frame *f, const __u32 *k)
{
	return *k < PORTS ? &cpu_of(f)->table->loads[*k] : NULL;
}

tw_inline struct tw_upkeep *tw_upkeep_lookup(const struct tw_frame *f, const __u32 *k)
{
	return &cpu_of(f)->table->upkeep;
}

tw_inline struct tw_sheet *tw_sheet_get(const struct tw_frame *f)
{
	return &cpu_of(f)->sheet;
}

tw_inline struct tw_sheet *tw_sheet_apart(const struct tw_frame *f)
{
	return tw_sheet_get(f);
}

tw_inline struct tw_event *tw_event_reserve(const struct tw_frame *f)
{
	return cpu_of(f)->table->ring_full ? NULL : &cpu_of(f)->event;
}

tw_inline void tw_event_submit(const struct tw_frame *f, struct tw_event *event)
{
	__atomic_fetch_add(&cpu_of(f)->table->n_told, 1, __ATOMIC_RELAXED);
}

tw_inline void tw_repeat(__u32 n, long (*step)(__u32 i, void *context), void *context)
{
	for (__u32 i = 0; i < n && !step(i, context); i++)
		continue;
}

#include "fastpath/path/conntrack/open.h"

tw_inline int tw_apart_find(const struct tw_frame *f)
{
	return tw_conn_find(f, &cpu_of(f)->sheet.flow);
}

tw_inline void tw_apart_sweep(const struct tw_frame *f)
{
	tw_conns_sweep(f);
}

tw_inline int tw_apart_row_lock(const struct tw_frame *f, __u32 n)
{
	return tw_row_lock(f, n);
}

tw_inline int tw_apart_row_put(const struct tw_frame *f, __u32 n)
{
	return tw_row_put(f, &cpu_of(f)->sheet, n);
}

tw_inline int tw_apart_row_replace(const struct tw_frame *f, __u32 n)
{
	return tw_row_replace(f, &cpu_of(f)->sheet, n);
}

tw_inline void tw_apart_row_clear(const struct tw_frame *f, __u32 n)
{
	tw_row_clear(f, &cpu_of(f)->table->config, n);
}

tw_inline __u32 tw_apart_row_spare(const struct tw_frame *f, __u32 n, __u32 payer_id, __u32 what)
{
	struct tw_spare s = {.f = f,
		.config = &cpu_of(f)->table->config,
		.now = tw_tick(f->now_ns),
		.n = n,
		.payer_id = payer_id,
		.what = what};

	return tw_row_spare(&s);
}

tw_inline int tw_apart_row_give_up(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_row_give_up(f, &cpu_of(f)->table->config, n, slot);
}
