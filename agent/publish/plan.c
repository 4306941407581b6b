/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/adoption.h"
#include "agent/publish/plan.h"

#include <errno.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/locals.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/prepare.h"
#include "agent/state/images.h"
#include "agent/state/inforce.h"
#include "agent/state/memberships.h"
#include "agent/state/quarantines.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "base/notify.h"

/* Returns a hash that is independent of the order, because the kernel lists map entries in any
 * order. */
static uint64_t hash_prefixes(const struct tw_vnic *vnic)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < tw_vnic_n_given(vnic); i++)
		hash += tw_plan_hash_prefix(&vnic->prefixes[i].addr, vnic->prefixes[i].len);
	return hash;
}

uint64_t tw_plan_hash_prefix(const struct tw_addr *addr, uint32_t len)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(addr->b); i++)
		hash = (hash ^ addr->b[i]) * 1099511628211u;
	return (hash ^ len) * 1099511628211u;
}

uint64_t tw_plan_hash_grants(const struct tw_grants *grants)
{
	const unsigned char *bytes = (const unsigned char *)grants;
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(*grants); i++)
		hash = (hash ^ bytes[i]) * 1099511628211u;
	return hash;
}

/* Returns the image slot of the policy in force if nothing about the vNIC has changed, or 0 if the
 * image must be looked up. */
static uint32_t inherited(const struct tw_enforcement *enforcement, const struct tw_plan *plan,
	const struct tw_vnic *vnic)
{
	long was = plan->delta ? tw_delta_find(plan->delta, vnic, false) : -ENOENT;
	uint32_t slot = was < 0 ? 0 : enforcement->inforce->images[was];

	if (slot && enforcement->images->slots[slot].resolved &&
		tw_delta_find(plan->delta, vnic, true) < 0)
		return 0;
	return slot;
}

/* Finds the slot of an existing image, or compiles the image. */
static int find_image(struct tw_enforcement *enforcement, struct tw_inforce *inforce,
	const struct tw_plan *plan, const struct tw_vnic *vnic, uint32_t *ret_slot,
	struct tw_diags *diags, struct tw_err *err)
{
	tw_auto(tw_layout) struct tw_layout *layout = NULL;
	tw_auto(tw_image) struct tw_image *image = NULL;
	struct tw_image_key key;
	int ret = 0;

	*ret_slot = inherited(enforcement, plan, vnic);
	if (!*ret_slot && plan->prepared)
		ret = tw_prepare_put(
			plan->prepared, enforcement->images, inforce, vnic, ret_slot, err);
	if (*ret_slot || ret < 0)
		return ret;
	ret = tw_layout_new(inforce->compiler, vnic, &layout);
	if (ret < 0)
		return tw_err_set(err, ret, vnic->workload, NULL, "out of memory");
	key = *tw_layout_key(layout);
	*ret_slot = tw_images_find(enforcement->images, &key);
	if (!*ret_slot) {
		ret = tw_layout_compile(inforce->compiler, layout, &image, diags);
		if (ret < 0)
			return tw_err_set(err, ret, vnic->workload, NULL,
				"its rules cannot be compiled: %s", strerror(-ret));
		if (image->resolved) {
			key = tw_layout_resolved_key(inforce->compiler, layout);
			*ret_slot = tw_images_find(enforcement->images, &key);
		}
	}
	if (!*ret_slot)
		ret = tw_images_put(enforcement->images, &key, image, ret_slot, err);
	if (!ret && (tw_layout_is_resolved(layout) || (image && image->resolved)))
		tw_images_set_resolved(enforcement->images, *ret_slot);
	return ret;
}

/* Returns the slot of a vNIC's image, looked up at most once per policy. */
static int image_of(struct tw_enforcement *enforcement, struct tw_inforce *inforce,
	const struct tw_plan *plan, const struct tw_vnic *vnic, uint32_t *ret_slot,
	struct tw_diags *diags, struct tw_err *err)
{
	uint32_t *known = &inforce->images[vnic->index];
	int ret = *known ? 0 : find_image(enforcement, inforce, plan, vnic, known, diags, err);

	if (ret < 0)
		return ret;
	tw_images_mark(enforcement->images, *known);
	*ret_slot = *known;
	return 0;
}

static int fill_protected(struct tw_enforcement *enforcement, struct tw_inforce *inforce,
	const struct tw_plan *plan, struct tw_plan_row *row, const struct tw_port *live,
	struct tw_diags *diags, struct tw_err *err)
{
	uint32_t slot = 0;
	int ret;

	row->state = TW_PORT_SHUT;
	ret = image_of(enforcement, inforce, plan, row->vnic, &slot, diags, err);
	if (ret < 0)
		return ret;
	tw_policy_fill_port(row->vnic, &row->entry);
	row->entry.image = slot;
	memcpy(row->entry.image_key, enforcement->images->slots[slot].key.word,
		sizeof(row->entry.image_key));
	row->entry.network = row->port->network;
	row->shortens = tw_adoption_fill(enforcement, inforce->policy, live, &row->entry);
	row->state = TW_PORT_PROTECTED;
	if (row->entry.flags & TW_PORT_F_MORE)
		row->prefixes = hash_prefixes(row->vnic);
	if (row->entry.flags & TW_PORT_F_GRANTS)
		row->prefixes += tw_plan_hash_grants(row->vnic->grants);
	return 0;
}

static void fill_unclaimed(const struct tw_inforce *inforce, struct tw_plan_row *row)
{
	row->state = TW_PORT_UNCLAIMED;
	row->entry.flags = TW_PORT_F_UNCLAIMED | (row->port->macvtap ? 0 : TW_PORT_F_WATCH);
	if (tw_policy_unclaimed(inforce->policy) == TW_UNCLAIMED_IGNORE)
		row->entry.flags |= TW_PORT_F_OPEN;
	if (row->port->local)
		row->entry.flags |= TW_PORT_F_LOCAL;
}

static bool entries_equal(const struct tw_port *a, const struct tw_port *b)
{
	struct tw_port left = *a;

	left.adopt_until = b->adopt_until;
	left.adopt_asked = b->adopt_asked;
	return !memcmp(&left, b, sizeof(left));
}

/* True if gates may have been decided by this entry. If not, it can be replaced without a flip. */
static bool judged(const struct tw_port *live)
{
	return live && live->image && !(live->flags & TW_PORT_F_UNCLAIMED);
}

/* True if only the forwarding changed, so that no gate has to be decided again. */
static bool decides_alike(const struct tw_plan_row *row, const struct tw_port *live)
{
	struct tw_port entry = row->entry;

	entry.flags = (uint16_t)((entry.flags & ~TW_PORT_F_CUT) | (live->flags & TW_PORT_F_CUT));
	return entries_equal(&entry, live) && row->prefixes == row->port->prefixes;
}

/* Makes the entry of a port in quarantine. Without an image, nothing passes. */
static void shut_row(struct tw_plan_row *row)
{
	row->state = TW_PORT_SHUT;
	row->entry.flags = TW_PORT_F_QUARANTINED;
	row->entry.image = 0;
	row->entry.adopt_until = row->entry.adopt_asked = 0;
	row->shortens = false;
	row->prefixes = 0;
	memset(row->entry.image_key, 0, sizeof(row->entry.image_key));
}

static int fill_row(struct tw_enforcement *enforcement, struct tw_inforce *inforce, bool strict,
	struct tw_plan *plan, struct tw_plan_row *row, struct tw_diags *diags, struct tw_err *err)
{
	struct tw_agent_port *port = row->port;
	const struct tw_port *live = port->has_entry[enforcement->host->epoch & 1]
					     ? &port->entry[enforcement->host->epoch & 1]
					     : NULL;
	int ret = 0;

	if (row->vnic)
		ret = fill_protected(enforcement, inforce, plan, row, live, diags, err);
	else if (row->binding.conflict)
		row->state = TW_PORT_SHUT;
	else
		fill_unclaimed(inforce, row);
	if (ret < 0 && (strict || ret != -E2BIG))
		return ret;
	row->quarantine = tw_quarantines_find(
		enforcement->quarantines, row->vnic ? row->vnic->workload : NULL, port->name);
	row->entry.id = port->id;
	row->entry.network = port->network;
	row->entry.pvid = port->vlan;
	row->entry.ifindex = port->ifindex;
	row->entry.len_max = tw_locals_len_max(port);
	if (row->state == TW_PORT_PROTECTED && tw_locals_fit(enforcement->host, port, &row->entry))
		row->entry.flags |= TW_PORT_F_CUT;
	/* Connections that were judged by the previous groups must be judged again. */
	plan->flip |= (plan->regroup || plan->rereserve) && judged(live);
	if (row->quarantine)
		shut_row(row);
	/* Gates that were decided before a quarantine may be those of an older policy. */
	plan->flip |= live && live->flags & TW_PORT_F_QUARANTINED && !row->quarantine;
	row->changed = !live || !entries_equal(&row->entry, live) ||
		       row->prefixes != port->prefixes;
	if (row->changed) {
		plan->n_changed++;
		plan->flip |= judged(live) && !row->quarantine && !decides_alike(row, live);
	}
	plan->n_shortened += row->shortens;
	return 0;
}

static int hash_reserved(void *arg, const struct tw_addr *addr)
{
	*(uint64_t *)arg += tw_plan_hash_prefix(addr, 128);
	return 0;
}

/* Computes the parts of a plan that depend only on the policy. */
static int prepare(
	struct tw_enforcement *enforcement, struct tw_inforce *inforce, struct tw_plan *plan)
{
	const struct tw_inforce *old = enforcement->inforce;
	int ret = 0;

	if (!inforce->compiler)
		ret = tw_compiler_new(inforce->policy, inforce->slots, &inforce->compiler);
	if (!ret && plan->prepared)
		plan->delta = tw_prepare_take_delta(plan->prepared, enforcement, inforce);
	if (!ret && !plan->delta && old && old != inforce && old->compiler) {
		tw_compiler_follow(inforce->compiler, old->compiler);
		ret = tw_delta_new(old->compiler, inforce->compiler, &plan->delta);
	}
	if (ret < 0)
		return ret;
	plan->members = tw_compiler_members(inforce->compiler);
	plan->regroup = !tw_memberships_equal(
		enforcement->memberships, plan->members, enforcement->host->epoch);
	plan->policy = inforce->policy;
	plan->inforce = inforce;
	tw_policy_each_reserved(inforce->policy, hash_reserved, &plan->reserved);
	plan->rereserve = plan->reserved != enforcement->reserved;
	return 0;
}

int tw_plan_make(struct tw_enforcement *enforcement, struct tw_inforce *inforce, bool strict,
	struct tw_preparation *prepared, struct tw_plan *ret, struct tw_diags *diags,
	struct tw_err *err)
{
	size_t n = enforcement->host->ports->list.n;
	tw_autofree struct tw_binding *bindings = tw_alloc_array(n, sizeof(*bindings));
	struct tw_plan plan = {.prepared = prepared};
	int result = -ENOMEM;

	plan.taken = tw_alloc_array(tw_policy_n_vnics(inforce->policy), sizeof(*plan.taken));
	if (bindings && plan.taken)
		result = prepare(enforcement, inforce, &plan);
	if (!result)
		result = tw_bind_ports(inforce, enforcement->host->ports, bindings, plan.taken);
	for (size_t i = 0; i < n && !result; i++) {
		struct tw_plan_row row = {.port = enforcement->host->ports->list.at[i],
			.vnic = bindings[i].vnic,
			.binding = bindings[i]};

		tw_notify_alive();
		result = fill_row(enforcement, inforce, strict, &plan, &row, diags, err);
		if (!result)
			result = tw_vec_push(&plan.rows, row);
	}
	if (result < 0) {
		tw_plan_done(&plan);
		return result == -ENOMEM ? tw_err_set(err, result, "publish", NULL, "out of memory")
					 : result;
	}
	*ret = plan;
	return 0;
}

void tw_plan_done(struct tw_plan *plan)
{
	tw_vec_done(&plan->rows);
	tw_delta_free(plan->delta);
	plan->delta = NULL;
	free(plan->taken);
	plan->taken = NULL;
}
