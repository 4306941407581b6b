/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* saved.h: ports.json and images.json, from which an agent restores what an earlier one knew about
 * the kernel's maps.
 *
 * Invariants: both files are ignored if they describe maps of an earlier boot. Missing facts are
 *             restored from the kernel and the policy.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ports/ports.h"
#include "agent/state/images.h"
#include "agent/state/store.h"
#include "base/err.h"

int tw_saved_write_ports(struct tw_store *store, const struct tw_ports *ports, struct tw_err *err);

/* Restores the networks and returns the ports, which the caller frees. */
int tw_saved_read_ports(
	struct tw_store *store, struct tw_ports *ports, struct tw_saved_port **ret, size_t *ret_n);

/* Saves the contents of every used slot, and marks the slots as saved. */
int tw_saved_write_images(struct tw_store *store, struct tw_images *images, struct tw_err *err);
/* Fills in the slots, marked as saved but not as used. */
void tw_saved_read_images(struct tw_store *store, struct tw_images *images);
