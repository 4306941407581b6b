/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* kernel.h: the handle of load.h, shared by the files of this directory. */
#pragma once

#include "base/vec.h"
#include "fastpath/kernel/expedite.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/resize.h"

struct bpf_object;
struct tap_bpf;

/* A link without a pin, which lives as long as the handle. */
struct tw_kernel_link {
	uint32_t ifindex;
	enum tw_dir dir;
	int fd;
};

/* An element of a mapped array of 32-bit words: elements are 8 bytes apart, whatever their size
 * (kernel/bpf/arraymap.c). */
struct tw_kernel_cell {
	__u32 word;
	__u32 pad;
};

/* Mapped tables of the slots of ports' entries (ports.c). */
struct tw_kernel_ports {
	struct tw_kernel_cell *ids;   /* by ifindex, TW_PORT_IDS of them */
	struct tw_kernel_cell *slots; /* by tw_port_key(id, epoch) */
	TW_VEC(__u32) free;	      /* slots that no packet can be reading */
	TW_VEC(__u32) retired;	      /* slots that a packet may still be reading */
};

struct tw_kernel {
	struct tap_bpf *skeleton; /* owns the object and its maps */
	struct bpf_object *object;
	char *bpffs; /* NULL: no pins */
	int map_fd[TW_MAP__MAX];
	int prog_fd[TW_PROG__MAX];
	bool full_set;		     /* the map `full` refers to these programs */
	int uplink_fd;		     /* tw_from_uplink */
	int sweep_fd;		     /* tw_sweep, which sweeps a bucket */
	int take_fd;		     /* tw_take, which takes over a record of another table */
	int reinject_fd;	     /* tw_reinject, which sends a held frame again */
	struct tw_config *config;    /* mapped */
	struct tw_rule_count *rules; /* mapped; by tw_rule_index() */
	uint32_t n_cpus;	     /* highest number of a possible CPU, plus 1 */
	TW_VEC(int) programs;	     /* fds of all programs, in the object's order */
	TW_VEC(struct tw_kernel_link) links; /* only without bpffs */
	struct tw_kernel_ports ports;
	struct tw_kernel_facts facts;
	struct tw_expedite expedite;
	char *expedite_note;
	struct tw_kernel_resize resize;
};

/* Opens the object that is embedded in the executable and sets its read-only data (object.c). */
int tw_kernel_open_object(struct tw_kernel *kernel, const struct tw_kernel_options *options);
/* Before load: sizes the programs' table for facts.max_conns. */
void tw_kernel_size_object(struct tw_kernel *kernel);
/* True if the read-only data equal what the object would give its programs now. */
bool tw_kernel_is_data(const struct tw_kernel *kernel, const void *data, size_t len);
void tw_kernel_close_object(struct tw_kernel *kernel);
/* Opens the object again, to use the maps of the handle's object, which must be loaded. The caller
 * closes the copy, also after an error; NULL is allowed there. 0 or negative errno. */
int tw_kernel_copy_object(const struct tw_kernel *kernel, struct tap_bpf **ret);
struct bpf_object *tw_kernel_object_of(const struct tap_bpf *copy);
void tw_kernel_close_copy(struct tap_bpf *copy);

/* Before load: sizes the counters of rules for this machine's CPUs (counts.c). */
void tw_counts_size(struct tw_kernel *kernel);
/* After load: maps them. 0 or negative errno. */
int tw_counts_init(struct tw_kernel *kernel);
void tw_counts_done(struct tw_kernel *kernel);

/* Maps the tables and finds the free slots. 0 or negative errno. */
int tw_kernel_ports_init(struct tw_kernel *kernel);
void tw_kernel_ports_done(struct tw_kernel_ports *ports);

/* Sets one word of struct tw_config, `offset` bytes from its start, atomically for all CPUs. */
int tw_kernel_store_setting(struct tw_kernel *kernel, size_t offset, uint32_t value);

/* Returns a map's pin path in `path`, with a suffix to its name. 0 or -ENAMETOOLONG. */
int tw_kernel_pin_path(const struct tw_kernel *kernel, enum tw_map map, const char *suffix,
	char *path, size_t max);

/* Waits until no packet is judged by what was in force before the call. 0 or negative errno. */
int tw_kernel_wait(struct tw_kernel *kernel);

/* Makes the attached programs of every port, including those of an earlier agent, continue in this
 * object's full path, from the next frame on. Does nothing the second time. 0 or negative errno. */
int tw_kernel_set_full(struct tw_kernel *kernel);

/* Writes the table's capacity, and ports' default shares of it, where they differ. */
void tw_kernel_store_size(struct tw_kernel *kernel);

/* Keeps libbpf from writing to stderr. */
void tw_kernel_silence(void);
