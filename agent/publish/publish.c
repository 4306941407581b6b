/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/publish.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/ports/bind.h"
#include "agent/publish/plan.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "fastpath/abi/names.h"
#include "policy/diag.h"

#define STORE_RETRY_NS 1000000000u

static int map_fd(const struct tw_agent *agent, enum tw_map map)
{
	return tw_kernel_map_fd(agent->kernel, map);
}

/* ---- entries ---- */

static int write_prefixes(struct tw_agent *agent, const struct tw_plan_row *row, uint32_t epoch)
{
	uint32_t zone = tw_addr_zone(row->entry.id, epoch);
	int ret;

	if (!row->prefixes)
		return 0;
	ret = tw_kernel_clear_addrs(agent->kernel, zone);
	for (size_t i = 0; !ret && i < tw_vnic_n_given(row->vnic); i++)
		ret = tw_kernel_add_addr(agent->kernel, zone, &row->vnic->prefixes[i].addr,
			row->vnic->prefixes[i].len);
	return ret;
}

struct reserving {
	struct tw_kernel *kernel;
	uint32_t zone;
};

static int reserve_addr(void *arg, const struct tw_addr *addr)
{
	const struct reserving *reserving = arg;

	return tw_kernel_add_addr(reserving->kernel, reserving->zone, addr, 128);
}

/* Writes the link-local addresses that no guest may claim. */
static int write_reserved(
	struct tw_agent *agent, const struct tw_policy *policy, uint32_t epoch, struct tw_err *err)
{
	struct reserving reserving = {agent->kernel, tw_addr_zone(0, epoch)};
	int ret = tw_kernel_clear_addrs(agent->kernel, reserving.zone);

	if (!ret)
		ret = tw_policy_each_reserved(policy, reserve_addr, &reserving);
	return ret < 0 ? tw_err_set(err, ret, "addrs", NULL, "cannot write reserved addresses: %s",
				 strerror(-ret))
		       : 0;
}

/* Whether the other epoch has this very entry. */
static bool has_twin(const struct tw_plan_row *row, uint32_t epoch)
{
	const struct tw_agent_port *port = row->port;
	uint32_t other = (epoch + 1) & 1;

	return port->has_entry[other] &&
	       !memcmp(&port->entry[other], &row->entry, sizeof(row->entry));
}

static int write_row(struct tw_agent *agent, const struct tw_plan_row *row, uint32_t epoch)
{
	struct tw_agent_port *port = row->port;
	int ret = write_prefixes(agent, row, epoch);

	if (!ret)
		ret = has_twin(row, epoch)
			      ? tw_kernel_share_port(agent->kernel, port->ifindex, epoch)
			      : tw_kernel_set_port(
					agent->kernel, port->ifindex, epoch, &row->entry);
	if (ret < 0)
		return ret;
	port->entry[epoch & 1] = row->entry;
	port->has_entry[epoch & 1] = true;
	return 0;
}

static void remove_entry(struct tw_agent *agent, struct tw_agent_port *port, uint32_t epoch)
{
	const struct tw_port *entry = &port->entry[epoch & 1];

	if (!port->has_entry[epoch & 1])
		return;
	tw_kernel_set_port(agent->kernel, port->ifindex, epoch, NULL);
	if (entry->flags & TW_PORT_F_MORE)
		tw_kernel_clear_addrs(agent->kernel, tw_addr_zone(entry->id, epoch));
	port->has_entry[epoch & 1] = false;
}

/* Drops the images that no entry of either epoch uses. */
static void collect_images(struct tw_agent *agent)
{
	tw_images_unmark(&agent->images);
	tw_vec_foreach (&agent->ports.list, port)
		for (uint32_t i = 0; i < 2; i++)
			if ((*port)->has_entry[i])
				tw_images_mark(&agent->images, (*port)->entry[i].image);
	tw_vec_foreach (&agent->adopted, adopted)
		tw_images_mark(&agent->images, adopted->entry.image);
	tw_images_collect(&agent->images);
	if (!agent->inforce)
		return;
	for (size_t i = 0; i < tw_policy_n_vnics(agent->inforce->policy); i++)
		if (!agent->images.slots[agent->inforce->images[i]].used)
			agent->inforce->images[i] = 0;
}

static void clear_other_epoch(struct tw_agent *agent)
{
	tw_vec_foreach (&agent->ports.list, port)
		remove_entry(agent, *port, agent->epoch + 1);
	agent->flipped_ns = 0;
	collect_images(agent);
}

/* ---- what an earlier agent left ---- */

static int adopt_entry(void *arg, uint32_t ifindex, uint32_t epoch, const struct tw_port *entry)
{
	const struct tw_adopted adopted = {.ifindex = ifindex, .entry = *entry};
	struct tw_agent *agent = arg;
	struct tw_port met;

	if (tw_kernel_get_port(agent->kernel, ifindex, epoch, &met) < 0 || met.id != entry->id)
		return tw_kernel_drop_stray(agent->kernel, entry->id, epoch);
	if ((epoch & 1) == (agent->epoch & 1)) {
		if (entry->image)
			tw_images_adopt(&agent->images, entry->image,
				&(struct tw_image_key){{entry->image_key[0], entry->image_key[1]}});
		tw_ports_reserve(&agent->ports, entry->id);
		return tw_vec_push(&agent->adopted, adopted);
	}
	if (entry->flags & TW_PORT_F_MORE)
		tw_kernel_clear_addrs(agent->kernel, tw_addr_zone(entry->id, epoch));
	return tw_kernel_set_port(agent->kernel, ifindex, epoch, NULL);
}

/* Sums up what `addrs` holds for each adopted port, so that it need not be written anew. */
static void adopt_prefixes(struct tw_agent *agent)
{
	int fd = map_fd(agent, TW_MAP_addrs);
	struct tw_addr_key key, *previous = NULL;

	for (; !bpf_map_get_next_key(fd, previous, &key); previous = &key) {
		uint32_t zone = ntohl(key.zone);

		tw_vec_foreach (&agent->adopted, adopted)
			if (zone == tw_addr_zone(adopted->entry.id, agent->epoch))
				adopted->prefixes += tw_plan_hash_prefix(
					&key.addr, key.prefixlen - 32);
		if (zone == tw_addr_zone(0, agent->epoch))
			agent->reserved += tw_plan_hash_prefix(&key.addr, key.prefixlen - 32);
	}
}

int tw_publish_adopt(struct tw_agent *agent, struct tw_err *err)
{
	struct tw_config config;
	int ret = tw_kernel_get_config(agent->kernel, &config);

	if (ret < 0)
		return tw_err_set(err, ret, "config", NULL, "cannot read the map");
	agent->epoch = config.epoch;
	tw_store_set_mark(agent->store, config.mark);
	agent->text_mark = config.policy_text[config.epoch & 1];
	tw_store_recover(agent->store, config.epoch, agent->text_mark);
	tw_saved_read_images(agent->store, &agent->images);
	ret = tw_kernel_each_port(agent->kernel, adopt_entry, agent);
	if (!ret)
		ret = tw_memberships_adopt(&agent->memberships);
	if (!ret)
		ret = tw_macs_adopt(agent);
	adopt_prefixes(agent);
	return ret < 0 ? tw_err_set(err, ret, "ports", NULL, "cannot adopt what is in force") : 0;
}

/* What is written for an interface that is gone, or is no port any more. */
static void drop_adopted(struct tw_agent *agent, const struct tw_adopted *adopted)
{
	tw_kernel_set_port(agent->kernel, adopted->ifindex, agent->epoch, NULL);
	if (adopted->entry.flags & TW_PORT_F_MORE)
		tw_kernel_clear_addrs(agent->kernel, tw_addr_zone(adopted->entry.id, agent->epoch));
	tw_ports_unreserve(&agent->ports, adopted->entry.id);
}

bool tw_publish_take_adopted(struct tw_agent *agent, uint32_t ifindex, struct tw_adopted *ret)
{
	tw_vec_foreach (&agent->adopted, adopted) {
		if (adopted->ifindex != ifindex)
			continue;
		*ret = *adopted;
		*adopted = agent->adopted.at[--agent->adopted.n];
		if (tw_kernel_is_attached(agent->kernel, ifindex)) {
			tw_ports_unreserve(&agent->ports, ret->entry.id);
			return true;
		}
		drop_adopted(agent, ret);
		return false;
	}
	return false;
}

void tw_publish_forget_adopted(struct tw_agent *agent)
{
	tw_vec_foreach (&agent->adopted, adopted) {
		tw_kernel_detach(agent->kernel, adopted->ifindex, NULL);
		drop_adopted(agent, adopted);
		tw_gone_note_entry(agent, &adopted->entry);
	}
	tw_vec_done(&agent->adopted);
	collect_images(agent);
}

/* ---- carrying a plan out ---- */

static void settle_row(struct tw_agent *agent, const struct tw_plan_row *row)
{
	struct tw_agent_port *port = row->port;

	if (row->state == TW_PORT_PROTECTED)
		port->carried = false;
	tw_bind_tell(port, &row->binding, row->state, row->entry.flags & TW_PORT_F_OPEN);
	port->vnic = row->vnic;
	port->binding = row->binding;
	port->state = row->state;
	port->open = row->entry.flags & TW_PORT_F_OPEN;
	port->prefixes = row->prefixes;
	tw_bind_tell_resembling(agent->inforce, port);
}

/* The kernel now does what the plan said. */
static void settle(struct tw_agent *agent, const struct tw_plan *plan)
{
	tw_vec_foreach (&plan->rows, row)
		settle_row(agent, row);
	tw_locals_sync(agent);
	tw_uplinks_sync(agent);
	tw_residents_sync(agent);
	tw_captures_sync(agent->captures);
	tw_leases_know(agent);
	tw_macs_sync(agent, plan->taken);
}

static int set_config(struct tw_agent *agent, const struct tw_inforce *inforce)
{
	struct tw_config config, wanted;
	int ret = tw_kernel_get_config(agent->kernel, &config);

	if (ret < 0)
		return ret;
	wanted = config;
	tw_policy_fill_config(inforce->policy, &wanted);
	if (!memcmp(&wanted, &config, sizeof(config)))
		return 0;
	return tw_kernel_set_config(agent->kernel, &wanted);
}

/* Writes the changed rows where they are; each of them stands alone. */
static int commit_alone(struct tw_agent *agent, const struct tw_plan *plan, struct tw_err *err)
{
	tw_vec_foreach (&plan->rows, row) {
		int ret;

		if (!row->changed)
			continue;
		ret = write_row(agent, row, agent->epoch);
		if (ret < 0)
			return tw_err_set(err, ret, row->port->name, NULL,
				"cannot write its entry: %s", strerror(-ret));
	}
	return 0;
}

static int flip(struct tw_agent *agent, uint32_t epoch)
{
	struct tw_config config;
	int ret = tw_kernel_flip(agent->kernel, epoch);

	/* A failure behind the flip itself does not undo it. */
	if (ret < 0 && !tw_kernel_get_config(agent->kernel, &config) && config.epoch == epoch)
		ret = 0;
	return ret;
}

/* Writes all rows for the coming epoch and makes it the one in force. */
static int commit_flip(struct tw_agent *agent, const struct tw_plan *plan, struct tw_err *err)
{
	uint32_t epoch = agent->epoch + 1;
	int ret = 0;

	tw_vec_foreach (&agent->ports.list, port)
		remove_entry(agent, *port, epoch);
	ret = tw_memberships_write(&agent->memberships, plan->members, epoch, err);
	if (!ret)
		ret = write_reserved(agent, plan->policy, epoch, err);
	if (ret < 0)
		return ret;
	tw_vec_foreach (&plan->rows, row) {
		ret = write_row(agent, row, epoch);
		if (ret < 0)
			break;
	}
	if (!ret) {
		tw_kernel_set_text(agent->kernel, epoch, plan->mark);
		ret = flip(agent, epoch);
	}
	if (ret < 0) {
		tw_vec_foreach (&agent->ports.list, port)
			remove_entry(agent, *port, epoch);
		return tw_err_set(
			err, ret, "publish", NULL, "the kernel refused it: %s", strerror(-ret));
	}
	agent->epoch = epoch;
	agent->flipped_ns = tw_clock_ns();
	return 0;
}

static int commit(struct tw_agent *agent, const struct tw_plan *plan, struct tw_err *err)
{
	int ret;

	if (!plan->n_changed && !plan->regroup && !plan->rereserve)
		return 0;
	ret = tw_images_flush(&agent->images, err);
	/* Without a flip nobody was judged by groups yet. */
	if (!ret && !plan->flip)
		ret = tw_memberships_write(&agent->memberships, plan->members, agent->epoch, err);
	if (!ret && !plan->flip && plan->rereserve)
		ret = write_reserved(agent, plan->policy, agent->epoch, err);
	if (ret < 0)
		return ret;
	ret = plan->flip ? commit_flip(agent, plan, err) : commit_alone(agent, plan, err);
	if (!ret)
		agent->reserved = plan->reserved;
	tw_images_settle(&agent->images);
	return ret;
}

/* ---- the entrances ---- */

static int restore_leases(
	struct tw_agent *agent, const struct tw_inforce *inforce, struct tw_err *err)
{
	int ret = tw_kept_restore(agent, inforce);

	return ret < 0 ? tw_err_set(err, ret, "leases", NULL, "out of memory") : 0;
}

/* The same policy with what its guests have learned by now: *inforce as it is, or another one, which
 * takes its place there. */
static int relearn(struct tw_agent *agent, struct tw_inforce **inforce, struct tw_diags *diags,
	struct tw_err *err)
{
	tw_auto(tw_inforce) struct tw_inforce *old = NULL;
	struct tw_inforce *fresh = NULL;
	struct tw_learned_list now = {0};
	int ret = tw_leases_gather(agent, *inforce, &now);

	if (ret || tw_inforce_has_learned(*inforce, now.at, now.n)) {
		tw_vec_done(&now);
		return ret ? tw_err_set(err, ret, "leases", NULL, "out of memory") : 0;
	}
	ret = tw_inforce_learn(*inforce, now.at, now.n, diags, &fresh);
	tw_vec_done(&now);
	if (!ret)
		memcpy(fresh->slots, (*inforce)->slots,
			(tw_policy_n_rules(fresh->policy) + 1) * sizeof(*fresh->slots));
	if (ret < 0) {
		tw_inforce_free(fresh);
		return tw_err_set(err, ret, (*inforce)->source, NULL,
			"not with the addresses that guests learned: %s", strerror(-ret));
	}
	fresh->generation = (*inforce)->generation;
	fresh->since_ns = (*inforce)->since_ns;
	old = *inforce;
	*inforce = fresh;
	return 0;
}

int tw_publish_refresh(struct tw_agent *agent, struct tw_err *err)
{
	tw_auto(tw_inforce) struct tw_inforce *inforce = NULL;
	struct tw_diags diags = {0}, warnings = {0};
	struct tw_plan plan = {0};
	int ret;

	if (!agent->inforce)
		return 0;
	inforce = tw_inforce_ref(agent->inforce);
	ret = restore_leases(agent, inforce, err);
	if (!ret)
		ret = relearn(agent, &inforce, &warnings, err);
	tw_diags_done(&warnings);
	if (!ret)
		ret = tw_plan_make(agent, inforce, false, &plan, &diags, err);
	tw_vec_foreach (&diags, diag)
		tw_log(TW_LOG_ERR, "policy: %s", diag->text);
	tw_diags_done(&diags);
	if (!ret)
		ret = commit(agent, &plan, err);
	if (!ret) {
		tw_inforce_free(agent->inforce);
		agent->inforce = tw_inforce_ref(inforce);
		settle(agent, &plan);
	}
	tw_plan_done(&plan);
	collect_images(agent);
	return ret;
}

/* Ports that ran open under the policy before, and are protected by this one, have connections
 * that nobody saw opening. */
static void note_carried(struct tw_agent *agent)
{
	tw_vec_foreach (&agent->ports.list, port) {
		uint32_t parity = agent->epoch & 1;

		if ((*port)->has_entry[parity] && (*port)->entry[parity].flags & TW_PORT_F_OPEN)
			(*port)->carried = true;
	}
}

void tw_publish_store_works(struct tw_agent *agent)
{
	if (!agent->unstaged && !agent->unkept && !agent->save_ns && !agent->kept.failed)
		tw_degrade_end(agent, TW_DEGRADED_STORE);
}

/* Waits until what goes with the policy in force is on the disk. If it cannot be, it is tried again. */
static void keep(struct tw_agent *agent, struct tw_diags *diags)
{
	struct tw_err err = {0};
	bool failed = !agent->unstaged && tw_store_keep(agent->store, &err) < 0;

	/* Nothing was written that could be kept. */
	if (agent->unstaged)
		return;
	if (failed)
		tw_degrade(agent, TW_DEGRADED_STORE,
			"the policy in force is not saved, and an agent that starts now would not know it: %s; %s",
			err.text, err.hint);
	if (failed && diags)
		tw_diags_add(diags, TW_SEV_WARNING, 0, 0, err.hint,
			"the policy is in force, but not saved: %s", err.text);
	if (!failed && agent->unkept)
		tw_log(TW_LOG_INFO, "the policy in force is saved now");
	agent->unkept = failed;
	tw_publish_store_works(agent);
}

/* Writes what goes with a policy beside what counts. What is enforced already does not wait for a disk
 * that is full: it is tried again. */
static int stage(struct tw_agent *agent, const struct tw_inforce *inforce, uint32_t epoch,
	bool adopt, struct tw_err *err)
{
	struct tw_err why = {0};
	int ret = tw_store_stage(agent->store, &agent->slots, inforce, epoch, &why);

	agent->unstaged = ret < 0 && adopt;
	if (agent->unstaged) {
		agent->restage_ns = tw_clock_ns() + STORE_RETRY_NS;
		tw_degrade(agent, TW_DEGRADED_STORE, "%s: %s", why.place, why.text);
		return 0;
	}
	if (ret < 0 && err)
		*err = why;
	return ret;
}

static void restage(struct tw_agent *agent)
{
	struct tw_err err = {0};

	if (tw_clock_ns() < agent->restage_ns)
		return;
	agent->restage_ns = tw_clock_ns() + STORE_RETRY_NS;
	if (tw_store_stage(agent->store, &agent->slots, agent->inforce, agent->epoch, &err) < 0)
		return;
	agent->unstaged = false;
	keep(agent, NULL);
}

/* From the plan to the new policy in force. */
static int take_effect(struct tw_agent *agent, struct tw_inforce *inforce, struct tw_plan *plan,
	bool adopt, struct tw_err *err)
{
	uint32_t epoch;
	int ret;

	/* One flip, also where each change could stand alone: the policy is in force at once. */
	plan->flip = plan->flip || agent->inforce != NULL;
	epoch = agent->epoch +
		(plan->flip && (plan->n_changed || plan->regroup || plan->rereserve));
	/* What an earlier policy still waits for is not to be mixed up with this one's. */
	if (agent->unkept)
		keep(agent, NULL);
	ret = stage(agent, inforce, epoch, adopt, err);
	if (!ret)
		ret = set_config(agent, inforce);
	if (!ret)
		ret = commit(agent, plan, err);
	if (ret < 0) {
		tw_store_unstage(agent->store);
		if (agent->inforce)
			set_config(agent, agent->inforce);
		return ret;
	}
	tw_kernel_set_text(agent->kernel, agent->epoch, inforce->mark);
	agent->unkept = false;
	agent->reapply_ns = 0;
	tw_degrade_end(agent, TW_DEGRADED_POLICY);
	tw_slots_retire(&agent->slots, inforce->slots, tw_policy_n_rules(inforce->policy) + 1);
	tw_inforce_free(agent->inforce);
	agent->inforce = tw_inforce_ref(inforce);
	agent->generation = inforce->generation;
	settle(agent, plan);
	tw_watch_take_left(agent);
	return 0;
}

/* Reads a policy and gives its rules their slots. */
static int read_order(struct tw_agent *agent, const struct tw_apply_order *order,
	struct tw_diags *diags, struct tw_inforce **ret, struct tw_err *err)
{
	int result = tw_inforce_new(
		order->text, order->len, order->source, agent->inforce, diags, ret);

	if (!result)
		result = agent->inforce
				 ? tw_slots_assign_like(&agent->slots, (*ret)->policy,
					   agent->inforce->policy, agent->inforce->slots,
					   (*ret)->slots)
				 : tw_slots_assign(&agent->slots, (*ret)->policy, (*ret)->slots);
	return result < 0 ? tw_err_set(err, result, order->source, NULL, "%s",
				    result == -EINVAL ? "the policy is invalid" : strerror(-result))
			  : 0;
}

int tw_publish_apply(struct tw_agent *agent, const struct tw_apply_order *order,
	struct tw_diags *diags, struct tw_applied *ret, struct tw_err *err)
{
	tw_auto(tw_inforce) struct tw_inforce *inforce = NULL;
	uint64_t start = tw_clock_ns();
	struct tw_diags again = {0};
	struct tw_plan plan = {0};
	int result;

	*ret = (struct tw_applied){0};
	result = read_order(agent, order, diags, &inforce, err);
	if (result < 0)
		return result;
	if (!order->dry_run) {
		tw_events_settle(agent);
		note_carried(agent);
	}
	result = order->dry_run ? 0 : restore_leases(agent, inforce, err);
	if (!result)
		result = relearn(agent, &inforce, &again, err);
	tw_diags_done(&again);
	if (!result)
		result = tw_plan_make(agent, inforce, true, &plan, diags, err);
	if (!result)
		result = tw_applied_fill(ret, agent, inforce, &plan);
	if (result == -ENOMEM)
		tw_err_set(err, result, order->source, NULL, "out of memory");
	inforce->generation = agent->generation + !ret->unchanged;
	if (ret->unchanged && agent->inforce)
		inforce->since_ns = agent->inforce->since_ns;
	ret->generation = inforce->generation;
	ret->compile_ns = tw_clock_ns() - start;
	start = tw_clock_ns();
	if (!result && !order->dry_run && !order->allow_unprotect && ret->unprotected.n)
		result = tw_applied_refuse(ret, order->source, err);
	if (!result && !order->dry_run) {
		inforce->file_mark = order->file_mark ? order->file_mark
						      : tw_loads_file_mark(&agent->loads,
								agent->options->policy);
		result = take_effect(agent, inforce, &plan, order->adopt, err);
	}
	ret->publish_ns = tw_clock_ns() - start;
	tw_plan_done(&plan);
	collect_images(agent);
	/* What nobody's packets wait for. */
	if (!result && !order->dry_run)
		keep(agent, diags);
	if (!result && tw_policy_check(inforce->written, diags) < 0)
		tw_log(TW_LOG_WARNING, "policy: no memory to look for rules that never match");
	return result;
}

void tw_publish_drop(struct tw_agent *agent, struct tw_agent_port *port)
{
	remove_entry(agent, port, agent->epoch);
	remove_entry(agent, port, agent->epoch + 1);
}

void tw_publish_lose_image(struct tw_agent *agent, uint32_t slot)
{
	if (!slot || slot >= TW_IMAGES_MAX)
		return;
	/* Not given again at once: entries in force name it. */
	agent->images.slots[slot] = (struct tw_image_slot){.saved = true};
	if (agent->inforce)
		for (size_t i = 0; i < tw_policy_n_vnics(agent->inforce->policy); i++)
			if (agent->inforce->images[i] == slot)
				agent->inforce->images[i] = 0;
	agent->dirty = true;
}

void tw_publish_uncut(struct tw_agent *agent, struct tw_agent_port *port)
{
	struct tw_port *entry = &port->entry[agent->epoch & 1];

	if (!port->has_entry[agent->epoch & 1] || !(entry->flags & TW_PORT_F_CUT))
		return;
	entry->flags &= (uint16_t)~TW_PORT_F_CUT;
	tw_kernel_set_port(agent->kernel, port->ifindex, agent->epoch, entry);
}

/* A window that is over is written as none, long before its tick comes round again. */
static void end_adoption(struct tw_agent *agent, struct tw_agent_port *port)
{
	struct tw_port *entry = &port->entry[agent->epoch & 1];

	if (!port->has_entry[agent->epoch & 1] || !entry->adopt_until ||
		(int32_t)(tw_ticks_now() - entry->adopt_until) < 0)
		return;
	entry->adopt_until = 0;
	tw_kernel_set_port(agent->kernel, port->ifindex, agent->epoch, entry);
}

void tw_publish_tick(struct tw_agent *agent)
{
	if (agent->flipped_ns && tw_clock_ns() - agent->flipped_ns > TW_OLD_EPOCH_NS)
		clear_other_epoch(agent);
	if (agent->unkept)
		keep(agent, NULL);
	if (agent->unstaged && agent->inforce)
		restage(agent);
	tw_vec_foreach (&agent->ports.list, port)
		end_adoption(agent, *port);
}
