/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* scene.h: a complete policy set up on a native fast path, one port per vNIC.
 *
 * Port of vNIC number i: ifindex 100 + i, id 1 + i, image slot 1 + i, network 1. Rule slots are
 * rule numbers (the default is number n_rules). The numbers are the same in every target, so
 * that tests can compare.
 */
#pragma once

#include "fastpath/native/native.h"
#include "policy/policy.h"

#define TW_SCENE_NETWORK 1

static inline uint32_t tw_scene_ifindex(size_t vnic)
{
	return (uint32_t)(100 + vnic);
}

/* Compiles every vNIC's image and sets up its port in epoch `epoch` and the image slot 1 + index
 * + (epoch & 1) * n_vnics; then puts `epoch` in force. Returns 0, -E2BIG with `diags` filled, or
 * -ENOMEM. The policy may be freed afterwards. */
int tw_scene_load(struct tw_native *native, const struct tw_policy *policy, uint32_t epoch,
	struct tw_diags *diags);

/* Sets the leases of a vNIC's port to the addresses that the policy lists as learned. They are
 * known, and have no expiry unless DHCP gave them in this scene. */
void tw_scene_know(const struct tw_vnic *vnic, struct tw_leases *leases);

/* Judgement of one frame at the ends that are here: out at `from` (NULL: unprotected) and, if it
 * passed and there is a `to`, in at `to`, with the token that the first end left for the second. */
struct tw_scene_result {
	bool has_end[TW_DIR__MAX];
	struct tw_native_result end[TW_DIR__MAX];
};

void tw_scene_run(struct tw_native *native, const struct tw_vnic *from, const struct tw_vnic *to,
	uint64_t now_ns, struct tw_native_frame *frame, struct tw_scene_result *ret);
