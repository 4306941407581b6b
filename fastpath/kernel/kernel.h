/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* kernel.h: the handle behind load.h, shared by the files of this folder only. */
#pragma once

#include "base/vec.h"
#include "fastpath/kernel/load.h"

struct bpf_object;
struct tap_bpf;

/* A link that no pin holds, and that lives as long as the handle. */
struct tw_kernel_link {
	uint32_t ifindex;
	enum tw_dir dir;
	int fd;
};

struct tw_kernel {
	struct tap_bpf *skeleton; /* owns object and fds */
	struct bpf_object *object;
	char *bpffs; /* NULL: nothing is pinned */
	int map_fd[TW_MAP__MAX];
	int prog_fd[TW_DIR__MAX];
	TW_VEC(struct tw_kernel_link) links; /* only without bpffs */
	struct tw_kernel_facts facts;
};

/* Opens the object that is built into the program and sets its read-only data (object.c). */
int tw_kernel_open_object(struct tw_kernel *kernel, bool test);
void tw_kernel_close_object(struct tw_kernel *kernel);
