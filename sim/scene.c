/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "sim/scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/vec.h"
#include "fastpath/native/table.h"
#include "policy/table.h"

static void know_lease(struct tw_leases *leases, const struct tw_addr *addr)
{
	bool v4 = !addr->d[0] && addr->w[2] == htonl(0xffff), found = false;
	struct tw_lease *row = leases->at[v4 ? 0 : 1], *free = NULL;

	for (size_t i = 0; i < TW_LEASES_MAX; i++) {
		if (!row[i].until_ns) {
			free = free ? free : &row[i];
		} else if (!memcmp(&row[i].addr, addr, sizeof(*addr))) {
			row[i].known = row[i].serial;
			found = true;
		}
	}
	for (size_t i = 0; i < TW_SLAAC_MAX && !found; i++) {
		struct tw_lease *lease = &leases->formed[i];

		if (lease->until_ns && !memcmp(&lease->addr, addr, sizeof(*addr))) {
			lease->known = lease->serial;
			found = true;
		} else if (!lease->until_ns && !v4) {
			free = free ? free : lease;
		}
	}
	if (!found && free) {
		leases->serial++;
		*free = (struct tw_lease){.addr = *addr,
			.until_ns = UINT64_MAX,
			.serial = leases->serial,
			.known = leases->serial};
	}
}

void tw_scene_know(const struct tw_vnic *vnic, struct tw_leases *leases)
{
	memcpy(leases->mac, vnic->mac, sizeof(leases->mac));
	tw_policy_fill_announced(vnic, leases);
	for (size_t i = tw_vnic_n_given(vnic); i < vnic->n_prefixes; i++)
		know_lease(leases, &vnic->prefixes[i].addr);
}

static int load_leases(struct tw_native *native, const struct tw_vnic *vnic, uint32_t id)
{
	struct tw_leases *leases = tw_vnic_learns(vnic) ? tw_native_leases(native, id) : NULL;

	if (leases)
		tw_scene_know(vnic, leases);
	return tw_vnic_learns(vnic) && !leases ? -ENOMEM : 0;
}

/* What the ports of a policy share while they are loaded. */
struct loading {
	struct tw_native *native;
	const struct tw_policy *policy;
	struct tw_compiler *compiler;
	struct tw_index index; /* ports with an image of their own, by its key */
	TW_VEC(struct tw_image_key) keys;
	TW_VEC(const struct tw_vnic *) owners; /* their vNICs */
	uint32_t epoch;
};

static uint32_t image_number(const struct loading *loading, const struct tw_vnic *vnic)
{
	size_t n_vnics = tw_policy_n_vnics(loading->policy);

	return (uint32_t)(1 + vnic->index + (loading->epoch & 1) * n_vnics);
}

static bool same_key(const void *owner, uint32_t value, const void *key)
{
	return !memcmp(
		&((const struct loading *)owner)->keys.at[value], key, sizeof(struct tw_image_key));
}

/* Compiles the image with this layout and puts it at the number of its vNIC. */
static int add_image(struct loading *loading, const struct tw_layout *layout,
	const struct tw_vnic *vnic, struct tw_diags *diags)
{
	tw_auto(tw_image) struct tw_image *image = NULL;
	const struct tw_image_key *key = tw_layout_key(layout);
	int err = tw_layout_compile(loading->compiler, layout, &image, diags);

	if (!err)
		err = tw_index_add(&loading->index, key->word[0], (uint32_t)loading->keys.n);
	if (!err)
		err = tw_vec_push(&loading->keys, *key);
	if (!err)
		err = tw_vec_push(&loading->owners, vnic);
	return err ? err
		   : tw_native_put_image(loading->native, image_number(loading, vnic), image->words,
			     image->n_words);
}

/* Sets *ret to the number of a vNIC's image. Ports with equal rules share one. */
static int find_image(
	struct loading *loading, const struct tw_vnic *vnic, struct tw_diags *diags, uint32_t *ret)
{
	tw_auto(tw_layout) struct tw_layout *layout = NULL;
	int err = tw_layout_new(loading->compiler, vnic, &layout);
	uint32_t known;

	if (err)
		return err;
	known = tw_index_find(&loading->index, tw_layout_key(layout)->word[0], same_key, loading,
		tw_layout_key(layout));
	if (known != TW_INDEX_NONE)
		vnic = loading->owners.at[known];
	else
		err = add_image(loading, layout, vnic, diags);
	*ret = image_number(loading, vnic);
	return err;
}

static int load_port(struct loading *loading, const struct tw_vnic *vnic, struct tw_diags *diags)
{
	struct tw_native *native = loading->native;
	struct tw_port *port;
	uint32_t zone, image;
	int err = find_image(loading, vnic, diags, &image);

	if (err)
		return err;
	port = tw_native_port(native, tw_scene_ifindex(vnic->index), loading->epoch);
	if (!port)
		return -ENOMEM;
	*port = (struct tw_port){.ifindex = tw_scene_ifindex(vnic->index)};
	tw_policy_fill_port(vnic, port);
	port->id = (uint16_t)(1 + vnic->index);
	port->network = (uint16_t)(TW_SCENE_NETWORK + vnic->space);
	port->image = image;
	zone = tw_addr_zone(port->id, loading->epoch);
	for (size_t i = 0; port->flags & TW_PORT_F_MORE && i < tw_vnic_n_given(vnic); i++) {
		err = tw_native_add_addr(native, zone, &vnic->prefixes[i].addr,
			vnic->prefixes[i].len, tw_vnic_addr_kind(vnic, i));
		if (err)
			return err;
	}
	if (vnic->grants)
		err = tw_native_put_grants(native, port->id, loading->epoch, vnic->grants);
	return err ? err : load_leases(native, vnic, port->id);
}

static int load_ports(struct tw_native *native, const struct tw_policy *policy, uint32_t epoch,
	struct tw_diags *diags)
{
	struct loading loading = {.native = native, .policy = policy, .epoch = epoch};
	int err = tw_compiler_new(policy, NULL, &loading.compiler);

	for (size_t i = 0; i < tw_policy_n_vnics(policy) && !err; i++)
		err = load_port(&loading, tw_policy_vnic(policy, i), diags);
	tw_compiler_free(loading.compiler);
	tw_index_done(&loading.index);
	tw_vec_done(&loading.keys);
	tw_vec_done(&loading.owners);
	return err;
}

static void leave_groups(void *arg, const void *key, void *value)
{
	const uint32_t *epoch = arg;

	((struct tw_membership *)value)->in[*epoch & 1] = (struct tw_group_set){{0}};
}

static int load_members(struct tw_table *to, const struct tw_members *members, uint32_t epoch)
{
	int err = 0;

	tw_table_each(to, leave_groups, &epoch);
	tw_vec_foreach (&members->all, member) {
		const struct tw_membership *known = tw_table_lookup(to, &member->addr);
		struct tw_membership now = known ? *known : (struct tw_membership){0};

		now.in[epoch & 1] = member->in;
		if (!err)
			err = tw_table_update(to, &member->addr, &now, 0);
	}
	return err;
}

static int load_groups(struct tw_native *native, const struct tw_policy *policy, uint32_t epoch)
{
	struct tw_members members = {0};
	int err = tw_policy_members(policy, &members);

	if (!err)
		err = load_members(tw_native_members(native), &members, epoch);
	tw_members_done(&members);
	return err;
}

struct reserving {
	struct tw_native *native;
	uint32_t zone;
};

static int reserve_addr(void *arg, const struct tw_addr *addr)
{
	const struct reserving *reserving = arg;

	return tw_native_add_addr(reserving->native, reserving->zone, addr, 128, TW_ADDR_OWN);
}

static int load_reserved(struct tw_native *native, const struct tw_policy *policy, uint32_t epoch)
{
	struct reserving reserving = {native, tw_addr_zone(0, epoch)};

	tw_native_clear_addrs(native, reserving.zone);
	return tw_policy_each_reserved(policy, reserve_addr, &reserving);
}

int tw_scene_load(struct tw_native *native, const struct tw_policy *policy, uint32_t epoch,
	struct tw_diags *diags)
{
	size_t n_vnics = tw_policy_n_vnics(policy);
	int err;

	if (n_vnics >= TW_PORTS_MAX || 2 * n_vnics >= TW_IMAGES_MAX)
		return -E2BIG;
	err = load_ports(native, policy, epoch, diags);
	if (!err)
		err = load_groups(native, policy, epoch);
	if (!err)
		err = load_reserved(native, policy, epoch);
	if (err)
		return err;
	tw_policy_fill_config(policy, tw_native_config(native));
	tw_native_config(native)->epoch = epoch;
	return 0;
}

void tw_scene_run(struct tw_native *native, const struct tw_vnic *from, const struct tw_vnic *to,
	uint64_t now_ns, struct tw_native_frame *frame, struct tw_scene_result *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (from) {
		ret->has_end[TW_DIR_OUT] = true;
		tw_native_run(native, tw_scene_ifindex(from->index), TW_DIR_OUT, now_ns, frame,
			&ret->end[TW_DIR_OUT]);
		if (ret->end[TW_DIR_OUT].outcome.verdict != TW_V_ALLOW)
			return;
	}
	if (to) {
		ret->has_end[TW_DIR_IN] = true;
		tw_native_run(native, tw_scene_ifindex(to->index), TW_DIR_IN, now_ns, frame,
			&ret->end[TW_DIR_IN]);
	}
}
