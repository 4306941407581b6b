/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* target.h: the one face of all fast paths that tests can drive.
 *
 * What:       native (path.h in user space), kernel (the same through BPF_PROG_TEST_RUN), and pair,
 *             which drives both and fails where they differ in any bit of an outcome.
 * Ports:      as in sim/scene.h, the same numbers in every target.
 * Callers:    one thread per target.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "fastpath/abi/fragment.h"
#include "fastpath/native/native.h"
#include "policy/policy.h"

#define TW_TARGET_PORTS_MAX 32 /* ports in one scene, so many interfaces exist for the kernel */
#define TW_TARGET_FRAME_MAX (TW_TARGET_HEADROOM + 70000)
#define TW_TARGET_HEADROOM  1600 /* room for refusals longer than the frame */

struct tw_target;

typedef void tw_conn_fn(void *arg, const struct tw_key *key, const struct tw_conn *conn);

struct tw_target_ops {
	const char *name;
	void (*free)(struct tw_target *target);
	/* Back to an empty host with room for `max_conns` connections (0: the default). */
	int (*reset)(struct tw_target *target, uint32_t max_conns, struct tw_err *err);
	/* Forgets connections and fragments, keeps the rest. */
	void (*forget)(struct tw_target *target);
	/* Sets up every vNIC in `epoch` and makes it the one in force. */
	int (*load)(struct tw_target *target, const struct tw_policy *policy, uint32_t epoch,
		struct tw_err *err);
	/* 0; -E2BIG when this target cannot be given such a frame. */
	int (*run)(struct tw_target *target, uint32_t ifindex, enum tw_dir dir, uint64_t now_ns,
		struct tw_native_frame *frame, struct tw_native_result *ret, struct tw_err *err);
	/* Takes what the last run sent on out of the `n`th place where a port holds fragments; false
	 * when that is nothing. */
	bool (*take_sent)(
		struct tw_target *target, uint32_t port_id, uint32_t n, struct tw_fragq *ret);
	int (*get_port)(
		struct tw_target *target, uint32_t ifindex, uint32_t epoch, struct tw_port *ret);
	/* `port` NULL removes the entry. */
	int (*set_port)(struct tw_target *target, uint32_t ifindex, uint32_t epoch,
		const struct tw_port *port);
	/* Vouches for a MAC, for cut-through. */
	int (*add_local)(struct tw_target *target, const struct tw_local_key *key,
		const struct tw_local *local);
	/* Lists a workload's MAC in `macs`. */
	int (*add_mac)(struct tw_target *target, const uint8_t mac[6]);
	/* What DHCP gave to the port with this id. */
	int (*get_leases)(struct tw_target *target, uint32_t id, struct tw_leases *ret);
	int (*get_config)(struct tw_target *target, struct tw_config *ret);
	int (*set_config)(struct tw_target *target, const struct tw_config *config);
	int (*each_conn)(struct tw_target *target, tw_conn_fn *each, void *arg);
	int (*rule_count)(struct tw_target *target, uint32_t slot, struct tw_rule_count *ret);
	uint64_t (*reason_count)(struct tw_target *target, enum tw_reason reason, enum tw_dir dir);
};

struct tw_target {
	const struct tw_target_ops *ops;
	bool can_tag_outside; /* VLAN tags outside the frame */
};

static inline void tw_target_free(struct tw_target *target)
{
	if (target)
		target->ops->free(target);
}
TW_DEFINE_AUTO(tw_target)

/* Settings that every target starts with, so that outcomes can be compared bit by bit. */
void tw_target_settings(struct tw_config *config);

int tw_target_native(struct tw_target **ret, struct tw_err *err);
/* The native path where every frame takes the full path (path/express/express.h). */
int tw_target_full_path(struct tw_target **ret, struct tw_err *err);
/* The kernel's, in the current network namespace, where interfaces with the numbers of
 * scene.h exist already (netns.h). -EPERM or -EOPNOTSUPP: cannot be had here. */
int tw_target_kernel(struct tw_target **ret, struct tw_err *err);
/* … and the same where images are read by lookup, as before Linux 6.2. */
int tw_target_by_lookup(struct tw_target **ret, struct tw_err *err);
/* Drives `a`, then `b`; takes both over, also on failure. Results are those of `a`. */
int tw_target_pair(struct tw_target *a, struct tw_target *b, struct tw_target **ret);

/* Says in words how two outcomes differ; false when they do not. */
bool tw_outcome_differs(
	const struct tw_native_result *a, const struct tw_native_result *b, struct tw_buf *out);
void tw_outcome_print(const struct tw_native_result *result, struct tw_buf *out);
