/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* named.h: rules that name the workload of a vNIC with `addresses: [any]`.
 *
 * Why:        such a vNIC owns no address, so at its port a rule that names its workload cannot
 *             match by address. There it applies whatever the local address is.
 * Meaning:    at the port, the list of the rule's own end contains all addresses if an entry
 *             without `!` names the workload, by its name or by a group, except those that `!`
 *             entries take away. It contains none if a `!` entry names the workload. A list that
 *             does not name it is a list of addresses, as at any other port.
 * Far end:    the other end of a rule is a list of addresses at every port.
 * Callers:    compile.c and layout.c, one thread.
 */
#pragma once

#include "policy/compiler.h"

/* Lists the rules that name workloads with `any`. Returns 0 or -ENOMEM. */
int tw_named_init(struct tw_compiler *c);
void tw_named_done(struct tw_compiler *c);
/* Makes tw_named_local() answer for the port of a vNIC, until the next call. Returns 0 or
 * -ENOMEM. */
int tw_named_enter(struct tw_compiler *c, const struct tw_vnic *vnic);
/* Returns the set of local addresses of a rule, by its index in c->rules[dir].all, at that port. */
const struct tw_set *tw_named_local(const struct tw_compiler *c, enum tw_dir dir, size_t index);
