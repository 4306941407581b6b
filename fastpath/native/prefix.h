/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* prefix.h: what a key of the map `addrs` holds, as BPF_MAP_TYPE_LPM_TRIE has it. */
#pragma once

#include <stdint.h>
#include <string.h>

#include "fastpath/abi/types.h"

/* Whether `prefix` holds the address of `key`, in the same zone. */
static inline int tw_prefix_matches(const struct tw_addr_key *prefix, const struct tw_addr_key *key)
{
	uint32_t bits = prefix->prefixlen - 32, whole = bits / 8, rest = bits % 8;

	if (prefix->zone != key->zone || memcmp(prefix->addr.b, key->addr.b, whole))
		return 0;
	return !rest || (prefix->addr.b[whole] ^ key->addr.b[whole]) >> (8 - rest) == 0;
}
