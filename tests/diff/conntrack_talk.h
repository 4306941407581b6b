/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_talk.h: random TCP conversations, segment by segment, with and without an attacker.
 *
 * What:       two ends that conform to RFC 9293, 5961, 7323 and 2018 as far as segments show it; a
 *             network between them that loses, duplicates and reorders segments, before or after
 *             the firewall; an attacker that forges segments at and around every bound.
 * Out:        each segment when it reaches the firewall. A segment that the firewall passes reaches
 *             its receiver.
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
	uint32_t len; /* bytes of data */
	uint16_t window;
	int scale; /* window scale of a SYN; -1: no such option */
	bool sack_ok;
	bool stamped; /* has timestamps */
	unsigned int n_sacks;
	uint32_t sack[TW_CT_SACKS_MAX][2];
};

/* Judges a segment: positive if it passes, 0 if not, negative errno. */
typedef int tw_ct_judge_fn(void *arg, const struct tw_ct_segment *segment);

/* Runs one conversation of about `n` segments. 0, or the error of `judge`. */
int tw_ct_converse(struct tw_random *random, size_t n, tw_ct_judge_fn *judge, void *arg);

/* Plays a scenario given as text: lines "> FLAGS SEQ ACK [LEN] [w=WINDOW] [s=SCALE]", with `<` for
 * the other end. Numbers are relative to each end's initial number (`first`), except a SEQ of
 * `zero`. 0, or -EINVAL if the text is not a scenario. */
int tw_ct_recite(const char *text, const uint32_t first[2], tw_ct_judge_fn *judge, void *arg);
