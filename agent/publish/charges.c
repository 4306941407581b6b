/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/charges.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define MAP_BYTES (TW_PORTS_MAX * sizeof(struct tw_load))

int tw_charges_init(struct tw_charges *charges, int loads_fd)
{
	void *loads = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, loads_fd, 0);

	if (loads == MAP_FAILED)
		return -errno;
	*charges = (struct tw_charges){.loads = loads};
	return 0;
}

void tw_charges_done(struct tw_charges *charges)
{
	if (charges->loads)
		munmap(charges->loads, MAP_BYTES);
	charges->loads = NULL;
}

static uint32_t *charge_at(struct tw_load *load, unsigned int kind)
{
	switch (kind + 1) {
	case TW_CHARGE_HALF_OPEN:
		return &load->half_open;
	case TW_CHARGE_OVER:
		return &load->over;
	default:
		return &load->established;
	}
}

static uint32_t charge_now(struct tw_charges *charges, unsigned int id, unsigned int kind)
{
	return __atomic_load_n(charge_at(&charges->loads[id], kind), __ATOMIC_RELAXED);
}

void tw_charges_begin_walk(struct tw_charges *charges)
{
	memset(charges->met, 0, sizeof(charges->met));
	for (unsigned int id = 0; id < TW_PORTS_MAX; id++)
		for (unsigned int kind = 0; kind < TW_CHARGES_KINDS; kind++)
			charges->began[id][kind] = charge_now(charges, id, kind);
}

void tw_charges_meet(struct tw_charges *charges, const struct tw_conn *conn)
{
	uint32_t ports = conn->ports;
	enum tw_charge charge = tw_ports_charge(ports);

	if (charge != TW_CHARGE_NONE)
		charges->met[tw_ports_payer(ports)][charge - 1]++;
}

/* Whether a charge was set right. */
static unsigned int end_one(struct tw_charges *charges, unsigned int id, unsigned int kind)
{
	uint32_t now = charge_now(charges, id, kind);
	int32_t off = now == charges->began[id][kind] ? (int32_t)(now - charges->met[id][kind]) : 0;
	unsigned int ret = off && off == charges->off[id][kind];

	if (ret) {
		__atomic_fetch_sub(
			charge_at(&charges->loads[id], kind), (uint32_t)off, __ATOMIC_RELAXED);
		off = 0;
	}
	charges->off[id][kind] = off;
	return ret;
}

unsigned int tw_charges_end_walk(struct tw_charges *charges)
{
	unsigned int ret = 0;

	for (unsigned int id = 0; id < TW_PORTS_MAX; id++)
		for (unsigned int kind = 0; kind < TW_CHARGES_KINDS; kind++)
			ret += end_one(charges, id, kind);
	return ret;
}
