/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* prefix.h: prefix match of the map `addrs`, as in BPF_MAP_TYPE_LPM_TRIE. */
#pragma once

#include <stdint.h>
#include <string.h>

#include "fastpath/abi/types.h"

/* True if `prefix` contains the address of `key`, in the same zone. */
static inline int tw_prefix_matches(const struct tw_addr_key *prefix, const struct tw_addr_key *key)
{
	uint32_t bits = prefix->prefixlen - 32, whole = bits / 8, rest = bits % 8;

	if (prefix->zone != key->zone || prefix->prefixlen > key->prefixlen ||
		memcmp(prefix->addr.b, key->addr.b, whole))
		return 0;
	return !rest || (prefix->addr.b[whole] ^ key->addr.b[whole]) >> (8 - rest) == 0;
}
