/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* target.h: the common interface to all fast paths under test.
 *
 * What:       native (path.h in user space), kernel (the same through BPF_PROG_TEST_RUN), and pair,
 *             which runs both and fails if any field of an outcome differs.
 * Ports:      as in sim/scene.h, with the same numbers in every target.
 * Callers:    one thread per target.
 */
#pragma once

#include "base/cleanup.h"
#include "base/err.h"
#include "fastpath/abi/fragment.h"
#include "fastpath/native/native.h"
#include "policy/policy.h"

#define TW_TARGET_PORTS_MAX 32 /* ports in one scene, and interfaces for the kernel */
#define TW_TARGET_FRAME_MAX (TW_TARGET_HEADROOM + 70000)
#define TW_TARGET_HEADROOM  1600 /* space for refusals longer than the frame */

struct tw_target;

typedef void tw_conn_fn(void *arg, const struct tw_key *key, const struct tw_conn *conn);

struct tw_target_ops {
	const char *name;
	void (*free)(struct tw_target *target);
	/* Resets to an empty host whose table holds `max_conns` connections (0: the default). */
	int (*reset)(struct tw_target *target, uint32_t max_conns, struct tw_err *err);
	/* Removes all connections and fragments, and keeps the rest. */
	void (*forget)(struct tw_target *target);
	/* Sets up every vNIC in `epoch`, and puts the epoch in force. */
	int (*load)(struct tw_target *target, const struct tw_policy *policy, uint32_t epoch,
		struct tw_err *err);
	/* Judges a frame at a port. 0; -E2BIG if this target does not accept such a frame. */
	int (*run)(struct tw_target *target, uint32_t ifindex, enum tw_dir dir, uint64_t now_ns,
		struct tw_native_frame *frame, struct tw_native_result *ret, struct tw_err *err);
	/* Takes the fragments that the last run released from the `n`th fragment queue; false if
	 * there are none. */
	bool (*take_sent)(
		struct tw_target *target, uint32_t port_id, uint32_t n, struct tw_fragq *ret);
	int (*get_port)(
		struct tw_target *target, uint32_t ifindex, uint32_t epoch, struct tw_port *ret);
	/* `port` NULL removes the entry. */
	int (*set_port)(struct tw_target *target, uint32_t ifindex, uint32_t epoch,
		const struct tw_port *port);
	/* Confirms that a MAC is behind a port, for cut-through. */
	int (*add_local)(struct tw_target *target, const struct tw_local_key *key,
		const struct tw_local *local);
	/* Lists a workload's MAC in `macs`. */
	int (*add_mac)(struct tw_target *target, const uint8_t mac[6]);
	/* Reads the DHCP leases of the port with this id. */
	int (*get_leases)(struct tw_target *target, uint32_t id, struct tw_leases *ret);
	int (*get_config)(struct tw_target *target, struct tw_config *ret);
	int (*set_config)(struct tw_target *target, const struct tw_config *config);
	int (*each_conn)(struct tw_target *target, tw_conn_fn *each, void *arg);
	int (*rule_count)(struct tw_target *target, uint32_t slot, struct tw_rule_count *ret);
	/* Answers a rule's open questions, as the agent does; `scope`: what an answer applies to. Returns the number
	 * of questions, or a negative errno. */
	int (*answer)(struct tw_target *target, uint32_t rule, enum tw_verdict verdict,
		enum tw_ask_scope scope, const struct tw_answer *limits);
	uint64_t (*reason_count)(struct tw_target *target, enum tw_reason reason, enum tw_dir dir);
};

struct tw_target {
	const struct tw_target_ops *ops;
	bool can_tag_outside; /* supports VLAN tags outside the frame */
};

static inline void tw_target_free(struct tw_target *target)
{
	if (target)
		target->ops->free(target);
}
TW_DEFINE_AUTO(tw_target)

/* Makes the entry that answers the question in `entry`, and changes `key` to the key of the answer. False, without a
 * change, if `entry` is not an open question of the rule. */
bool tw_target_answers(struct tw_ask_key *key, const struct tw_answer *entry, uint32_t rule,
	enum tw_verdict verdict, enum tw_ask_scope scope, const struct tw_answer *limits,
	struct tw_answer *ret);

/* Stores the initial settings, which are equal for all targets, so that outcomes can be compared
 * exactly. */
void tw_target_settings(struct tw_config *config);

int tw_target_native(struct tw_target **ret, struct tw_err *err);
/* Creates a native target where every frame takes the full path (path/express/express.h). */
int tw_target_full_path(struct tw_target **ret, struct tw_err *err);
/* Creates a target for the kernel in the current network namespace, which must already have the
 * interfaces of scene.h (netns.h). -EPERM or -EOPNOTSUPP: not available on this host. */
int tw_target_kernel(struct tw_target **ret, struct tw_err *err);
/* Like tw_target_kernel(), but reads images by lookup, as on kernels before 6.2. */
int tw_target_by_lookup(struct tw_target **ret, struct tw_err *err);
/* Creates a pair that runs `a`, then `b`, and returns the results of `a`. Takes ownership of both,
 * also on failure. */
int tw_target_pair(struct tw_target *a, struct tw_target *b, struct tw_target **ret);

/* Describes how two outcomes differ; false if they do not. */
bool tw_outcome_differs(
	const struct tw_native_result *a, const struct tw_native_result *b, struct tw_buf *out);
void tw_outcome_print(const struct tw_native_result *result, struct tw_buf *out);
