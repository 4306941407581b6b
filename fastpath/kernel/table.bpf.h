/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* table.bpf.h: the size of the connection table, for eBPF: a constant of each program, so that one that
 * goes on while its successor is attached keeps to its own table.
 *
 * Callers:    tap.bpf.c, as a part of it.
 */
#pragma once

/* Set before load (object.c). */
const volatile __u32 tw_buckets = 1;
const volatile __u32 tw_slots = TW_BUCKET_SLOTS;

tw_inline __u32 tw_table_buckets(const struct tw_frame *f)
{
	return tw_buckets;
}

tw_inline __u32 tw_table_slots(const struct tw_frame *f)
{
	return tw_slots;
}
