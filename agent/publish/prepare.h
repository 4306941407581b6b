/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* prepare.h: makes beforehand what a draft needs to take effect: rule slots, the policy with the addresses that guests
 * have learned, and the images of the ports that are present.
 *
 * Why:        this takes seconds for a large policy, and the agent's loop must not wait for it.
 * How:        the loop notes what the host has now. Any thread prepares for that. When the policy takes effect, plan.c
 *             uses what still fits, and makes the rest itself.
 * Invariants: 1. tw_prepare_run() touches only the draft's policy, the preparation, immutable parts of the policy in force, and
 *                the slots, which have a lock.
 *             2. Nothing that is prepared is in force. Images are in maps of their own, which no slot refers to.
 *             3. An image is found by its key, so one that was prepared for an earlier state of the host is never
 *                used by mistake. What is inherited is looked up again when the policy takes effect.
 * Callers:    tw_prepare_run(): any thread. The others: the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/publish/leases.h"
#include "agent/state/images.h"
#include "base/vec.h"
#include "policy/policy.h"

struct tw_enforcement;
struct tw_inforce;

/* The image of a vNIC. */
struct tw_prepared_image {
	uint32_t vnic; /* index */
	struct tw_image_key key;
	bool resolved; /* it depends on the members of groups */
	struct tw_image_made
		made; /* fd -1: an equal one existed, or is in another row, or this one is used */
};

struct tw_preparation {
	struct tw_slots *slots;
	struct tw_inforce *base;       /* policy in force when it began, a reference; NULL: none */
	const struct tw_compiler *was; /* its compiler; NULL: none */
	uint32_t *base_images;	       /* copy of base->images; NULL: none */
	struct tw_image_slot *image_slots; /* copy of the images' slots */
	uint32_t *vnics;		   /* indexes of the vNICs whose ports are present */
	size_t n_vnics;
	struct tw_learned_list learned; /* addresses that guests had learned */

	/* The result. */
	int code; /* 0 or a negative errno */
	struct tw_inforce
		*inforce; /* the draft's policy with `learned`, a reference; NULL: it failed */
	struct tw_delta *delta;			 /* from `base`; NULL: none */
	TW_VEC(struct tw_prepared_image) images; /* without those that are inherited */
	uint64_t took_ns;
};

/* Notes what the host has, for the policy of a draft. Returns 0 or -ENOMEM. tw_prepare_done() must be called in either case. */
int tw_prepare_begin(
	struct tw_preparation *p, struct tw_enforcement *enforcement, struct tw_inforce *draft);
/* Prepares the draft. The result is in `p`. A port whose image cannot be made is left to plan.c. */
void tw_prepare_run(struct tw_preparation *p, struct tw_inforce *draft);
/* True if the host's state that the preparation depends on is as it was. If not, the draft is to be prepared again. */
bool tw_prepare_is_current(const struct tw_preparation *p, struct tw_enforcement *enforcement,
	struct tw_inforce *draft);
/* Finds the image that was prepared for a vNIC of this policy, and puts it in a slot if it is in none. Returns 0, with
 * *ret_slot 0 if there is none, or a negative errno with `err` filled. */
int tw_prepare_put(struct tw_preparation *p, struct tw_images *images,
	const struct tw_inforce *inforce, const struct tw_vnic *vnic, uint32_t *ret_slot,
	struct tw_err *err);
/* Returns the difference of this policy from the one in force, which the caller frees, or NULL. */
struct tw_delta *tw_prepare_take_delta(struct tw_preparation *p,
	const struct tw_enforcement *enforcement, const struct tw_inforce *inforce);
/* Frees the images that were not used, and everything else. */
void tw_prepare_done(struct tw_preparation *p);
