/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/adoption.h"
#include "agent/publish/publish.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "agent/ports/entries.h"
#include "agent/ports/host.h"
#include "agent/ports/locals.h"
#include "agent/ports/ports.h"
#include "agent/ports/residents.h"
#include "agent/ports/uplinks.h"
#include "agent/publish/attach.h"
#include "agent/publish/bind.h"
#include "agent/publish/draft.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/kept.h"
#include "agent/publish/leases.h"
#include "agent/publish/macs.h"
#include "agent/publish/mend.h"
#include "agent/publish/plan.h"
#include "agent/publish/saving.h"
#include "agent/state/images.h"
#include "agent/state/inforce.h"
#include "agent/state/memberships.h"
#include "agent/state/quarantines.h"
#include "agent/state/saved.h"
#include "agent/state/slots.h"
#include "agent/state/staged.h"
#include "agent/state/store.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/load.h"
#include "policy/diag.h"

static int map_fd(const struct tw_enforcement *enforcement, enum tw_map map)
{
	return tw_kernel_map_fd(enforcement->host->kernel, map);
}

/* ---- entries ---- */

static int write_prefixes(
	struct tw_enforcement *enforcement, const struct tw_plan_row *row, uint32_t epoch)
{
	uint32_t zone = tw_addr_zone(row->entry.id, epoch);
	int ret;

	if (!(row->entry.flags & TW_PORT_F_MORE))
		return 0;
	ret = tw_kernel_clear_addrs(enforcement->host->kernel, zone);
	for (size_t i = 0; !ret && i < tw_vnic_n_given(row->vnic); i++)
		ret = tw_kernel_add_addr(enforcement->host->kernel, zone,
			&row->vnic->prefixes[i].addr, row->vnic->prefixes[i].len,
			tw_vnic_addr_kind(row->vnic, i));
	return ret;
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

/* Writes the reserved link-local addresses. */
static int write_reserved(struct tw_enforcement *enforcement, const struct tw_policy *policy,
	uint32_t epoch, struct tw_err *err)
{
	struct reserving reserving = {enforcement->host->kernel, tw_addr_zone(0, epoch)};
	int ret = tw_kernel_clear_addrs(enforcement->host->kernel, reserving.zone);

	if (!ret)
		ret = tw_policy_each_reserved(policy, reserve_addr, &reserving);
	return ret < 0 ? tw_err_set(err, ret, "addrs", NULL, "cannot write reserved addresses: %s",
				 strerror(-ret))
		       : 0;
}

/* True if the entry of the other epoch is the same. */
static bool has_twin(const struct tw_plan_row *row, uint32_t epoch)
{
	const struct tw_agent_port *port = row->port;
	uint32_t other = (epoch + 1) & 1;

	return port->has_entry[other] &&
	       !memcmp(&port->entry[other], &row->entry, sizeof(row->entry));
}

static int write_row(
	struct tw_enforcement *enforcement, const struct tw_plan_row *row, uint32_t epoch)
{
	struct tw_agent_port *port = row->port;
	int ret = write_prefixes(enforcement, row, epoch);

	if (!ret && row->entry.flags & TW_PORT_F_GRANTS)
		ret = tw_kernel_put_grants(
			enforcement->host->kernel, row->entry.id, epoch, row->vnic->grants);
	if (!ret)
		ret = has_twin(row, epoch) ? tw_kernel_share_port(enforcement->host->kernel,
						     port->ifindex, epoch)
					   : tw_kernel_set_port(enforcement->host->kernel,
						     port->ifindex, epoch, &row->entry);
	if (ret < 0)
		return ret;
	port->entry[epoch & 1] = row->entry;
	port->has_entry[epoch & 1] = true;
	return 0;
}

void tw_publish_collect(struct tw_enforcement *enforcement)
{
	tw_images_unmark(enforcement->images);
	tw_vec_foreach (&enforcement->host->ports->list, port)
		for (uint32_t i = 0; i < 2; i++)
			if ((*port)->has_entry[i])
				tw_images_mark(enforcement->images, (*port)->entry[i].image);
	tw_vec_foreach (&enforcement->host->adopted, adopted)
		tw_images_mark(enforcement->images, adopted->entry.image);
	tw_images_collect(enforcement->images);
	if (!enforcement->inforce)
		return;
	for (size_t i = 0; i < tw_policy_n_vnics(enforcement->inforce->policy); i++)
		if (!enforcement->images->slots[enforcement->inforce->images[i]].used)
			enforcement->inforce->images[i] = 0;
}

static void clear_other_epoch(struct tw_enforcement *enforcement)
{
	tw_vec_foreach (&enforcement->host->ports->list, port)
		tw_entries_remove(enforcement->host, *port, enforcement->host->epoch + 1);
	enforcement->flipped_ns = 0;
	tw_publish_collect(enforcement);
}

/* ---- what an earlier agent left ---- */

static int adopt_entry(void *arg, uint32_t ifindex, uint32_t epoch, const struct tw_port *entry)
{
	const struct tw_adopted adopted = {.ifindex = ifindex, .entry = *entry};
	struct tw_enforcement *enforcement = arg;
	struct tw_port met;

	if (tw_kernel_get_port(enforcement->host->kernel, ifindex, epoch, &met) < 0 ||
		met.id != entry->id)
		return tw_kernel_drop_stray(enforcement->host->kernel, entry->id, epoch);
	if ((epoch & 1) == (enforcement->host->epoch & 1)) {
		if (entry->image)
			tw_images_adopt(enforcement->images, entry->image,
				&(struct tw_image_key){{entry->image_key[0], entry->image_key[1]}});
		tw_ports_reserve(enforcement->host->ports, entry->id);
		return tw_vec_push(&enforcement->host->adopted, adopted);
	}
	if (entry->flags & TW_PORT_F_MORE)
		tw_kernel_clear_addrs(enforcement->host->kernel, tw_addr_zone(entry->id, epoch));
	return tw_kernel_set_port(enforcement->host->kernel, ifindex, epoch, NULL);
}

/* Adds the hash of each adopted port's row of `grants`. */
static void adopt_grants(struct tw_enforcement *enforcement)
{
	struct tw_grants grants;

	tw_vec_foreach (&enforcement->host->adopted, adopted) {
		__u32 key = tw_port_key(adopted->entry.id, enforcement->host->epoch);

		if (adopted->entry.flags & TW_PORT_F_GRANTS &&
			!bpf_map_lookup_elem(map_fd(enforcement, TW_MAP_grants), &key, &grants))
			adopted->prefixes += tw_plan_hash_grants(&grants);
	}
}

/* Computes the hash of each adopted port's rows of `addrs` and `grants`, so that unchanged rows need
 * not be rewritten. */
static void adopt_prefixes(struct tw_enforcement *enforcement)
{
	int fd = map_fd(enforcement, TW_MAP_addrs);
	struct tw_addr_key key, *previous = NULL;

	for (; !bpf_map_get_next_key(fd, previous, &key); previous = &key) {
		uint32_t zone = ntohl(key.zone);

		tw_vec_foreach (&enforcement->host->adopted, adopted)
			if (zone == tw_addr_zone(adopted->entry.id, enforcement->host->epoch))
				adopted->prefixes += tw_plan_hash_prefix(
					&key.addr, key.prefixlen - 32);
		if (zone == tw_addr_zone(0, enforcement->host->epoch))
			enforcement->reserved += tw_plan_hash_prefix(&key.addr, key.prefixlen - 32);
	}
}

int tw_publish_adopt(struct tw_enforcement *enforcement, struct tw_err *err)
{
	struct tw_config config;
	int ret = tw_kernel_get_config(enforcement->host->kernel, &config);
	uint32_t parity;

	if (ret < 0)
		return tw_err_set(err, ret, "config", NULL, "cannot read the map");
	parity = config.epoch & 1;
	enforcement->host->epoch = config.epoch;
	tw_store_set_mark(enforcement->store, config.mark);
	enforcement->found = (struct tw_policy_note){config.policy_text[parity],
		config.policy_number[parity], config.policy_since_ns[parity]};
	tw_staged_recover(enforcement->store, config.epoch, enforcement->found.text);
	tw_saved_read_images(enforcement->store, enforcement->images);
	ret = tw_kernel_each_port(enforcement->host->kernel, adopt_entry, enforcement);
	if (!ret)
		ret = tw_memberships_adopt(enforcement->memberships);
	if (!ret)
		ret = tw_macs_adopt(enforcement);
	adopt_prefixes(enforcement);
	adopt_grants(enforcement);
	if (!ret)
		tw_mend_begin(enforcement);
	return ret < 0 ? tw_err_set(err, ret, "ports", NULL, "cannot read the state in force") : 0;
}

/* ---- executing a plan ---- */

static void settle_row(struct tw_enforcement *enforcement, const struct tw_plan_row *row)
{
	struct tw_agent_port *port = row->port;

	if (row->state == TW_PORT_PROTECTED && port->state != TW_PORT_PROTECTED)
		tw_adoption_await(enforcement, port);
	tw_bind_tell(port, &row->binding, row->state, row->entry.flags & TW_PORT_F_OPEN);
	port->vnic = row->vnic;
	port->binding = row->binding;
	port->state = row->state;
	port->open = row->entry.flags & TW_PORT_F_OPEN;
	port->quarantined = row->quarantine != NULL;
	if (row->quarantine)
		tw_quarantines_note(row->quarantine, port->name);
	port->prefixes = row->prefixes;
	tw_bind_tell_resembling(enforcement->inforce, port);
}

/* Records that the plan is in force in the kernel. */
static void settle(struct tw_enforcement *enforcement, const struct tw_plan *plan)
{
	tw_vec_foreach (&plan->rows, row)
		settle_row(enforcement, row);
	enforcement->settled = true;
	tw_locals_sync(enforcement->host);
	tw_uplinks_sync(enforcement->host);
	tw_residents_sync(
		enforcement->host, enforcement->inforce->policy, enforcement->inforce->generation);
	tw_leases_know(enforcement);
	tw_macs_sync(enforcement, plan->taken);
}

static int set_config(struct tw_enforcement *enforcement, const struct tw_inforce *inforce)
{
	struct tw_config config, wanted;
	int ret = tw_kernel_get_config(enforcement->host->kernel, &config);

	if (ret < 0)
		return ret;
	wanted = config;
	tw_policy_fill_config(inforce->policy, &wanted);
	if (!memcmp(&wanted, &config, sizeof(config)))
		return 0;
	return tw_kernel_set_config(enforcement->host->kernel, &wanted);
}

/* Writes the changed rows in place, as they are independent of each other. */
static int commit_alone(
	struct tw_enforcement *enforcement, const struct tw_plan *plan, struct tw_err *err)
{
	tw_vec_foreach (&plan->rows, row) {
		int ret;

		if (!row->changed && !row->shortens)
			continue;
		ret = write_row(enforcement, row, enforcement->host->epoch);
		if (ret < 0)
			return tw_err_set(err, ret, row->port->name, NULL,
				"cannot write its entry: %s", strerror(-ret));
	}
	return 0;
}

static void note_policy(struct tw_host *host, uint32_t epoch, const struct tw_inforce *inforce)
{
	const struct tw_policy_note note = {inforce->mark, inforce->generation, inforce->since_ns};

	tw_kernel_note_policy(host->kernel, epoch, &note);
}

static int flip(struct tw_enforcement *enforcement, uint32_t epoch)
{
	struct tw_config config;
	int ret = tw_kernel_flip(enforcement->host->kernel, epoch);

	/* If the epoch has flipped, a later failure does not undo it. */
	if (ret < 0 && !tw_kernel_get_config(enforcement->host->kernel, &config) &&
		config.epoch == epoch)
		ret = 0;
	return ret;
}

/* Writes all rows for the next epoch and puts it in force. */
static int commit_flip(
	struct tw_enforcement *enforcement, const struct tw_plan *plan, struct tw_err *err)
{
	uint32_t epoch = enforcement->host->epoch + 1;
	int ret = 0;

	tw_vec_foreach (&enforcement->host->ports->list, port)
		tw_entries_remove(enforcement->host, *port, epoch);
	ret = tw_memberships_write(enforcement->memberships, plan->members, epoch, err);
	if (!ret)
		ret = write_reserved(enforcement, plan->policy, epoch, err);
	if (ret < 0)
		return ret;
	tw_vec_foreach (&plan->rows, row) {
		ret = write_row(enforcement, row, epoch);
		if (ret < 0)
			break;
	}
	if (!ret) {
		note_policy(enforcement->host, epoch, plan->inforce);
		ret = flip(enforcement, epoch);
	}
	if (ret < 0) {
		tw_vec_foreach (&enforcement->host->ports->list, port)
			tw_entries_remove(enforcement->host, *port, epoch);
		return tw_err_set(
			err, ret, "publish", NULL, "the kernel refused it: %s", strerror(-ret));
	}
	enforcement->host->epoch = epoch;
	enforcement->flipped_ns = tw_clock_ns();
	return 0;
}

/* True if a plan changes what frames are judged by. */
static bool changes_judging(const struct tw_plan *plan)
{
	return plan->n_changed || plan->regroup || plan->rereserve;
}

static int commit(
	struct tw_enforcement *enforcement, const struct tw_plan *plan, struct tw_err *err)
{
	bool flips = plan->flip && changes_judging(plan);
	int ret;

	if (!changes_judging(plan) && !plan->n_shortened)
		return 0;
	ret = tw_images_flush(enforcement->images, err);
	/* If there is no flip, no connection was judged by groups yet. */
	if (!ret && !flips)
		ret = tw_memberships_write(
			enforcement->memberships, plan->members, enforcement->host->epoch, err);
	if (!ret && !flips && plan->rereserve)
		ret = write_reserved(enforcement, plan->policy, enforcement->host->epoch, err);
	if (ret < 0)
		return ret;
	ret = flips ? commit_flip(enforcement, plan, err) : commit_alone(enforcement, plan, err);
	if (!ret)
		enforcement->reserved = plan->reserved;
	/* No frame that was judged in the previous epoch reaches or leaves a port in quarantine. */
	tw_vec_foreach (&plan->rows, row)
		if (!ret && row->quarantine && row->changed)
			tw_entries_remove(
				enforcement->host, row->port, enforcement->host->epoch + 1);
	tw_images_settle(enforcement->images);
	if (!ret && plan->n_shortened)
		tw_log(TW_LOG_INFO, "adoption windows of %zu ports end earlier, as the policy says",
			plan->n_shortened);
	return ret;
}

/* ---- public functions ---- */

static int restore_leases(
	struct tw_enforcement *enforcement, const struct tw_inforce *inforce, struct tw_err *err)
{
	int ret = tw_kept_restore(enforcement, inforce);

	if (!ret)
		ret = tw_leases_prepare(enforcement, inforce);

	return ret < 0 ? tw_err_set(err, ret, "leases", NULL, "out of memory") : 0;
}

/* Updates *inforce to the guests' current learned addresses. Replaces it if they have changed. */
static int relearn(struct tw_enforcement *enforcement, struct tw_inforce **inforce,
	struct tw_diags *diags, struct tw_err *err)
{
	tw_auto(tw_inforce) struct tw_inforce *old = NULL;
	struct tw_inforce *fresh = NULL;
	struct tw_learned_list now = {0};
	int ret = tw_leases_gather(enforcement, *inforce, &now);

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
			"cannot add the addresses that guests learned: %s", strerror(-ret));
	}
	fresh->generation = (*inforce)->generation;
	fresh->since_ns = (*inforce)->since_ns;
	fresh->file_mark = (*inforce)->file_mark;
	old = *inforce;
	*inforce = fresh;
	return 0;
}

int tw_publish_refresh(struct tw_enforcement *enforcement, struct tw_err *err)
{
	tw_auto(tw_inforce) struct tw_inforce *inforce = NULL;
	struct tw_diags diags = {0}, warnings = {0};
	struct tw_plan plan = {0};
	int ret;

	if (!enforcement->inforce)
		return 0;
	inforce = tw_inforce_ref(enforcement->inforce);
	ret = restore_leases(enforcement, inforce, err);
	if (!ret)
		ret = relearn(enforcement, &inforce, &warnings, err);
	tw_diags_done(&warnings);
	if (!ret)
		ret = tw_plan_make(enforcement, inforce, false, NULL, &plan, &diags, err);
	tw_vec_foreach (&diags, diag)
		tw_log(TW_LOG_ERR, "policy: %s", diag->text);
	tw_diags_done(&diags);
	if (!ret)
		ret = commit(enforcement, &plan, err);
	if (!ret) {
		tw_inforce_free(enforcement->inforce);
		enforcement->inforce = tw_inforce_ref(inforce);
		settle(enforcement, &plan);
	}
	tw_plan_done(&plan);
	tw_publish_collect(enforcement);
	return ret;
}

/* Puts the new policy in force by executing a plan. */
static int take_effect(struct tw_enforcement *enforcement, struct tw_inforce *inforce,
	struct tw_plan *plan, bool adopt, struct tw_err *err)
{
	uint32_t epoch;
	int ret;

	/* Flips even if all changes are independent, so that the policy takes effect at once. */
	plan->flip = plan->flip || enforcement->inforce != NULL;
	epoch = enforcement->host->epoch + (plan->flip && changes_judging(plan));
	/* The pending files of an earlier policy must not be mixed with this one's. */
	tw_saving_retry(enforcement);
	ret = tw_saving_stage(enforcement, inforce, epoch, adopt, err);
	if (!ret)
		ret = set_config(enforcement, inforce);
	if (!ret)
		ret = commit(enforcement, plan, err);
	if (ret < 0) {
		tw_store_unstage(enforcement->store);
		if (enforcement->inforce)
			set_config(enforcement, enforcement->inforce);
		return ret;
	}
	note_policy(enforcement->host, enforcement->host->epoch, inforce);
	enforcement->unkept = false;
	enforcement->reapply_ns = 0;
	tw_degraded_end(&enforcement->degraded, TW_DEGRADED_POLICY);
	tw_slots_retire(enforcement->slots, inforce->slots, tw_policy_n_rules(inforce->policy) + 1);
	tw_inforce_free(enforcement->inforce);
	enforcement->inforce = tw_inforce_ref(inforce);
	enforcement->generation = inforce->generation;
	settle(enforcement, plan);
	tw_attach_left(enforcement);
	return 0;
}

/* Lets the draft be the policy that was prepared, which also has the addresses that guests have learned. */
static int take_prepared(struct tw_draft *draft, struct tw_preparation *prepared,
	const char *source, struct tw_err *err)
{
	if (prepared->code < 0)
		return tw_err_set(
			err, prepared->code, source, NULL, "%s", strerror(-prepared->code));
	tw_inforce_free(draft->inforce);
	draft->inforce = tw_inforce_ref(prepared->inforce);
	return 0;
}

/* Sets the policy's number and age. */
static void set_age(const struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	struct tw_inforce *inforce, struct tw_applied *applied)
{
	inforce->generation = enforcement->generation + !applied->unchanged;
	inforce->since_ns = applied->unchanged && enforcement->inforce
				    ? enforcement->inforce->since_ns
			    : order->since_ns ? order->since_ns
					      : tw_clock_ns();
	inforce->file_mark = order->file_mark;
	applied->generation = inforce->generation;
}

int tw_publish_apply(struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	struct tw_draft *draft, struct tw_preparation *prepared, struct tw_diags *diags,
	struct tw_applied *applied, struct tw_err *err)
{
	uint64_t start = tw_clock_ns();
	struct tw_diags again = {0};
	struct tw_plan plan = {0};
	int result = tw_draft_verify(draft, enforcement, order->source, err);

	if (!result)
		result = take_prepared(draft, prepared, order->source, err);
	if (result < 0) {
		tw_slots_release(enforcement->slots);
		return result;
	}
	if (!order->dry_run)
		tw_host_about_to_change(enforcement->host);
	result = order->dry_run ? 0 : restore_leases(enforcement, draft->inforce, err);
	if (!result)
		result = relearn(enforcement, &draft->inforce, &again, err);
	tw_diags_done(&again);
	if (!result)
		result = tw_plan_make(
			enforcement, draft->inforce, true, prepared, &plan, diags, err);
	if (!result && tw_applied_list_ports(applied, enforcement, &plan) < 0)
		result = tw_err_set(err, -ENOMEM, order->source, NULL, "out of memory");
	set_age(enforcement, order, draft->inforce, applied);
	applied->compile_ns = draft->read_ns + prepared->took_ns + tw_clock_ns() - start;
	start = tw_clock_ns();
	if (!result && !order->dry_run && !order->allow_unprotect && applied->unprotected.n)
		result = tw_applied_refuse(applied, order->source, err);
	if (!result && !order->dry_run)
		result = take_effect(enforcement, draft->inforce, &plan, order->adopt, err);
	applied->publish_ns = tw_clock_ns() - start;
	tw_plan_done(&plan);
	tw_publish_collect(enforcement);
	if (result || order->dry_run) {
		tw_slots_release(enforcement->slots);
		return result;
	}
	/* The policy is saved last, because no packet waits for it. */
	enforcement->keeping = true;
	return 0;
}

void tw_publish_tick(struct tw_enforcement *enforcement)
{
	if (enforcement->flipped_ns && tw_clock_ns() - enforcement->flipped_ns > TW_OLD_EPOCH_NS)
		clear_other_epoch(enforcement);
	tw_saving_tick(enforcement);
	tw_adoption_tick(enforcement);
}
