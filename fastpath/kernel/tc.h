/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tc.h: the programs as tc filters, before Linux 6.6 (for this directory only).
 *
 * Why:        a host limits a guest's bandwidth with `tc qdisc add dev tap0 ingress` and a root
 *             qdisc, before or after the agent attaches to the tap. The ingress qdisc occupies the
 *             place of clsact, and has no egress. A clsact in that place would make the host's
 *             command fail.
 * How:        tw_from_vm is the first filter of the ingress qdisc, the host's or one added here.
 *             tw_to_vm is the first filter of the root qdisc: the host's, if that is htb, else an
 *             htb without classes, a plain queue, added here. An existing clsact takes both.
 *             docs/decisions/011-attach.md has the reasons.
 * Limits:     in a root qdisc the program runs under the qdisc's lock, so it must not send to the
 *             same interface, and TC_ACT_REDIRECT does not work there (qdisc.bpf.h).
 */
#pragma once

#include <stdbool.h>

#include "fastpath/kernel/kernel.h"

/* Attaches both programs. 0; -EAGAIN if a qdisc is missing and `make` is false; -EBUSY if the
 * host's qdiscs leave no room; `err` is filled. */
int tw_tc_attach(struct tw_kernel *kernel, uint32_t ifindex, bool make, struct tw_err *err);
/* Removes the filters, and the qdiscs that nothing else uses. */
void tw_tc_detach(uint32_t ifindex);
/* True if the first filter for frames from the guest has our handle. */
bool tw_tc_is_attached(uint32_t ifindex);
/* Puts tw_from_uplink before all other ingress filters. An ingress qdisc is added if there is none.
 * 0 or a negative errno. */
int tw_tc_attach_uplink(struct tw_kernel *kernel, uint32_t ifindex);
bool tw_tc_uplink_is_attached(struct tw_kernel *kernel, uint32_t ifindex);
/* True if a filter under our handle is one of our programs, by name. Needs CAP_SYS_ADMIN. */
bool tw_tc_is_ours(uint32_t ifindex);
int tw_tc_prove(struct tw_kernel *kernel, uint32_t ifindex, struct tw_kernel_proof *ret);
