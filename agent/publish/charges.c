/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/charges.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/ports/ports.h"

#define MAP_BYTES (TW_PORTS_MAX * sizeof(struct tw_usage))

int tw_charges_init(struct tw_charges *charges, int usage_fd)
{
	void *usage = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, usage_fd, 0);

	if (usage == MAP_FAILED)
		return -errno;
	*charges = (struct tw_charges){.usage = usage};
	return 0;
}

void tw_charges_done(struct tw_charges *charges)
{
	if (charges->usage)
		munmap(charges->usage, MAP_BYTES);
	charges->usage = NULL;
}

static uint64_t *count_at(struct tw_charges *charges, unsigned int id, unsigned int kind)
{
	struct tw_usage *usage = &charges->usage[id];

	switch (kind + 1) {
	case TW_CHARGE_HALF_OPEN:
		return (uint64_t *)&usage->half_open;
	case TW_CHARGE_OVER:
		return (uint64_t *)&usage->over;
	default:
		return (uint64_t *)&usage->established;
	}
}

static uint64_t count_now(struct tw_charges *charges, unsigned int id, unsigned int kind)
{
	return __atomic_load_n(count_at(charges, id, kind), __ATOMIC_RELAXED);
}

void tw_charges_begin_walk(struct tw_charges *charges)
{
	memset(charges->met, 0, sizeof(charges->met));
	for (unsigned int id = 0; id < TW_PORTS_MAX; id++)
		for (unsigned int kind = 0; kind < TW_CHARGES_KINDS; kind++)
			charges->began[id][kind] = count_now(charges, id, kind);
}

void tw_charges_meet(struct tw_charges *charges, const struct tw_conn *conn)
{
	uint32_t ports = conn->ports;
	enum tw_charge charge = tw_ports_charge(ports);

	if (charge != TW_CHARGE_NONE)
		charges->met[tw_ports_payer(ports)][charge - 1]++;
}

/* Returns the least amount by which a count is proved too high; negative: too low; 0: neither. */
static int64_t distance(uint64_t began, uint64_t ended, uint32_t met)
{
	int64_t added = (uint32_t)(tw_usage_ever(ended) - tw_usage_ever(began));
	int64_t net = tw_usage_net(began), removed = net + added - tw_usage_net(ended);

	if (net - removed > met)
		return net - removed - met;
	return net + added < met ? net + added - met : 0;
}

/* Returns the error that two consecutive walks have both proved: the smaller of their distances if
 * these have the same sign, otherwise 0. */
static int64_t common(int64_t a, int64_t b)
{
	if (a > 0 && b > 0)
		return a < b ? a : b;
	if (a < 0 && b < 0)
		return a > b ? a : b;
	return 0;
}

/* Ends the walk for one count. True if the count was corrected. */
static bool end_one(struct tw_charges *charges, unsigned int id, unsigned int kind)
{
	uint64_t began = charges->began[id][kind], ended = count_now(charges, id, kind);
	int64_t off = distance(began, ended, charges->met[id][kind]);
	int64_t proved = common(off, charges->off[id][kind]);

	charges->off[id][kind] = off - proved;
	if (proved)
		__atomic_fetch_sub(count_at(charges, id, kind), (uint64_t)proved, __ATOMIC_RELAXED);
	return proved != 0;
}

unsigned int tw_charges_end_walk(struct tw_charges *charges)
{
	unsigned int ret = 0;

	for (unsigned int id = 0; id < TW_PORTS_MAX; id++)
		for (unsigned int kind = 0; kind < TW_CHARGES_KINDS; kind++)
			ret += end_one(charges, id, kind);
	return ret;
}
