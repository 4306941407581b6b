/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* kernel.h: the handle behind load.h, shared by the files of this folder only. */
#pragma once

#include "base/vec.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/resize.h"

struct bpf_object;
struct tap_bpf;

/* A link that no pin holds, and that lives as long as the handle. */
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

/* The tables that say where ports' entries are, mapped (ports.c). */
struct tw_kernel_ports {
	struct tw_kernel_cell *ids;   /* by ifindex, TW_PORT_IDS of them */
	struct tw_kernel_cell *slots; /* by tw_port_key(id, epoch) */
	TW_VEC(__u32) free;	      /* slots that no packet can be looking at */
	TW_VEC(__u32) retired;	      /* slots that one may be looking at still */
};

struct tw_kernel {
	struct tap_bpf *skeleton; /* owns object and fds */
	struct bpf_object *object;
	char *bpffs; /* NULL: nothing is pinned */
	int map_fd[TW_MAP__MAX];
	int prog_fd[TW_PROG__MAX];
	bool full_set;		  /* the map `full` leads to these programs */
	int uplink_fd;		  /* tw_from_uplink */
	int sweep_fd;		  /* the program that sweeps a bucket */
	int take_fd;		  /* … and the one that takes a record over from another table */
	struct tw_config *config; /* mapped */
	TW_VEC(int) kept; /* fds of programs that were in force (keep.h), in the object's order */
	TW_VEC(struct tw_kernel_link) links; /* only without bpffs */
	struct tw_kernel_ports ports;
	struct tw_kernel_facts facts;
	struct tw_kernel_resize resize;
};

/* Opens the object that is built into the program and sets its read-only data (object.c). */
int tw_kernel_open_object(struct tw_kernel *kernel, const struct tw_kernel_options *options);
/* Before load: the programs' table is for facts.max_conns. */
void tw_kernel_size_object(struct tw_kernel *kernel);
/* True if read-only data are what the object would give its programs now. */
bool tw_kernel_is_data(const struct tw_kernel *kernel, const void *data, size_t len);
void tw_kernel_close_object(struct tw_kernel *kernel);

/* Maps the tables and finds out which slots are free. 0 or negative errno. */
int tw_kernel_ports_init(struct tw_kernel *kernel);
void tw_kernel_ports_done(struct tw_kernel_ports *ports);

/* Sets one word of struct tw_config, `offset` bytes from its start, at once for every CPU. */
int tw_kernel_store_setting(struct tw_kernel *kernel, size_t offset, uint32_t value);

/* Where a map is pinned, with what comes behind its name. 0 or -ENAMETOOLONG. */
int tw_kernel_pin_path(const struct tw_kernel *kernel, enum tw_map map, const char *suffix,
	char *path, size_t max);

/* Waits until no packet is judged by what was in force before the call. 0 or negative errno. */
int tw_kernel_wait(struct tw_kernel *kernel);

/* Makes the attached programs of every port, those of an earlier agent too, go on to this object's full
 * path, from the next frame on. Nothing happens the second time. 0 or negative errno. */
int tw_kernel_set_full(struct tw_kernel *kernel);

/* Writes what number the table is for, and ports' default shares of it, where that is not what stands
 * there. */
void tw_kernel_store_size(struct tw_kernel *kernel);

/* Keeps libbpf from writing to stderr. */
void tw_kernel_silence(void);
