/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* table.bpf.h: the size of the connection table in eBPF. It is a constant of each program, so that
 * one that still runs while its successor is attached uses its own table.
 *
 * Callers:    tap.bpf.c, which includes it.
 */
#pragma once

/* Set before load (object.c). */
const volatile __u32 tw_n_buckets = 1;
const volatile __u32 tw_slots = TW_BUCKET_SLOTS;

tw_inline __u32 tw_table_buckets(const struct tw_frame *f)
{
	return tw_n_buckets;
}

tw_inline __u32 tw_table_slots(const struct tw_frame *f)
{
	return tw_slots;
}
