/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/kept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/lease_map.h"
#include "agent/state/inforce.h"
#include "agent/state/sealed.h"
#include "agent/state/store.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "fastpath/abi/names.h"

#define LOOK_NS	 1000000000u
#define SAVE_NS	 5000000000u /* between two writes, because guests may renew often */
#define RETRY_NS 1000000000u
#define SECOND	 1000000000u
/* Largest step back of a clock that is set during the boot. */
#define CLOCK_SLACK_S 60
/* Two readings of the end of a lease differ by at most this, unless it was renewed. */
#define SAME_NS	  1000000000u
#define LEFT_EVER -1

_Static_assert(
	sizeof(struct tw_kept_lease) == IFNAMSIZ + 128 + 6 + 2 + sizeof(struct tw_addr) + 8 + 4 + 4,
	"rows are compared as bytes");

/* ---- the file ---- */

static json_t *pack_lease(const struct tw_kept_lease *lease, uint64_t now_ns)
{
	char mac[13], addr[64];

	for (size_t i = 0; i < 6; i++)
		snprintf(mac + 2 * i, 3, "%02x", lease->mac[i]);
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:I, s:b, s:I}", "network", lease->network,
		"workload", lease->workload, "mac", mac, "vlan", (int)lease->vlan, "address",
		tw_addr_format(&lease->addr, addr), "server", (json_int_t)lease->server, "slaac",
		lease->formed, "left",
		lease->until_ns == UINT64_MAX ? (json_int_t)LEFT_EVER
					      : (json_int_t)((lease->until_ns - now_ns) / SECOND));
}

json_t *tw_kept_pack(const struct tw_kept *kept, uint64_t now_ns, int64_t unix_s)
{
	json_t *list = json_array();

	tw_vec_foreach (&kept->list, lease) {
		/* An interface name may have any bytes; one that is not UTF-8 is not saved. */
		json_t *row = lease->until_ns > now_ns ? pack_lease(lease, now_ns) : NULL;

		if (row && json_array_append_new(list, row) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:o, s:I}", "leases", list, "saved", (json_int_t)unix_s);
}

static void copy_text(char *to, size_t max, json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	snprintf(to, max, "%s", text ? text : "");
}

/* Reads a row. False if it is invalid or its lease has ended. `elapsed_s` is the time since the
 * file was written. */
static bool unpack_lease(
	json_t *row, uint64_t now_ns, int64_t elapsed_s, struct tw_kept_lease *lease)
{
	const char *mac = json_string_value(json_object_get(row, "mac"));
	const char *addr = json_string_value(json_object_get(row, "address"));
	json_int_t left = json_integer_value(json_object_get(row, "left"));
	uint8_t *m = lease->mac;

	memset(lease, 0, sizeof(*lease));
	copy_text(lease->network, sizeof(lease->network), row, "network");
	copy_text(lease->workload, sizeof(lease->workload), row, "workload");
	lease->vlan = (uint16_t)json_integer_value(json_object_get(row, "vlan"));
	lease->server = (__be32)json_integer_value(json_object_get(row, "server"));
	lease->formed = json_is_true(json_object_get(row, "slaac"));
	if (!mac || !addr || tw_addr_parse(addr, &lease->addr) < 0 ||
		sscanf(mac, "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx", &m[0], &m[1], &m[2], &m[3], &m[4],
			&m[5]) != 6)
		return false;
	/* A lease time has 32 bits of seconds. */
	if (left == LEFT_EVER)
		lease->until_ns = UINT64_MAX;
	else if (left > elapsed_s && left <= UINT32_MAX)
		lease->until_ns = now_ns + (uint64_t)(left - elapsed_s) * SECOND;
	return lease->until_ns != 0;
}

/* Compares two leases by everything but their end. */
static int compare_leases(const void *a, const void *b)
{
	const struct tw_kept_lease *x = a, *y = b;

	return memcmp(x, y, offsetof(struct tw_kept_lease, until_ns));
}

static void sort_leases(struct tw_kept *kept)
{
	if (kept->list.n)
		qsort(kept->list.at, kept->list.n, sizeof(*kept->list.at), compare_leases);
}

int tw_kept_unpack(struct tw_kept *kept, json_t *root, uint64_t now_ns, int64_t unix_s)
{
	int64_t saved = json_integer_value(json_object_get(root, "saved"));
	int64_t elapsed = unix_s > saved ? unix_s - saved : 0;
	json_t *row;
	int err = 0;
	size_t i;

	if (saved > unix_s + CLOCK_SLACK_S)
		return -ERANGE;
	kept->list.n = 0;
	json_array_foreach (json_object_get(root, "leases"), i, row) {
		struct tw_kept_lease lease;

		if (!err && unpack_lease(row, now_ns, elapsed, &lease))
			err = tw_vec_push(&kept->list, lease);
	}
	sort_leases(kept);
	return err;
}

static bool has_leases(const struct tw_enforcement *enforcement)
{
	uint64_t now = tw_clock_ns();

	for (size_t i = 0; i < TW_PORTS_MAX * (size_t)TW_LEASE_SLOTS; i++) {
		struct tw_leases *of = &enforcement->leases->map[i / TW_LEASE_SLOTS];

		if (tw_lease_slot(of, (uint32_t)(i % TW_LEASE_SLOTS))->until_ns > now)
			return true;
	}
	return false;
}

void tw_kept_load(struct tw_enforcement *enforcement)
{
	struct tw_kept *kept = enforcement->kept;
	json_t *root = tw_sealed_read_any(enforcement->store, TW_STORE_LEASES);
	int ret = root ? tw_kept_unpack(kept, root, tw_clock_ns(), time(NULL)) : 0;

	kept->exists = root != NULL;
	kept->unsaved = !root || ret < 0;
	if (!root && has_leases(enforcement))
		tw_log(TW_LOG_WARNING,
			"%s/%s is unreadable or missing; using the leases that the kernel knows",
			tw_store_path(enforcement->store), TW_STORE_LEASES);
	json_decref(root);
	if (ret == -ERANGE)
		tw_log(TW_LOG_ERR, "%s/%s is dated in the future; not used",
			tw_store_path(enforcement->store), TW_STORE_LEASES);
	else if (ret < 0)
		tw_log(TW_LOG_ERR, "%s: %s", TW_STORE_LEASES, strerror(-ret));
	else if (kept->list.n)
		tw_log(TW_LOG_INFO, "%zu learned addresses restored", kept->list.n);
}

void tw_kept_done(struct tw_kept *kept)
{
	tw_vec_done(&kept->list);
}

static int write_file(struct tw_enforcement *enforcement, struct tw_err *err)
{
	const struct tw_kept *kept = enforcement->kept;

	if (!kept->list.n)
		return tw_store_delete(enforcement->store, TW_STORE_LEASES, err);
	return tw_sealed_write(enforcement->store, TW_STORE_LEASES,
		tw_kept_pack(kept, tw_clock_ns(), time(NULL)), err);
}

/* True if the file was written. */
static bool save(struct tw_enforcement *enforcement)
{
	struct tw_kept *kept = enforcement->kept;
	struct tw_err err = {0};

	if (!kept->unsaved || tw_clock_ns() < kept->save_ns)
		return false;
	kept->failed = write_file(enforcement, &err) < 0;
	kept->unsaved = kept->failed;
	kept->exists = !kept->failed && kept->list.n;
	kept->save_ns = tw_clock_ns() + (kept->failed ? RETRY_NS : SAVE_NS);
	if (kept->failed)
		tw_degraded_begin(
			&enforcement->degraded, TW_DEGRADED_STORE, "%s: %s", err.place, err.text);
	return !kept->failed;
}

/* ---- from the map ---- */

/* Returns a row with a port's place (network, workload, MAC and VLAN) and no lease. */
static struct tw_kept_lease place_of(const struct tw_enforcement *enforcement,
	const struct tw_agent_port *port, const struct tw_vnic *vnic)
{
	const char *network = tw_ports_network_name(enforcement->host->ports, port->network);
	struct tw_kept_lease place;

	memset(&place, 0, sizeof(place));
	snprintf(place.network, sizeof(place.network), "%s", network ? network : "");
	snprintf(place.workload, sizeof(place.workload), "%s", vnic->workload);
	memcpy(place.mac, vnic->mac, sizeof(place.mac));
	place.vlan = port->vlan;
	return place;
}

/* Copies a port's leases that are in the policy in force. If two guests have one address, only one
 * of them has it there. */
static int take_port(const struct tw_enforcement *enforcement, const struct tw_agent_port *port,
	struct tw_leases *leases, uint64_t now, struct tw_kept *fresh)
{
	struct tw_kept_lease row = place_of(enforcement, port, port->vnic);
	int err = 0;

	for (uint32_t i = 0; i < TW_LEASE_SLOTS && !err; i++) {
		struct tw_lease lease = *tw_lease_slot(leases, i);

		if (lease.until_ns <= now || lease.known != lease.serial)
			continue;
		row.formed = i >= 2 * TW_LEASES_MAX;
		row.addr = lease.addr;
		row.until_ns = lease.until_ns;
		row.server = row.formed ? 0 : lease.server;
		err = tw_vec_push(&fresh->list, row);
	}
	return err;
}

static int compare_places(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct tw_kept_lease, addr));
}

/* Lists the places for which the map has leases. */
static int list_places(const struct tw_enforcement *enforcement, struct tw_kept *ret)
{
	int err = 0;

	tw_vec_foreach (&enforcement->host->ports->list, port)
		if (!err && tw_lease_map_at(enforcement, *port))
			err = tw_vec_push(&ret->list, place_of(enforcement, *port, (*port)->vnic));
	if (ret->list.n)
		qsort(ret->list.at, ret->list.n, sizeof(*ret->list.at), compare_places);
	return err;
}

/* Keeps the leases of all places without an entry in the map, because their guests may still
 * appear. */
static int take_absent(
	const struct tw_enforcement *enforcement, uint64_t now, struct tw_kept *fresh)
{
	struct tw_kept places = {0};
	int err = enforcement->kept->list.n ? list_places(enforcement, &places) : 0;

	tw_vec_foreach (&enforcement->kept->list, lease) {
		bool answered = places.list.n && bsearch(lease, places.list.at, places.list.n,
							 sizeof(*lease), compare_places);

		if (!err && !answered && lease->until_ns > now)
			err = tw_vec_push(&fresh->list, *lease);
	}
	tw_kept_done(&places);
	return err;
}

static bool is_same(const struct tw_kept *a, const struct tw_kept *b)
{
	bool same = a->list.n == b->list.n;

	for (size_t i = 0; same && i < a->list.n; i++) {
		const struct tw_kept_lease *x = &a->list.at[i], *y = &b->list.at[i];
		uint64_t apart = x->until_ns > y->until_ns ? x->until_ns - y->until_ns
							   : y->until_ns - x->until_ns;

		same = !compare_leases(x, y) && x->server == y->server && apart <= SAME_NS;
	}
	return same;
}

static void follow(struct tw_enforcement *enforcement)
{
	struct tw_kept fresh = {0};
	uint64_t now = tw_clock_ns();
	int err = take_absent(enforcement, now, &fresh);

	tw_vec_foreach (&enforcement->host->ports->list, port) {
		struct tw_leases *leases = tw_lease_map_at(enforcement, *port);

		if (leases && !err)
			err = take_port(enforcement, *port, leases, now, &fresh);
	}
	sort_leases(&fresh);
	/* If memory runs out, the file stays unchanged until the next check. */
	if (err || is_same(&fresh, enforcement->kept)) {
		tw_kept_done(&fresh);
		return;
	}
	tw_kept_done(enforcement->kept);
	enforcement->kept->list.at = fresh.list.at;
	enforcement->kept->list.n = fresh.list.n;
	enforcement->kept->list.max = fresh.list.max;
	enforcement->kept->unsaved = true;
}

static bool is_of_use(const struct tw_enforcement *enforcement)
{
	return enforcement->kept->list.n || enforcement->kept->exists ||
	       (enforcement->inforce && enforcement->inforce->learns);
}

bool tw_kept_tick(struct tw_enforcement *enforcement)
{
	uint64_t now = tw_clock_ns();

	if (!is_of_use(enforcement) || now < enforcement->kept->next_ns)
		return false;
	enforcement->kept->next_ns = now + LOOK_NS;
	follow(enforcement);
	return save(enforcement);
}

void tw_kept_rewrite(struct tw_kept *kept)
{
	kept->unsaved = true;
	kept->save_ns = 0;
}

void tw_kept_save(struct tw_enforcement *enforcement)
{
	if (!is_of_use(enforcement))
		return;
	follow(enforcement);
	enforcement->kept->save_ns = 0;
	save(enforcement);
}

/* ---- back into the map ---- */

/* True if the map has no leases of the vNIC's guest at this port. */
static bool is_blank(const struct tw_enforcement *enforcement, const struct tw_agent_port *port,
	const struct tw_leases *leases, const struct tw_vnic *vnic)
{
	return memcmp(leases->mac, vnic->mac, sizeof(leases->mac)) != 0 &&
	       !tw_lease_map_at(enforcement, port);
}

static bool is_v4(const struct tw_addr *addr)
{
	return !addr->d[0] && addr->w[2] == htonl(0xffff);
}

/* Writes a lease to the last free place. The fast path uses the first free place, so both find one
 * if a server answers at the same time. */
static void put_lease(struct tw_leases *leases, const struct tw_kept_lease *kept, uint64_t now)
{
	struct tw_lease *at = kept->formed ? leases->formed : leases->at[!is_v4(&kept->addr)];

	for (size_t i = kept->formed ? TW_SLAAC_MAX : TW_LEASES_MAX; i-- > 0;) {
		struct tw_lease *lease = &at[i];

		if (__atomic_load_n(&lease->until_ns, __ATOMIC_ACQUIRE) > now)
			continue;
		__atomic_store_n(&lease->until_ns, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&lease->serial,
			__atomic_add_fetch(&leases->serial, 1, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
		lease->addr = kept->addr;
		lease->server = kept->server;
		if (kept->formed)
			lease->seen = (uint32_t)(now >> TW_TICK_SHIFT);
		lease->known = 0;
		lease->restored = 1;
		__atomic_store_n(&lease->until_ns, kept->until_ns, __ATOMIC_SEQ_CST);
		return;
	}
}

static void restore_port(struct tw_enforcement *enforcement, const struct tw_agent_port *port,
	struct tw_leases *leases, const struct tw_vnic *vnic)
{
	struct tw_kept_lease place = place_of(enforcement, port, vnic);
	uint64_t now = tw_clock_ns();
	bool any = false;

	tw_vec_foreach (&enforcement->kept->list, kept) {
		if (compare_places(kept, &place) || kept->until_ns <= now)
			continue;
		if (!any) {
			memset(leases->at, 0, sizeof(leases->at));
			memset(leases->query, 0, sizeof(leases->query));
			memset(leases->formed, 0, sizeof(leases->formed));
			memset(leases->announced, 0, sizeof(leases->announced));
			leases->named = 0;
			memcpy(leases->mac, vnic->mac, sizeof(leases->mac));
		}
		any = true;
		put_lease(leases, kept, now);
	}
}

int tw_kept_restore(struct tw_enforcement *enforcement, const struct tw_inforce *inforce)
{
	size_t n = enforcement->host->ports->list.n;
	tw_autofree struct tw_binding *bindings = NULL;
	int err;

	if (!inforce->learns || !enforcement->kept->list.n)
		return 0;
	bindings = tw_alloc_array(n, sizeof(*bindings));
	err = bindings ? tw_bind_ports(inforce, enforcement->host->ports, bindings, NULL) : -ENOMEM;
	for (size_t i = 0; i < n && !err; i++) {
		const struct tw_agent_port *port = enforcement->host->ports->list.at[i];
		struct tw_leases *leases = &enforcement->leases->map[port->id];

		if (bindings[i].vnic && tw_vnic_learns(bindings[i].vnic) &&
			is_blank(enforcement, port, leases, bindings[i].vnic))
			restore_port(enforcement, port, leases, bindings[i].vnic);
	}
	return err;
}

bool tw_kept_has_other(const struct tw_enforcement *enforcement, const struct tw_agent_port *port,
	const struct tw_vnic *vnic, const struct tw_addr *addr)
{
	struct tw_kept_lease place = place_of(enforcement, port, vnic);
	uint64_t now = tw_clock_ns();

	tw_vec_foreach (&enforcement->kept->list, lease)
		if (!memcmp(&lease->addr, addr, sizeof(*addr)) && lease->until_ns > now &&
			strcmp(lease->workload, place.workload) != 0 &&
			!strcmp(lease->network, place.network) && lease->vlan == place.vlan)
			return true;
	return false;
}
