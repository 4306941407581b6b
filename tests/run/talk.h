/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* talk.h: fills in the sequence and acknowledgement numbers that a case omits, as conforming TCP
 * ends would.
 *
 * Why:        most cases are not about sequence numbers, but a firewall that tracks windows needs
 *             correct ones.
 * What:       each end continues its stream and acknowledges everything that the other end sent. A
 *             repeated SYN keeps its number; a SYN after any other segment gets a new one. A
 *             refused segment does not count as sent.
 * Callers:    the case player.
 */
#pragma once

#include "tests/run/draft.h"

#define TW_TALKS_MAX 64

struct tw_talk_end {
	bool spoke;
	uint32_t first; /* sequence number of its SYN */
	uint32_t next;
};

struct tw_talk {
	struct tw_draft_end who[2];
	struct tw_addr addr[2];
	uint16_t port[2];
	enum tw_layer_kind ip;
	struct tw_talk_end end[2];
};

struct tw_talks {
	struct tw_talk talk[TW_TALKS_MAX];
	size_t n;
	struct tw_talk *last; /* conversation of the last frame; NULL: none */
	struct tw_talk before;
};

/* Fills in the TCP layer's unset numbers, and records the sender's position. Does nothing if the
 * frame has no TCP layer of its own, or if there is no space for another conversation. */
void tw_talk_fill(struct tw_talks *talks, struct tw_draft *draft);
/* Undoes the last frame's effect, because it was refused. */
void tw_talk_refused(struct tw_talks *talks);
