/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* captures.h: who captures what, and the ring buffers that their frames come through.
 *
 * How:        a port that somebody captures has a ring buffer of its own while that lasts, so that
 *             captures cost no memory while there are none and one port's flood takes no room from
 *             another's. Every frame read from it is handed to each who captures there.
 * Bounds:     TW_CAPTURE_PORTS ports of TW_CAPTURES_RING_MIB each, or as many as a client asks for; TW_CAPTURES_TURN frames a turn
 *             of the loop. What finds no room is counted by the fast path and told.
 * Invariants: 1. A capture ends with its client, and none outlives the agent: what an agent that
 *                was killed left is cleared when the next one starts.
 *             2. Ports come and go while a capture lasts: it follows its workload.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fastpath/abi/event.h"

/* 2,700 frames of 1,500 bytes, or 16,000 small ones, or 60 super-frames of 64 KiB, that may come between
 * two looks: the agent looks every TW_CAPTURES_POLL_MS, and is woken at a quarter. */
#define TW_CAPTURES_RING_MIB	 4
#define TW_CAPTURES_RING_MIB_MAX 64
#define TW_CAPTURES_POLL_MS	 20
#define TW_CAPTURES_TURN	 2048
#define TW_CAPTURES_LAST_TURNS	 8 /* then a ring that was full when a capture ended has been read */

struct tw_telemetry;
struct tw_agent_port;
struct tw_captures;

/* One who captures; embedded in what he is. */
struct tw_capturer {
	struct tw_capturer *next;
	const char *target;   /* a workload, or a port by its name */
	uint32_t snap_len;    /* 1 … TW_CAPTURE_SNAP_MAX */
	uint32_t ring_mib;    /* a power of two; of ports that nobody captures yet */
	bool refused;	      /* only frames that are denied or rejected */
	unsigned int n_ports; /* captured at now; kept by captures.c */
	/* A frame at one of his ports, with head->cap_len bytes, which may be more than he wants. */
	void (*take)(struct tw_capturer *capturer, const struct tw_agent_port *port,
		const struct tw_captured *head, const uint8_t *data);
	/* So many frames at that port were not captured. */
	void (*lose)(struct tw_capturer *capturer, uint32_t ifindex, uint64_t n);
	/* His ports are others than before. None of the three may leave the captures. */
	void (*changed)(struct tw_capturer *capturer);
};

bool tw_capturer_wants(const struct tw_capturer *capturer, const struct tw_agent_port *port);

int tw_captures_new(struct tw_telemetry *telemetry, struct tw_captures **ret, struct tw_err *err);
void tw_captures_free(struct tw_captures *captures); /* NULL is fine */

/* Begins to capture for him. 0, or a negative errno and nothing changed. */
int tw_captures_join(struct tw_captures *captures, struct tw_capturer *capturer);
/* Ends it; frames that are under way are handed to him before. */
void tw_captures_leave(struct tw_captures *captures, struct tw_capturer *capturer);
/* Ports, or what they belong to, may have changed. NULL is fine. */
void tw_captures_sync(struct tw_captures *captures);
