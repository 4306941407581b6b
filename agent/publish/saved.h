/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* saved.h: ports.json and images.json, by which an agent recognizes what an earlier one put in
 * force.
 *
 * Invariants: Both describe the kernel's maps, and are ignored if these are of another boot.
 *             Missing facts are rebuilt from the kernel and the policy.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ports/ports.h"
#include "agent/publish/images.h"
#include "agent/publish/store.h"
#include "base/err.h"

int tw_saved_write_ports(struct tw_store *store, const struct tw_ports *ports, struct tw_err *err);

/* Restores the networks and returns the ports, which the caller frees. */
int tw_saved_read_ports(
	struct tw_store *store, struct tw_ports *ports, struct tw_saved_port **ret, size_t *ret_n);

/* Saves the contents of every used slot, and marks the slots as saved. */
int tw_saved_write_images(struct tw_store *store, struct tw_images *images, struct tw_err *err);
/* Fills in the slots, as saved but not in use. */
void tw_saved_read_images(struct tw_store *store, struct tw_images *images);
