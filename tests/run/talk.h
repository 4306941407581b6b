/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* talk.h: what honest TCP ends say: sequence and acknowledgement numbers that a case leaves out.
 *
 * Why:        most cases are not about sequence numbers, yet a firewall that knows windows wants
 *             right ones.
 * What:       each end goes on where it stopped and acknowledges all that the other one sent. A SYN
 *             that is sent again has the number it had; a new one, after anything else, another.
 *             What was refused on its way was never said.
 * Callers:    the case player.
 */
#pragma once

#include "tests/run/draft.h"

#define TW_TALKS_MAX 64

struct tw_talk_end {
	bool spoke;
	uint32_t first; /* its SYN's number */
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
	struct tw_talk *last; /* of the last frame; NULL: none */
	struct tw_talk before;
};

/* Fills in the TCP layer's unset numbers, and remembers where its sender is now. Does nothing to
 * frames without a TCP layer of their own, and when there is no room for another conversation. */
void tw_talk_fill(struct tw_talks *talks, struct tw_draft *draft);
/* The last frame was refused. */
void tw_talk_refused(struct tw_talks *talks);
