/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_talk.h: TCP conversations, honest and attacked, one segment after the other.
 *
 * What:       two ends that keep to RFC 9293, 5961, 7323 and 2018 as far as segments show it, a network
 *             between them that loses, doubles and reorders, before or behind the firewall, and
 *             somebody who forges segments at and around every bound.
 * Out:        each segment at the moment it meets the firewall. What the firewall passes reaches its
 *             receiver.
 * Callers:    conntrack_diff.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/diff/random.h"

#define TW_CT_SACKS_MAX 3

/* A TCP segment. */
struct tw_ct_segment {
	bool reply; /* sent by the end that did not open the connection */
	bool forged;
	uint8_t flags;
	uint32_t seq;
	uint32_t ack;
	uint32_t len; /* of data */
	uint16_t window;
	int scale; /* of a SYN; -1: no such option */
	bool sack_ok;
	bool stamped; /* has timestamps */
	unsigned int n_sacks;
	uint32_t sack[TW_CT_SACKS_MAX][2];
};

/* Judges a segment: positive when it passes, 0 when not, negative errno. */
typedef int tw_ct_judge_fn(void *arg, const struct tw_ct_segment *segment);

/* One conversation of about `n` segments. 0 or what `judge` failed with. */
int tw_ct_converse(struct tw_random *random, size_t n, tw_ct_judge_fn *judge, void *arg);

/* A scenario as text: lines "> FLAGS SEQ ACK [LEN] [w=WINDOW] [s=SCALE]", `<` for the other end; the
 * numbers are relative to the first ones of each end (`first`), but for a SEQ of `zero`. 0, -EINVAL for text that is none. */
int tw_ct_recite(const char *text, const uint32_t first[2], tw_ct_judge_fn *judge, void *arg);
