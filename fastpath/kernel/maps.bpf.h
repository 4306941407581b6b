/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* maps.bpf.h: the maps of the programs: those of maps.def, and those that only the kernel has.
 *
 * Callers:    tap.bpf.c, which includes it.
 */
#pragma once

#include "fastpath/path/packet.h"

#define TW_MAP(symbol, map_type, key_type, value_type, max, flags, ...) \
	struct {                                                        \
		__uint(type, BPF_MAP_TYPE_##map_type);                  \
		__uint(max_entries, max);                               \
		__uint(map_flags, flags);                               \
		__type(key, key_type);                                  \
		__type(value, value_type);                              \
	} tw_##symbol SEC(".maps");
#include "fastpath/abi/maps.def"
#undef TW_MAP

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TW_EVENTS_BYTES);
} tw_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TW_ASKS_BYTES);
} tw_asks SEC(".maps");

/* The agent chooses the size of the inner maps. */
struct captured_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, TW_CAPTURE_PORTS);
	__type(key, __u32);
	__array(values, struct captured_ring);
} tw_captured SEC(".maps");

/* The full path by enum tw_dir, and its parts by enum tw_full_part. Filled by the loader; frames are dropped while it is empty. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TW_FULL__MAX);
	__type(key, __u32);
	__type(value, __u32);
} tw_full SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* for packets; for tw_sweep and tw_take */
	__type(key, __u32);
	__type(value, struct tw_scratch);
} tw_scratch SEC(".maps");
