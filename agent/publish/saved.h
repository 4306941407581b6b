/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* saved.h: ports.json and images.json, which let an agent know again what an earlier one put in force.
 *
 * Invariants: Both speak of the kernel's maps, and are ignored with those of another boot. What they do not
 *             say is rebuilt from the kernel and the policy.
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

/* Restores the networks and gives the ports, which the caller frees. */
int tw_saved_read_ports(
	struct tw_store *store, struct tw_ports *ports, struct tw_saved_port **ret, size_t *ret_n);

/* Saves what every used slot holds, and notes in the slots that it did. */
int tw_saved_write_images(struct tw_store *store, struct tw_images *images, struct tw_err *err);
/* Fills in slots, as saved but not used. */
void tw_saved_read_images(struct tw_store *store, struct tw_images *images);
