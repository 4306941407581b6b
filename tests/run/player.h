/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* player.h: definitions shared by the two parts of the player: play.c (frames, policies) and
 * steps.c (other steps). */
#pragma once

#include "base/buf.h"
#include "tests/run/play.h"
#include "tests/run/talk.h"

#define TW_PLAYER_STRAYS_MAX 4 /* ports outside the policy */

/* The settings of a port by `port` steps; they persist across policies. */
struct tw_port_change {
	uint32_t ifindex;
	bool shut;
	bool has_network;
	bool has_pvid;
	bool has_adopt;
	bool has_flags; /* true for a port outside the policy */
	bool cut;	/* cut-through may start and end at this port */
	uint16_t network;
	uint16_t pvid;
	uint32_t len_max; /* largest frame for cut-through */
	uint16_t flags;
	uint32_t adopt_until;
};

struct tw_player {
	const char *name;
	const struct tw_case *c;
	const struct tw_step *step;
	struct tw_target *target;
	struct tw_play *play;
	struct tw_policy *policy;
	const char *policy_text;
	uint32_t epoch;
	struct tw_port_change changes[TW_TARGET_PORTS_MAX];
	size_t n_changes;
	char strays[TW_PLAYER_STRAYS_MAX][32];
	size_t n_strays;
	struct tw_talks talks;
	uint8_t *room;		 /* TW_TARGET_FRAME_MAX bytes */
	struct tw_fragq *queued; /* one queue, to take fragments from the target */
	struct tw_buf reply;	 /* the last refusal */
	uint32_t reply_mark;
	struct tw_beside last; /* metadata of the last frame after its last port */
};

/* Reports an error in the case itself. Both functions print, and return -EINVAL. */
int tw_player_wrong(struct tw_player *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Reports that the target differs from the case's expectations. */
int tw_player_fail(struct tw_player *p, const struct tw_step *step, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

int tw_player_do(struct tw_player *p, const struct tw_step *step);
/* Applies the settings of all `port` steps to the epoch in force. */
int tw_player_reapply(struct tw_player *p);
/* Finds the interface of a port, which may be one outside the policy. */
int tw_player_find_port(struct tw_player *p, const char *name, uint32_t *ret);
