/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* layout.h: the views of a port's image, and the local addresses that each of them judges.
 *
 * Projection: only the part of each rule that can concern the port is kept. Local addresses that no
 *             rule distinguishes form one local class. A view of one class stores no local address;
 *             it holds the rules that contain the class. If a port's addresses fall into too many
 *             classes, as a router's do, one view judges all of them and looks up local addresses.
 * Beyond:     addresses that cannot be local at a port (concern.c) get the default. If the default
 *             allows, refusing rules towards the guest still apply to them, so that projection does
 *             not let in a frame for another host.
 * Sharing:    an image names its port's own addresses only where it must. Two ports with the
 *             same projected rules have equal layouts, identified by their keys, and share one
 *             image.
 */
#pragma once

#include "policy/compiler.h"

/* One direction. */
struct tw_layout_side {
	TW_VEC(struct tw_layout_view) views; /* views[i] is view i + 1 */
	uint32_t own[2];
	uint8_t broadcast[TW_LOCAL_BITS_MAX + 8];
	TW_VEC(tw_u128)
	keys[2]; /* local tree of each family: from keys[i] on the view is values[i] */
	TW_VEC(uint32_t) values[2];
	bool near_known;  /* while being built: true once the port's rules have been picked */
	size_t n_entries; /* number of entries that concern the port */
};

struct tw_layout {
	const struct tw_vnic *vnic;
	struct tw_layout_side side[TW_DIR__MAX];
	struct tw_image_key key;
};

/* Lists the entries of a view in order of match. Returns 0 or -ENOMEM. */
int tw_layout_entries(struct tw_compiler *c, enum tw_dir dir, const struct tw_layout_view *view,
	struct tw_entries *ret);
