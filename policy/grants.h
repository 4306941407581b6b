/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* grants.h: the keys `vlans`, `macs` and `may`: what a vNIC may do beyond sending untagged frames
 * from its own MAC and addresses.
 *
 * Invariants: 1. Without these keys, a vNIC has none of these rights.
 *             2. A further MAC may be shared by several vNICs, but is no vNIC's own MAC.
 */
#pragma once

#include "policy/reader.h"

/* Read the value of one key into `ret`. Errors are reported. */
void tw_grants_read_vlans(struct tw_reader *r, const struct tw_node *value, struct tw_grants *ret);
void tw_grants_read_macs(struct tw_reader *r, const struct tw_node *value, struct tw_grants *ret);
void tw_grants_read_may(struct tw_reader *r, const struct tw_node *value, struct tw_grants *ret);
/* True if the MAC is already a further MAC of a vNIC; then the error is reported. */
bool tw_grants_claimed(struct tw_reader *r, const struct tw_node *node, const char *mac);
/* True if `may: {ethertypes: […]}` can list this EtherType. */
bool tw_grants_is_grantable(uint16_t ethertype);
/* True if there are no rights. */
bool tw_grants_empty(const struct tw_grants *grants);
/* Prints `, vlans: […], macs: […], may: […]`: the keys that are not empty. NULL: none. */
void tw_grants_print(const struct tw_grants *grants, struct tw_buf *out);
/* True if both are NULL, or equal. */
bool tw_grants_equal(const struct tw_grants *a, const struct tw_grants *b);
