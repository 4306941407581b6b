/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/tripwire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/publish/enforcement.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "fastpath/abi/decision.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/load.h"
#include "fastpath/path/conntrack/expiry.h"

#define STEPS	    32	  /* steps of the walk per tick */
#define OLDER_MAX   65536 /* connections that an earlier policy had cut */
#define PLACES_EACH 2	  /* places of the table for each key, so that few collide */

void tw_tripwire_unset(struct tw_tripwire *wire)
{
	if (wire->limit)
		tw_walk_done(&wire->walk);
	free(wire->keys);
	*wire = (struct tw_tripwire){0};
}

int tw_tripwire_set(struct tw_enforcement *enforcement, uint32_t limit, struct tw_err *err)
{
	struct tw_tripwire *wire = enforcement->tripwire;
	uint32_t size = 1;

	tw_tripwire_unset(wire);
	if (!limit)
		return 0;
	while (size < PLACES_EACH * (limit + OLDER_MAX))
		size *= 2;
	wire->keys = tw_alloc_array(size, sizeof(*wire->keys));
	if (!wire->keys || tw_walk_init(&wire->walk, enforcement->host->kernel) < 0) {
		free(wire->keys);
		wire->keys = NULL;
		return tw_err_set(err, -ENOMEM, "tripwire", NULL, "out of memory");
	}
	wire->size = size;
	wire->limit = limit;
	return 0;
}

void tw_tripwire_begin(struct tw_enforcement *enforcement)
{
	struct tw_tripwire *wire = enforcement->tripwire;

	wire->since = tw_ticks_now();
	wire->epoch = enforcement->host->epoch;
	wire->walking = false;
}

/* Adds a key. Returns false if it is there already, or if the table is full. */
static bool add_key(struct tw_tripwire *wire, const struct tw_key *key)
{
	static const struct tw_key none;
	uint64_t hash = 0xcbf29ce484222325;
	uint32_t at;

	for (size_t i = 0; i < sizeof(key->d) / sizeof(key->d[0]); i++)
		hash = (hash ^ key->d[i]) * 0x9e3779b97f4a7c15;
	at = (uint32_t)(hash >> 32) & (wire->size - 1);
	while (memcmp(&wire->keys[at], &none, sizeof(none)) != 0) {
		if (!memcmp(&wire->keys[at], key, sizeof(*key)))
			return false;
		at = (at + 1) & (wire->size - 1);
	}
	if (wire->n_keys >= wire->size / PLACES_EACH)
		return false;
	wire->keys[at] = *key;
	wire->n_keys++;
	return true;
}

/* True if a gate refuses, and the policy that waits to be confirmed decided it. That policy may have
 * several epochs: each address that a guest learns begins a new one. */
static bool is_cut_now(const struct tw_tripwire *wire, const struct tw_conn *conn)
{
	for (int end = 0; end < TW_DIR__MAX; end++)
		if (tw_gate_refuses(conn->gate[end]) &&
			(int32_t)(tw_gate_epoch(conn->gate[end]) - wire->epoch) >= 0)
			return true;
	return false;
}

static void meet(struct tw_tripwire *wire, const struct tw_key *key, const struct tw_conn *conn)
{
	if (!tw_conn_refused(conn) || (int32_t)(conn->created - wire->since) >= 0)
		return;
	if (!is_cut_now(wire, conn)) {
		add_key(wire, key);
		return;
	}
	if (!add_key(wire, key))
		return;
	if (!wire->n++) {
		wire->example = *key;
		wire->example_hi = conn->progress.flags & TW_CONN_F_ORIGIN_HI;
	}
}

bool tw_tripwire_tick(struct tw_enforcement *enforcement)
{
	struct tw_tripwire *wire = enforcement->tripwire;

	if (!wire->limit)
		return false;
	if (!wire->walking)
		tw_walk_rewind(&wire->walk);
	wire->walking = true;
	for (int i = 0; i < STEPS && !wire->walk.ended; i++) {
		size_t n = tw_walk_step(&wire->walk);

		for (size_t k = 0; k < n; k++)
			meet(wire, &wire->walk.keys[k], &wire->walk.conns[k]);
	}
	wire->walking = !wire->walk.ended;
	return wire->n >= wire->limit;
}

void tw_tripwire_text(const struct tw_tripwire *wire, char *text, size_t max)
{
	const struct tw_key *key = &wire->example;
	char lo[INET6_ADDRSTRLEN], hi[INET6_ADDRSTRLEN], proto[16];
	bool from_hi = wire->example_hi;

	snprintf(proto, sizeof(proto), "%s",
		key->proto == IPPROTO_TCP   ? "tcp"
		: key->proto == IPPROTO_UDP ? "udp"
					    : "protocol ");
	if (proto[strlen(proto) - 1] == ' ')
		snprintf(proto, sizeof(proto), "protocol %u", (unsigned int)key->proto);
	tw_addr_format(&key->lo, lo);
	tw_addr_format(&key->hi, hi);
	snprintf(text, max,
		"%u connection%s that passed before %s denied, such as %s from %s port %u to %s port %u",
		wire->n, wire->n == 1 ? "" : "s", wire->n == 1 ? "was" : "were", proto,
		from_hi ? hi : lo, ntohs(from_hi ? key->hi_port : key->lo_port), from_hi ? lo : hi,
		ntohs(from_hi ? key->lo_port : key->hi_port));
}
