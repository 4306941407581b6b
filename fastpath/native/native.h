/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* native.h: the fast path in user space: the same path.h on its own tables.
 *
 * What:       one instance is one host's fast path: config, ports, images, connections.
 * Callers:    explain, replay, tests, fuzzing. One thread per instance.
 * Invariants: a frame gets the same verdict and reason as in the kernel (tests/run/run_bpf.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "fastpath/abi/ask.h"
#include "fastpath/abi/event.h"
#include "fastpath/abi/image.h"
#include "fastpath/abi/types.h"

struct tw_native;
struct tw_fragq; /* fastpath/abi/fragment.h */

/* An input frame. `data` may be written to (refusals are built in place). */
struct tw_native_frame {
	uint8_t *data;	 /* from the Ethernet header */
	size_t len;	 /* bytes present */
	size_t wire_len; /* bytes on the wire, >= len (captures may be truncated); 0 = len */
	size_t max;	 /* size of the buffer at data, for replies longer than the frame; >= len */
	uint16_t vlan;	 /* TCI of a tag outside the frame, host order; valid if has_vlan */
	bool has_vlan;
	uint16_t gso_size;	   /* payload bytes per segment, 0 = no super-frame */
	struct tw_offload offload; /* zero: no offload */
	struct tw_beside beside;   /* updated by the run */
};

/* The result of a run. */
struct tw_native_result {
	struct tw_outcome outcome;
	struct tw_key key;		  /* key of the connection; zero without one */
	uint8_t stage_ran[TW_STAGE__MAX]; /* 1 for each stage the frame entered */
	bool replied; /* data[0 … reply_len) now holds a refusal for the sender */
	size_t reply_len;
	bool express;	      /* the frame took an express path (path/express/) */
	uint32_t cut_ifindex; /* port that the frame is cut through to; 0: it goes to the vSwitch */
};

/* Creates an instance. `max_conns` 0: TW_CONNS_DEFAULT. 0, -ENOMEM, or -EINVAL for more than
 * TW_CONNS_MAX. */
int tw_native_new(struct tw_native **ret, size_t max_conns);
void tw_native_free(struct tw_native *native);
TW_DEFINE_AUTO(tw_native)

/* Returns the live settings: epoch, timeouts, rates. tw_native_new() sets epoch 1, default
 * timeouts, a fixed non-zero mark, and no limits on events or refusals. */
struct tw_config *tw_native_config(struct tw_native *native);

/* Returns the port's entry for one epoch parity, to be written in place; created zeroed if absent.
 * NULL if the table is full. */
struct tw_port *tw_native_port(struct tw_native *native, uint32_t ifindex, uint32_t epoch);
int tw_native_remove_port(struct tw_native *native, uint32_t ifindex, uint32_t epoch);
/* Adds a prefix to `addrs`. `len` counts bits of the mapped address (0…128); `kind` is
 * TW_ADDR_*. */
int tw_native_add_addr(struct tw_native *native, uint32_t zone, const struct tw_addr *addr,
	uint8_t len, uint32_t kind);
/* Removes a zone's prefixes. */
void tw_native_clear_addrs(struct tw_native *native, uint32_t zone);
/* Writes a port's rights in an epoch. */
int tw_native_put_grants(
	struct tw_native *native, uint32_t id, uint32_t epoch, const struct tw_grants *grants);
/* Lists a workload's MAC in `macs`; `value` is TW_MAC_*. */
int tw_native_add_mac(struct tw_native *native, const uint8_t mac[6], uint32_t value);
/* Lists a MAC as a destination of cut-through (config.cut_until_ns, TW_PORT_F_CUT). */
int tw_native_add_local(
	struct tw_native *native, const struct tw_local_key *key, const struct tw_local *local);
/* Returns a port's DHCP leases by its id; created empty if absent, NULL without memory. */
struct tw_leases *tw_native_leases(struct tw_native *native, uint32_t port_id);
/* Returns the live table of group members: struct tw_membership by struct tw_addr. */
struct tw_table *tw_native_members(struct tw_native *native);
/* Copies an image into a slot (1 … TW_IMAGES_MAX - 1). */
int tw_native_put_image(
	struct tw_native *native, uint32_t slot, const uint32_t *words, size_t n_words);

/* Runs one frame through tw_from_vm (TW_DIR_OUT) or tw_to_vm (TW_DIR_IN) of a port, at `now_ns`. */
void tw_native_run(struct tw_native *native, uint32_t ifindex, enum tw_dir dir, uint64_t now_ns,
	struct tw_native_frame *frame, struct tw_native_result *ret);

/* Makes every frame take the full path. Outcomes stay the same. */
void tw_native_take_full_path(struct tw_native *native);

/* Returns entry `n` (below TW_FRAGQS) of a port's fragment queue, or NULL if never used. The caller
 * runs and frees those in state TW_FRAGQ_SENT, after the frame whose outcome has `release`. */
struct tw_fragq *tw_native_fragq(struct tw_native *native, uint32_t port_id, uint32_t n);

/* Forgets all connections and fragments; keeps the rest. The cost grows with the number of entries
 * in use. */
void tw_native_forget(struct tw_native *native);
size_t tw_native_n_conns(const struct tw_native *native);
/* Calls `each`, if not NULL, for every record, expired or not. Returns their number. */
size_t tw_native_each_conn(const struct tw_native *native,
	void (*each)(void *arg, const struct tw_key *key, const struct tw_conn *conn), void *arg);

/* Returns a port's usage of the connection table. */
const struct tw_usage *tw_native_usage(const struct tw_native *native, uint32_t port_id);

/* Sets a function that is called for every event. */
void tw_native_on_event(struct tw_native *native,
	void (*on_event)(void *arg, const struct tw_event *event), void *arg);
/* Sets a function that is called for every captured frame, with its head and head->cap_len bytes of
 * it. Without such a function, frames are counted as if the ring buffer were full. */
void tw_native_on_capture(struct tw_native *native,
	void (*on_capture)(void *arg, const struct tw_captured *head, const uint8_t *data),
	void *arg);
/* Sets a function that is called for every question of a rule that asks (path/ask.h), with
 * question->cap_len bytes of its frame. */
void tw_native_on_ask(struct tw_native *native,
	void (*on_ask)(void *arg, const struct tw_asked *question, const uint8_t *data), void *arg);
/* Returns the live table of answers: struct tw_answer by struct tw_ask_key. */
struct tw_table *tw_native_answers(struct tw_native *native);
/* Starts a capture at a port; `capture` NULL ends it. 0, -ENOENT, -E2BIG or -ENOMEM. */
int tw_native_capture(
	struct tw_native *native, uint32_t ifindex, const struct tw_capture_want *capture);
uint64_t tw_native_reason_count(
	const struct tw_native *native, enum tw_reason reason, enum tw_dir dir);
const struct tw_rule_count *tw_native_rule_count(const struct tw_native *native, uint32_t slot);
const struct tw_port_count *tw_native_port_count(const struct tw_native *native, uint32_t port_id);
