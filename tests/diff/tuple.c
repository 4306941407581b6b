/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Random connections for a generated policy, most of them near the policy's own values. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/diff/generate.h"

/* Draws an address of the policy, its predecessor or successor, or one inside its prefix. */
static void near_addr(struct tw_gen *gen, struct tw_addr *ret)
{
	struct tw_random *r = &gen->random;

	if (!gen->n_addrs || tw_random_one_in(r, 8)) {
		tw_gen_addr(gen, tw_random_one_in(r, 3), ret);
		return;
	}
	if (tw_random_one_in(r, 2)) {
		const struct tw_gen_named *w =
			&gen->workloads[tw_random_below(r, (uint32_t)gen->n_workloads)];

		if (w->n_prefixes) {
			*ret = w->prefixes[tw_random_below(r, (uint32_t)w->n_prefixes)].addr;
			return;
		}
	}
	*ret = gen->addrs[tw_random_below(r, (uint32_t)gen->n_addrs)];
	switch (tw_random_below(r, 4)) {
	case 0:
		ret->b[15]++;
		break;
	case 1:
		ret->b[15]--;
		break;
	case 2:
		ret->b[15] = (uint8_t)tw_random_below(r, 256);
		ret->b[14] ^= (uint8_t)tw_random_below(r, 4);
		break;
	default:
		break;
	}
}

static bool is_v4(const struct tw_addr *addr)
{
	return addr->d[0] == 0 && addr->w[2] == htonl(0xffff);
}

/* True if the address is unicast and may occur on a wire. */
static bool is_usable(const struct tw_addr *addr)
{
	if (is_v4(addr))
		return addr->b[12] > 0 && addr->b[12] < 224 && addr->b[12] != 127;
	return addr->b[0] == 0xfd;
}

static uint16_t near_port(struct tw_gen *gen)
{
	struct tw_random *r = &gen->random;
	uint16_t port;

	if (gen->n_ports && !tw_random_one_in(r, 4))
		port = (uint16_t)(gen->ports[tw_random_below(r, (uint32_t)gen->n_ports)] +
				  tw_random_below(r, 3) - 1);
	else
		port = (uint16_t)tw_random_below(r, 65536);
	return port == 67 || port == 68 || port == 546 || port == 547 ? 69 : port;
}

void tw_gen_tuple(struct tw_gen *gen, struct tw_oracle_tuple *ret)
{
	static const uint8_t protos[] = {2, 47, 50, 89, 132, 253};
	static const uint8_t types[2][4] = {{8, 13, 42, 200}, {128, 150, 200, 201}};
	struct tw_random *r = &gen->random;
	unsigned int kind = tw_random_below(r, 12);
	bool v4;

	do {
		near_addr(gen, &ret->from);
		near_addr(gen, &ret->to);
	} while (!is_usable(&ret->from) || !is_usable(&ret->to) ||
		 is_v4(&ret->from) != is_v4(&ret->to) || !memcmp(&ret->from, &ret->to, 16) ||
		 (tw_oracle_owner(&gen->oracle, &ret->from) >= 0 &&
			 tw_oracle_owner(&gen->oracle, &ret->from) ==
				 tw_oracle_owner(&gen->oracle, &ret->to)));
	v4 = is_v4(&ret->from);
	ret->sport = ret->dport = 0;
	if (kind < 10) {
		ret->proto = kind < 7 ? 6 : 17;
		ret->sport = near_port(gen);
		ret->dport = near_port(gen);
	} else if (kind == 10) {
		ret->proto = v4 ? 1 : 58;
		ret->dport = (uint16_t)(types[!v4][tw_random_below(r, 4)] << 8 |
					tw_random_below(r, 4));
	} else {
		ret->proto = protos[tw_random_below(r, sizeof(protos))];
	}
}
