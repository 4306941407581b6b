/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* shared.h: the key `shared`: addresses that several vNICs take turns with.
 *
 * Invariants: 1. Within a network, an address is either one vNIC's own or shared.
 *             2. Among a vNIC's prefixes from the text, the shared addresses are the last.
 */
#pragma once

#include "policy/reader.h"

/* Reads the list into nic->shared. Errors are reported. */
void tw_shared_read(struct tw_reader *r, const struct tw_node *value, struct tw_nic *nic);
/* True if the address is shared in this network (NULL: none); then the error is reported. */
bool tw_shared_taken(
	struct tw_reader *r, const struct tw_node *node, const char *network, const char *addr);
/* Adds the shared addresses to those that the vNIC may use. `node` is the value of the key. */
void tw_shared_join(struct tw_reader *r, const struct tw_node *node, struct tw_nic *nic,
	struct tw_grants *grants);
