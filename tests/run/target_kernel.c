/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/kernel/conns.h"
#include "fastpath/kernel/counts.h"
#include "fastpath/kernel/load.h"
#include "sim/scene.h"
#include "tests/run/target.h"

#define MAX_CONNS  65536
#define TABLES_MAX 4 /* handles with different table sizes */
#define REDIRECTED 7 /* TC_ACT_REDIRECT */

/* Loading takes long, so a handle is kept for every table size that a case used. */
struct kernel {
	struct tw_target target;
	struct tw_kernel *open[TABLES_MAX];
	uint32_t max_conns[TABLES_MAX];
	bool by_lookup;
	struct tw_kernel *kernel; /* the handle in use */
	struct tw_config config;  /* as written last */
	uint32_t n_rules;	  /* rule slots with counters that may not be 0 */
	int n_cpus;
};

static struct kernel *kernel_of(struct tw_target *target)
{
	return (struct kernel *)target;
}

static void kernel_free(struct tw_target *target)
{
	struct kernel *k = kernel_of(target);

	for (int i = 0; i < TABLES_MAX; i++)
		tw_kernel_close(k->open[i]);
	free(k);
}

static int open_table(struct kernel *k, uint32_t max_conns, struct tw_err *err)
{
	const struct tw_kernel_options options = {
		.max_conns = max_conns, .test = true, .by_lookup = k->by_lookup};
	int failed;

	for (int i = 0; i < TABLES_MAX; i++) {
		if (k->open[i] && k->max_conns[i] != max_conns)
			continue;
		if (!k->open[i]) {
			failed = tw_kernel_open(&options, &k->open[i], err);
			if (failed)
				return failed;
			k->max_conns[i] = max_conns;
		}
		k->kernel = k->open[i];
		return 0;
	}
	return tw_err_set(err, -ENOSPC, NULL, NULL, "too many table sizes");
}

static void clear_hash(const struct kernel *k, enum tw_map map)
{
	int fd = tw_kernel_map_fd(k->kernel, map);
	uint8_t key[64];

	while (!bpf_map_get_next_key(fd, NULL, key) && !bpf_map_delete_elem(fd, key))
		;
}

static int clear_array(
	const struct kernel *k, enum tw_map map, uint32_t n, size_t value_size, bool percpu)
{
	int fd = tw_kernel_map_fd(k->kernel, map);
	tw_autofree void *zero = tw_alloc_array(
		percpu ? (size_t)k->n_cpus : 1, (value_size + 7) & ~7ul);

	if (!zero)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(fd, &i, zero, BPF_ANY))
			return -errno;
	return 0;
}

static int remove_port(void *arg, uint32_t ifindex, uint32_t epoch, const struct tw_port *port)
{
	return tw_kernel_set_port(arg, ifindex, epoch, NULL);
}

static void kernel_forget(struct tw_target *target)
{
	const struct kernel *k = kernel_of(target);

	struct tw_conns conns;

	if (!tw_conns_open(&conns, k->kernel)) {
		tw_conns_clear(&conns);
		tw_conns_close(&conns);
	}
	clear_hash(k, TW_MAP_overflows);
	clear_hash(k, TW_MAP_overflow_few);
	clear_hash(k, TW_MAP_frags);
	clear_hash(k, TW_MAP_fragqs);
}

/* A frame that enters invalidates the redirect token of the previous one. */
static void forget_token(const struct kernel *k)
{
	struct tw_beside beside = {0};
	struct tw_outcome outcome;
	uint8_t frame[64] = {0};
	size_t len = sizeof(frame);
	uint32_t ns;
	int code;

	tw_kernel_test_run(k->kernel, TW_DIR_OUT, tw_scene_ifindex(0), frame, &len, sizeof(frame),
		0, &beside, 1, &code, &ns, &outcome);
}

static int kernel_reset(struct tw_target *target, uint32_t max_conns, struct tw_err *err)
{
	struct kernel *k = kernel_of(target);
	int failed = open_table(k, max_conns ? max_conns : MAX_CONNS, err);

	if (failed)
		return failed;
	tw_kernel_each_port(k->kernel, remove_port, k->kernel);
	clear_hash(k, TW_MAP_addrs);
	clear_hash(k, TW_MAP_grants);
	clear_hash(k, TW_MAP_macs);
	clear_hash(k, TW_MAP_locals);
	clear_hash(k, TW_MAP_answers);
	forget_token(k);
	kernel_forget(target);
	for (uint32_t slot = 0; slot < k->n_rules; slot++)
		tw_counts_clear_rule(k->kernel, slot);
	if (clear_array(k, TW_MAP_reasons, TW_REASON_COUNTERS, sizeof(uint64_t), true) ||
		clear_array(k, TW_MAP_limiters, TW_TARGET_PORTS_MAX + 1, sizeof(struct tw_limiter),
			false) ||
		clear_array(
			k, TW_MAP_usage, TW_TARGET_PORTS_MAX + 1, sizeof(struct tw_usage), false) ||
		clear_array(k, TW_MAP_askers, TW_TARGET_PORTS_MAX + 1, sizeof(struct tw_asker),
			false) ||
		clear_array(k, TW_MAP_gc, 1, sizeof(struct tw_gc), false) ||
		clear_array(k, TW_MAP_leases, TW_TARGET_PORTS_MAX + 1, sizeof(struct tw_leases),
			false) ||
		clear_array(k, TW_MAP_claims, TW_TARGET_PORTS_MAX + 1, sizeof(struct tw_claims),
			false) ||
		clear_array(k, TW_MAP_strangers, TW_STRANGER_SETS, sizeof(struct tw_strangers),
			false) ||
		clear_array(k, TW_MAP_port_counts, TW_TARGET_PORTS_MAX + 1,
			sizeof(struct tw_port_count), true) ||
		tw_kernel_get_config(k->kernel, &k->config))
		return tw_err_set(err, -EIO, NULL, NULL, "the maps cannot be emptied");
	tw_target_settings(&k->config);
	k->config.epoch = 1;
	if (tw_kernel_set_config(k->kernel, &k->config))
		return tw_err_set(err, -EIO, NULL, NULL, "the settings cannot be written");
	return 0;
}

static int load_leases(const struct kernel *k, const struct tw_vnic *vnic, uint32_t id)
{
	int fd = tw_kernel_map_fd(k->kernel, TW_MAP_leases);
	struct tw_leases leases;

	if (!tw_vnic_learns(vnic))
		return 0;
	if (bpf_map_lookup_elem(fd, &id, &leases))
		return -errno;
	tw_scene_know(vnic, &leases);
	return bpf_map_update_elem(fd, &id, &leases, BPF_ANY) ? -errno : 0;
}

static int load_vnic(struct kernel *k, const struct tw_policy *policy, size_t i, uint32_t epoch,
	struct tw_err *err)
{
	const struct tw_vnic *vnic = tw_policy_vnic(policy, i);
	tw_auto(tw_image) struct tw_image *image = NULL;
	struct tw_diags diags = {0};
	struct tw_port port = {0};
	uint32_t slot = (uint32_t)(1 + i + (epoch & 1) * tw_policy_n_vnics(policy));
	int failed = tw_policy_compile(policy, vnic, NULL, &image, &diags);

	tw_diags_done(&diags);
	if (failed)
		return tw_err_set(err, failed, NULL, NULL, "a port's policy cannot be compiled");
	failed = tw_kernel_put_image(k->kernel, slot, image->words, image->n_words, err);
	if (failed)
		return failed;
	tw_policy_fill_port(vnic, &port);
	port.id = (__u16)(1 + i);
	port.network = TW_SCENE_NETWORK;
	port.image = slot;
	if (port.flags & TW_PORT_F_MORE) {
		for (size_t n = 0; !failed && n < tw_vnic_n_given(vnic); n++)
			failed = tw_kernel_add_addr(k->kernel, tw_addr_zone(port.id, epoch),
				&vnic->prefixes[n].addr, vnic->prefixes[n].len,
				tw_vnic_addr_kind(vnic, n));
	}
	if (!failed && vnic->grants)
		failed = tw_kernel_put_grants(k->kernel, port.id, epoch, vnic->grants);
	if (!failed)
		failed = load_leases(k, vnic, port.id);
	if (!failed)
		failed = tw_kernel_set_port(k->kernel, tw_scene_ifindex(i), epoch, &port);
	return failed ? tw_err_set(err, failed, NULL, NULL, "a port cannot be written") : 0;
}

/* Removes all addresses from groups in this epoch. */
static int leave_groups(struct kernel *k, uint32_t epoch)
{
	int fd = tw_kernel_map_fd(k->kernel, TW_MAP_members), failed = 0;
	bool more;
	struct tw_addr addr, next;

	more = !bpf_map_get_next_key(fd, NULL, &next);
	while (more && !failed) {
		struct tw_membership membership;

		addr = next;
		more = !bpf_map_get_next_key(fd, &addr, &next);
		failed = bpf_map_lookup_elem(fd, &addr, &membership) ? -errno : 0;
		membership.in[epoch & 1] = (struct tw_group_set){{0}};
		if (!failed)
			failed = tw_kernel_put_member(k->kernel, &addr, &membership);
	}
	return failed;
}

static int load_members(struct kernel *k, const struct tw_members *members, uint32_t epoch)
{
	int fd = tw_kernel_map_fd(k->kernel, TW_MAP_members), failed = leave_groups(k, epoch);

	tw_vec_foreach (&members->all, member) {
		struct tw_membership now = {0};

		bpf_map_lookup_elem(fd, &member->addr, &now);
		now.in[epoch & 1] = member->in;
		if (!failed)
			failed = tw_kernel_put_member(k->kernel, &member->addr, &now);
	}
	return failed;
}

static int load_groups(
	struct kernel *k, const struct tw_policy *policy, uint32_t epoch, struct tw_err *err)
{
	struct tw_members members = {0};
	int failed = tw_policy_members(policy, &members);

	if (!failed)
		failed = load_members(k, &members, epoch);
	tw_members_done(&members);
	return failed ? tw_err_set(err, failed, NULL, NULL, "its groups cannot be written") : 0;
}

struct reserving {
	struct tw_kernel *kernel;
	uint32_t zone;
};

static int reserve_addr(void *arg, const struct tw_addr *addr)
{
	const struct reserving *reserving = arg;

	return tw_kernel_add_addr(reserving->kernel, reserving->zone, addr, 128, TW_ADDR_OWN);
}

static int load_reserved(struct kernel *k, const struct tw_policy *policy, uint32_t epoch)
{
	struct reserving reserving = {k->kernel, tw_addr_zone(0, epoch)};
	int failed = tw_kernel_clear_addrs(k->kernel, reserving.zone);

	return failed ? failed : tw_policy_each_reserved(policy, reserve_addr, &reserving);
}

static int kernel_load(struct tw_target *target, const struct tw_policy *policy, uint32_t epoch,
	struct tw_err *err)
{
	struct kernel *k = kernel_of(target);
	uint32_t n_rules = (uint32_t)tw_policy_n_rules(policy) + 1;
	int failed;

	for (uint32_t i = 0; i < TW_TARGET_PORTS_MAX; i++) {
		tw_kernel_set_port(k->kernel, tw_scene_ifindex(i), epoch, NULL);
		tw_kernel_clear_addrs(k->kernel, tw_addr_zone(i + 1, epoch));
	}
	for (size_t i = 0; i < tw_policy_n_vnics(policy); i++) {
		failed = load_vnic(k, policy, i, epoch, err);
		if (failed)
			return failed;
	}
	if (n_rules > k->n_rules)
		k->n_rules = n_rules;
	failed = load_groups(k, policy, epoch, err);
	if (failed)
		return failed;
	failed = load_reserved(k, policy, epoch);
	if (!failed)
		failed = tw_kernel_flip(k->kernel, epoch);
	if (!failed)
		failed = tw_kernel_get_config(k->kernel, &k->config);
	tw_policy_fill_config(policy, &k->config);
	if (!failed)
		failed = tw_kernel_set_config(k->kernel, &k->config);
	return failed ? tw_err_set(err, failed, NULL, NULL, "the policy cannot be put in force")
		      : 0;
}

static int kernel_run(struct tw_target *target, uint32_t ifindex, enum tw_dir dir, uint64_t now_ns,
	struct tw_native_frame *frame, struct tw_native_result *ret, struct tw_err *err)
{
	struct kernel *k = kernel_of(target);
	size_t len = frame->len;
	uint32_t ns;
	int code = 0, failed;

	if (k->config.now_ns != now_ns ||
		memcmp(&k->config.offload, &frame->offload, sizeof(frame->offload))) {
		k->config.now_ns = now_ns;
		k->config.offload = frame->offload;
		failed = tw_kernel_set_config(k->kernel, &k->config);
		if (failed)
			return tw_err_set(err, failed, NULL, NULL, "the clock cannot be set");
	}
	failed = tw_kernel_test_run(k->kernel, dir, ifindex, frame->data, &len, frame->max,
		frame->gso_size, &frame->beside, 1, &code, &ns, &ret->outcome);
	if (failed == -EINVAL) /* too short, too long, or IP with a truncated header */
		return -E2BIG;
	if (failed)
		return tw_err_set(
			err, failed, NULL, NULL, "BPF_PROG_TEST_RUN: %s", strerror(-failed));
	ret->replied = code == REDIRECTED && ret->outcome.verdict == TW_V_REJECT;
	/* The test run reports that the frame was redirected, but not to which port. */
	ret->cut_ifindex = code == REDIRECTED && !ret->replied;
	ret->reply_len = ret->replied ? len : 0;
	return 0;
}

static bool kernel_take_sent(
	struct tw_target *target, uint32_t port_id, uint32_t n, struct tw_fragq *ret)
{
	int fd = tw_kernel_map_fd(kernel_of(target)->kernel, TW_MAP_fragqs);
	uint32_t key = tw_fragq_key(port_id, n);

	if (bpf_map_lookup_elem(fd, &key, ret) || ret->state != TW_FRAGQ_SENT)
		return false;
	ret->state = TW_FRAGQ_FREE;
	return !bpf_map_update_elem(fd, &key, ret, BPF_ANY);
}

static int kernel_get_port(
	struct tw_target *target, uint32_t ifindex, uint32_t epoch, struct tw_port *ret)
{
	return tw_kernel_get_port(kernel_of(target)->kernel, ifindex, epoch, ret);
}

static int kernel_set_port(
	struct tw_target *target, uint32_t ifindex, uint32_t epoch, const struct tw_port *port)
{
	return tw_kernel_set_port(kernel_of(target)->kernel, ifindex, epoch, port);
}

static int kernel_get_leases(struct tw_target *target, uint32_t id, struct tw_leases *ret)
{
	int fd = tw_kernel_map_fd(kernel_of(target)->kernel, TW_MAP_leases);

	return bpf_map_lookup_elem(fd, &id, ret) ? -errno : 0;
}

static int kernel_add_local(
	struct tw_target *target, const struct tw_local_key *key, const struct tw_local *local)
{
	int fd = tw_kernel_map_fd(kernel_of(target)->kernel, TW_MAP_locals);

	return bpf_map_update_elem(fd, key, local, BPF_ANY) ? -errno : 0;
}

static int kernel_add_mac(struct tw_target *target, const uint8_t mac[6])
{
	int fd = tw_kernel_map_fd(kernel_of(target)->kernel, TW_MAP_macs);
	const uint32_t value = TW_MAC_FOUND;
	struct tw_mac_key key = {0};

	memcpy(key.mac, mac, sizeof(key.mac));
	return bpf_map_update_elem(fd, &key, &value, BPF_ANY) ? -errno : 0;
}

static int kernel_get_config(struct tw_target *target, struct tw_config *ret)
{
	*ret = kernel_of(target)->config;
	return 0;
}

static int kernel_set_config(struct tw_target *target, const struct tw_config *config)
{
	struct kernel *k = kernel_of(target);

	k->config = *config;
	return tw_kernel_set_config(k->kernel, config);
}

static int kernel_each_conn(struct tw_target *target, tw_conn_fn *each, void *arg)
{
	struct tw_conns conns;
	int failed = tw_conns_open(&conns, kernel_of(target)->kernel);

	if (failed)
		return failed;
	for (uint32_t bucket = 0; bucket < conns.n_buckets; bucket++) {
		struct tw_key keys[TW_BUCKET_SLOTS];
		struct tw_conn records[TW_BUCKET_SLOTS];
		size_t n = tw_conns_read(&conns, bucket, keys, records);

		for (size_t i = 0; i < n; i++)
			each(arg, &keys[i], &records[i]);
	}
	tw_conns_close(&conns);
	return 0;
}

static int kernel_rule_count(struct tw_target *target, uint32_t slot, struct tw_rule_count *ret)
{
	*ret = tw_counts_rule(kernel_of(target)->kernel, slot);
	return 0;
}

static uint64_t kernel_reason_count(
	struct tw_target *target, enum tw_reason reason, enum tw_dir dir)
{
	const struct kernel *k = kernel_of(target);
	tw_autofree uint64_t *counts = tw_alloc_array((size_t)k->n_cpus, sizeof(*counts));
	uint32_t index = tw_reason_index(reason, dir);
	uint64_t n = 0;

	if (!counts ||
		bpf_map_lookup_elem(tw_kernel_map_fd(k->kernel, TW_MAP_reasons), &index, counts))
		return UINT64_MAX;
	for (int i = 0; i < k->n_cpus; i++)
		n += counts[i];
	return n;
}

static int kernel_answer(struct tw_target *target, uint32_t rule, enum tw_verdict verdict,
	enum tw_ask_scope scope, const struct tw_answer *limits)
{
	int fd = tw_kernel_map_fd(kernel_of(target)->kernel, TW_MAP_answers), n = 0;
	struct tw_ask_key key, next, about;
	struct tw_answer entry, answer;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);

	while (more) {
		key = about = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (bpf_map_lookup_elem(fd, &key, &entry) ||
			!tw_target_answers(&about, &entry, rule, verdict, scope, limits, &answer))
			continue;
		bpf_map_delete_elem(fd, &key);
		if (bpf_map_update_elem(fd, &about, &answer, BPF_ANY))
			return -errno;
		n++;
	}
	return n;
}

static const struct tw_target_ops kernel_ops = {
	.name = "kernel",
	.free = kernel_free,
	.reset = kernel_reset,
	.forget = kernel_forget,
	.load = kernel_load,
	.run = kernel_run,
	.take_sent = kernel_take_sent,
	.get_port = kernel_get_port,
	.set_port = kernel_set_port,
	.add_local = kernel_add_local,
	.add_mac = kernel_add_mac,
	.get_leases = kernel_get_leases,
	.get_config = kernel_get_config,
	.set_config = kernel_set_config,
	.each_conn = kernel_each_conn,
	.rule_count = kernel_rule_count,
	.answer = kernel_answer,
	.reason_count = kernel_reason_count,
};

/* Pins the thread to its CPU: one program passes data to the next in per-CPU memory. */
static void stay_on_this_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int target_new(bool by_lookup, struct tw_target **ret, struct tw_err *err)
{
	struct kernel *k = tw_alloc(sizeof(*k));
	int failed;

	if (!k)
		return tw_err_set(err, -ENOMEM, NULL, NULL, "no memory");
	stay_on_this_cpu();
	k->target.ops = &kernel_ops;
	k->by_lookup = by_lookup;
	k->n_cpus = libbpf_num_possible_cpus();
	failed = k->n_cpus > 0 ? kernel_reset(&k->target, 0, err)
			       : tw_err_set(err, -EIO, NULL, NULL, "the CPUs cannot be counted");
	if (failed) {
		kernel_free(&k->target);
		return failed;
	}
	*ret = &k->target;
	return 0;
}

int tw_target_kernel(struct tw_target **ret, struct tw_err *err)
{
	return target_new(false, ret, err);
}

int tw_target_by_lookup(struct tw_target **ret, struct tw_err *err)
{
	return target_new(true, ret, err);
}
