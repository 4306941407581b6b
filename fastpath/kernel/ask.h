/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask.h: the kernel side of rules that ask: answers, and held frames that go on.
 *
 * Callers:    agent/observe/asks.c; tests. One thread per handle.
 * Errors:     0 or a negative errno.
 */
#pragma once

#include "fastpath/abi/ask.h"
#include "fastpath/kernel/load.h"

/* Sets the tick until which a decider is there; 0: there is none. */
void tw_kernel_ask_until(struct tw_kernel *kernel, uint32_t tick);
/* Sets the number of questions that the fast path asks per second and port. */
void tw_kernel_ask_rate(struct tw_kernel *kernel, uint32_t rate);
/* Sets the number of entries of `answers` that one port may pay for. */
void tw_kernel_ask_quota(struct tw_kernel *kernel, uint32_t entries);

/* A frame to be sent again, to be judged as if it came now. */
struct tw_kernel_frame {
	const uint8_t *data; /* from the Ethernet header, tags in place */
	size_t len;	     /* bytes; -EINVAL beyond what BPF_PROG_TEST_RUN takes */
	uint32_t ifindex;    /* interface of the port */
	enum tw_dir dir; /* TW_DIR_OUT: as its guest sent it; TW_DIR_IN: on its way to its guest */
	uint32_t origin; /* interface where it entered the host; 0: none */
	uint32_t mark;
};

/* Sends a frame once, in the current network namespace. */
int tw_kernel_reinject(struct tw_kernel *kernel, const struct tw_kernel_frame *frame);
