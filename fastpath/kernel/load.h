/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* load.h: the fast path in the kernel: load, pin, adopt, attach, publish.
 *
 * What:       a handle for the programs tw_from_vm and tw_to_vm and their maps.
 * Pins:       <bpffs>/maps/<map>, <bpffs>/progs/<program> (those of keep.h among them),
 *             <bpffs>/links/<ifindex>-{out,in} (tcx only; clsact filters need no pin).
 * Callers:    the agent; tests and benchmarks. One thread per handle; other threads may use the
 *             fds.
 * Invariants: 1. Closing a handle leaves everything pinned in force.
 *             2. Attaching never passes a frame that the new state would deny.
 * Errors:     0 or negative errno with `err` filled: -EPERM (no privilege to load BPF programs),
 *             -EOPNOTSUPP (kernel lacks something, named), -EEXIST (pinned state of another
 *             layout), …
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "fastpath/abi/ask.h"
#include "fastpath/abi/event.h"
#include "fastpath/abi/image.h"
#include "fastpath/abi/types.h"

struct tw_kernel;

enum tw_map {
#define TW_MAP(symbol, ...) TW_MAP_##symbol,
#include "fastpath/abi/maps.def"
#undef TW_MAP
	TW_MAP_images,
	TW_MAP_events,
	TW_MAP_asks,
	TW_MAP_captured,
	TW_MAP_full,
	TW_MAP__MAX
};

/* The programs for frames: first those attached, by enum tw_dir; then the full path of each
 * direction, reached by a tail call through the map `full`. */
enum tw_prog {
	TW_PROG_FROM_VM,
	TW_PROG_TO_VM,
	TW_PROG_FULL_OUT,
	TW_PROG_FULL_IN,
	TW_PROG_LOOK,
	TW_PROG_HOUSE,
	TW_PROG__MAX
};

struct tw_kernel_options {
	const char *bpffs;  /* directory in a mounted bpffs, made if absent; NULL: pin nothing */
	uint32_t max_conns; /* 0: unchanged, or the default */
	bool test;	    /* trace outcomes, take the clock from config.now_ns */
	bool force_clsact;  /* as on a kernel without tcx */
	bool by_lookup;	    /* read images as on kernels before 6.2, and do not read bridges */
	const char *expedite_note; /* tw_expedite.note */
};

/* Facts for `tapwall version` and `status`. */
struct tw_kernel_facts {
	bool tcx;
	bool asks_bridges; /* programs read a bridge's ports from kernel memory */
	bool uplinks;	   /* they also read its forwarding database, to cut through at uplinks */
	bool adopted;	   /* existing maps were adopted */
	bool kept;	   /* identical programs were kept, too */
	uint32_t max_conns;
	uint32_t resized_from; /* capacity of the table that this one replaces; 0: none */
	uint32_t taken_over;   /* records taken over from that table */
	uint32_t
		not_taken_over; /* records opened during the change of programs that found no room */
	uint32_t conn_bytes;	/* memory of one connection: element, key and bucket */
	uint32_t insns[TW_PROG__MAX];	 /* instructions of each program after verification */
	uint32_t verified[TW_PROG__MAX]; /* instructions that the verifier walked; 0: unknown */
};

/* Loads the programs; adopts pinned maps that fit, else creates and pins them. New maps get
 * defaults: epoch 1 with every port shut, a random mark, default timeouts and rates. */
int tw_kernel_open(
	const struct tw_kernel_options *options, struct tw_kernel **ret, struct tw_err *err);
/* Once all ports are attached: completes a change of the table's size (resize.h). Does nothing if
 * there is none. */
int tw_kernel_settle(struct tw_kernel *kernel, struct tw_err *err);
/* Restores /sys/kernel/rcu_expedited, which attaching and detaching set (expedite.h). Called when
 * nothing more is to be attached or detached for now. */
void tw_kernel_rest(struct tw_kernel *kernel);
void tw_kernel_close(struct tw_kernel *kernel);
static inline void tw_kernel_cleanup(struct tw_kernel **kernel)
{
	tw_kernel_close(*kernel);
}

int tw_kernel_map_fd(const struct tw_kernel *kernel, enum tw_map map);
int tw_kernel_prog_fd(const struct tw_kernel *kernel, enum tw_prog prog);
const char *tw_kernel_prog_name(enum tw_prog prog);
const struct tw_kernel_facts *tw_kernel_facts(const struct tw_kernel *kernel);
#define TW_MAP_PREFIX "tw_"
/* Return the name of a map (with the prefix) and the name of its pin (without it). */
const char *tw_kernel_map_name(enum tw_map map);
const char *tw_kernel_pin_name(enum tw_map map);

/* Attaches both programs to an interface of the current network namespace, ahead of all others; a
 * port without an entry in `ports` is shut from that moment. An older program is replaced in place,
 * without a gap. Without tcx, a missing qdisc is added only if `make` is true, else -EAGAIN; -EBUSY
 * if the host's own qdiscs leave no room. */
int tw_kernel_attach(struct tw_kernel *kernel, uint32_t ifindex, bool make, struct tw_err *err);
int tw_kernel_detach(struct tw_kernel *kernel, uint32_t ifindex, struct tw_err *err);

/* True if an earlier process attached to this very device. A new device with the same number has no
 * programs, whatever is pinned for the number. */
bool tw_kernel_is_attached(struct tw_kernel *kernel, uint32_t ifindex);

/* State of an interface's hooks. */
struct tw_kernel_proof {
	bool attached[TW_DIR__MAX]; /* this handle's own program is attached */
	uint32_t before;	    /* a program that runs before one of them; 0: none */
};

/* Checks if both programs are at an interface. 0, -ENODEV or another negative errno. */
int tw_kernel_prove(struct tw_kernel *kernel, uint32_t ifindex, struct tw_kernel_proof *ret);

/* Attaches tw_from_uplink to an interface of a bridge that is not a filtered port. With tcx it runs
 * after other programs, pinned as <bpffs>/links/<ifindex>-uplink. Without tcx it runs before other
 * filters. 0; -EOPNOTSUPP without a bpffs; another negative errno. */
int tw_kernel_attach_uplink(struct tw_kernel *kernel, uint32_t ifindex, struct tw_err *err);
bool tw_kernel_uplink_is_attached(struct tw_kernel *kernel, uint32_t ifindex);
/* Allows cut-through to an uplink, and with tcx from it. `network`: number of its bridge; 0 ends
 * cut-through. -EOPNOTSUPP if the programs cannot read bridges. */
int tw_kernel_cut_uplink(struct tw_kernel *kernel, uint32_t ifindex, uint16_t network);
/* Undoes tw_kernel_attach_uplink() and tw_kernel_cut_uplink(). */
void tw_kernel_detach_uplink(struct tw_kernel *kernel, uint32_t ifindex);

/* Publishing: images and port entries of the coming epoch first, then the flip. */
int tw_kernel_put_image(struct tw_kernel *kernel, uint32_t slot, const uint32_t *words,
	size_t n_words, struct tw_err *err);
int tw_kernel_drop_image(struct tw_kernel *kernel, uint32_t slot);
/* Publish many images: the kernel waits for packets in flight once, not once per image. First each
 * image is created as a map that no packet uses yet; the caller closes its fd. Then all slots are
 * filled, or emptied, together. */
int tw_kernel_make_image(const uint32_t *words, size_t n_words, int *ret_fd, struct tw_err *err);
int tw_kernel_put_images(struct tw_kernel *kernel, const uint32_t *slots, const int *fds, size_t n,
	struct tw_err *err);
int tw_kernel_drop_images(struct tw_kernel *kernel, const uint32_t *slots, size_t n);
/* Writes a port's entry to a free slot, then makes it current by one store. `port` NULL removes it.
 * port->id must be the port's own in both epochs; port->ifindex is set here. */
int tw_kernel_set_port(
	struct tw_kernel *kernel, uint32_t ifindex, uint32_t epoch, const struct tw_port *port);
/* Uses the other epoch's entry for this one, too. Each may be replaced later. */
int tw_kernel_share_port(struct tw_kernel *kernel, uint32_t ifindex, uint32_t epoch);
/* Returns the entry for packets of an interface. -ENOENT if there is none, or if the entry at its
 * id was written for another interface. */
int tw_kernel_get_port(
	struct tw_kernel *kernel, uint32_t ifindex, uint32_t epoch, struct tw_port *ret);
/* Removes an entry that no interface's packets find, left by a process that ended while it wrote
 * one. */
int tw_kernel_drop_stray(struct tw_kernel *kernel, uint32_t id, uint32_t epoch);
/* True if there is an image at a slot. */
bool tw_kernel_has_image(struct tw_kernel *kernel, uint32_t slot);
/* Calls `each` for every entry, until it returns other than 0, and returns that. It may remove the
 * entry it is called for. */
int tw_kernel_each_port(struct tw_kernel *kernel,
	int (*each)(void *arg, uint32_t ifindex, uint32_t epoch, const struct tw_port *port),
	void *arg);
/* Writes a port's rights in an epoch; NULL removes them, as does removing the port. */
int tw_kernel_put_grants(
	struct tw_kernel *kernel, uint32_t id, uint32_t epoch, const struct tw_grants *grants);
/* `kind`: TW_ADDR_*. */
int tw_kernel_add_addr(struct tw_kernel *kernel, uint32_t zone, const struct tw_addr *addr,
	uint8_t len, uint32_t kind);
int tw_kernel_clear_addrs(struct tw_kernel *kernel, uint32_t zone);
/* Sets the groups of an address; if it is in none in both epochs, removes it. */
int tw_kernel_put_member(struct tw_kernel *kernel, const struct tw_addr *addr,
	const struct tw_membership *membership);
/* Sets the groups of several addresses, each of which is in some. After a failure, *ret_n of them are set. */
int tw_kernel_put_members(struct tw_kernel *kernel, const struct tw_addr *addrs,
	const struct tw_membership *memberships, size_t n, size_t *ret_n);
int tw_kernel_get_config(struct tw_kernel *kernel, struct tw_config *ret);
int tw_kernel_set_config(struct tw_kernel *kernel, const struct tw_config *config);
/* Allows cut-through until `until_ns` (CLOCK_MONOTONIC), by one store; 0: not at all. */
void tw_kernel_set_cut(struct tw_kernel *kernel, uint64_t until_ns);
/* The policy that entries come from. */
struct tw_policy_note {
	uint64_t text; /* identifies its text; 0: unknown */
	uint64_t number;
	uint64_t since_ns; /* monotonic */
};

/* Notes which policy the entries of an epoch come from. */
void tw_kernel_note_policy(
	struct tw_kernel *kernel, uint32_t epoch, const struct tw_policy_note *note);
/* Puts `epoch` in force for every port at once, then waits until no packet is judged by the
 * previous one. */
int tw_kernel_flip(struct tw_kernel *kernel, uint32_t epoch);

/* Captures: copies frames at the interface into a ring buffer of its own, as records of struct
 * tw_captured. `ring_bytes` is a power of two and a multiple of the page size; the memory is used
 * while the capture lasts. The caller owns *ret_ring_fd. */
int tw_kernel_capture_start(struct tw_kernel *kernel, uint32_t ifindex,
	const struct tw_capture_want *want, uint32_t ring_bytes, int *ret_ring_fd);
int tw_kernel_capture_set(
	struct tw_kernel *kernel, uint32_t ifindex, const struct tw_capture_want *want);
int tw_kernel_capture_get(struct tw_kernel *kernel, uint32_t ifindex, struct tw_capture_want *ret);
void tw_kernel_capture_stop(struct tw_kernel *kernel, uint32_t ifindex);
void tw_kernel_capture_clear(struct tw_kernel *kernel); /* stops all */

/* Detaches everything pinned under `bpffs`, in this network namespace, and removes the pins.
 * `expedite_note`: as in struct tw_kernel_options. */
int tw_kernel_release(const char *bpffs, const char *expedite_note, struct tw_err *err);

/* Runs one program on one frame (BPF_PROG_TEST_RUN), in the current namespace. `frame` is changed
 * in place; *len: its length before and after; `max`: size of the buffer. `beside` is read and
 * written. `ret_code` is the tc action. `repeat` > 1 measures: mean ns in *ret_ns. */
int tw_kernel_test_run(struct tw_kernel *kernel, enum tw_dir dir, uint32_t ifindex, void *frame,
	size_t *len, size_t max, uint16_t gso_size, struct tw_beside *beside, uint32_t repeat,
	int *ret_code, uint32_t *ret_ns, struct tw_outcome *ret);
