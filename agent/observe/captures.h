/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* captures.h: the captures under way and the ring buffers that deliver their frames.
 *
 * How:        each captured port has a ring buffer of its own, which exists only while the port is
 *             captured. A flood at one port takes no space from another. Each frame is passed to
 *             every capturer of the port.
 * Bounds:     TW_CAPTURE_PORTS ports, each with a ring of TW_CAPTURES_RING_MIB or of the size that
 *             the client asks for; TW_CAPTURES_TURN frames per turn of the loop. The fast path
 *             counts the frames that do not fit, and the agent reports them.
 * Invariants: 1. A capture ends with its client, and none outlives the agent. If an agent was
 *                killed, the next one clears its captures at start.
 *             2. Ports come and go while a capture lasts: it follows its workload.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fastpath/abi/event.h"

/* Holds 2,700 frames of 1,500 bytes, 16,000 small ones, or 60 super-frames of 64 KiB between two
 * reads. The agent reads every TW_CAPTURES_POLL_MS, and is woken at a quarter. */
#define TW_CAPTURES_RING_MIB	 4
#define TW_CAPTURES_RING_MIB_MAX 64
#define TW_CAPTURES_POLL_MS	 20
#define TW_CAPTURES_TURN	 2048
#define TW_CAPTURES_LAST_TURNS	 8 /* turns in which a full ring is read after a capture ends */

struct tw_telemetry;
struct tw_agent_port;
struct tw_captures;

/* A capturer, embedded in the struct of its owner. */
struct tw_capturer {
	struct tw_capturer *next;
	const char *target;   /* name of a workload or a port */
	uint32_t snap_len;    /* 1 … TW_CAPTURE_SNAP_MAX */
	uint32_t ring_mib;    /* a power of two; not used for ports with a ring already */
	bool refused;	      /* only frames that are denied or rejected */
	unsigned int n_ports; /* ports captured now; maintained by captures.c */
	/* Called for a frame at one of its ports, with head->cap_len bytes, which may be more
	 * than it asked for. */
	void (*take)(struct tw_capturer *capturer, const struct tw_agent_port *port,
		const struct tw_captured *head, const uint8_t *data);
	/* Called if frames at that port were lost. */
	void (*lose)(struct tw_capturer *capturer, uint32_t ifindex, uint64_t n);
	/* Called when its ports have changed. None of the three callbacks may call
	 * tw_captures_leave(). */
	void (*changed)(struct tw_capturer *capturer);
};

bool tw_capturer_wants(const struct tw_capturer *capturer, const struct tw_agent_port *port);

int tw_captures_new(struct tw_telemetry *telemetry, struct tw_captures **ret, struct tw_err *err);
void tw_captures_free(struct tw_captures *captures); /* NULL is fine */

/* Begins to capture. Returns 0, or a negative errno with nothing changed. */
int tw_captures_join(struct tw_captures *captures, struct tw_capturer *capturer);
/* Ends the capture, after the buffered frames were delivered. */
void tw_captures_leave(struct tw_captures *captures, struct tw_capturer *capturer);
/* Updates the captured ports after ports or their workloads changed. NULL is fine. */
void tw_captures_sync(struct tw_captures *captures);
