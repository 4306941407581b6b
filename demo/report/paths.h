/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* paths.h: the list of paths that the demo tries, read from a file (see demo/three-tier.paths).
 *
 * A path is tried in up to two families. Each try has an id, 2 * row + family, which identifies it
 * everywhere: by its source port (TW_LAB_PORT_BASE + id), by the token of a hand-built frame, and
 * in the reports of guests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "demo/frame.h"
#include "policy/policy.h"

#define TW_LAB_PORT_BASE 20000

enum tw_lab_family { TW_LAB_V4, TW_LAB_V6, TW_LAB_FAMILY__MAX };

enum tw_lab_way {
	TW_LAB_ASK,    /* sent by the guest's own stack */
	TW_LAB_HONEST, /* this and the following: hand-built frames */
	TW_LAB_AS_ADDRESS,
	TW_LAB_AS_MAC,
	TW_LAB_STRAY_ACK,
	TW_LAB_STRAY_SYNACK,
	TW_LAB_CLAIM_ARP,
	TW_LAB_CLAIM_ND,
	TW_LAB_PLAY_DHCP,
	TW_LAB_PLAY_ROUTER,
	TW_LAB_WAY__MAX
};

enum tw_lab_expect {
	TW_LAB_ANSWERED,
	TW_LAB_REFUSED,
	TW_LAB_SILENT,
	TW_LAB_ARRIVES,
	TW_LAB_LOST,
	TW_LAB_EXPECT__MAX
};

enum tw_lab_service { TW_LAB_SVC_NONE, TW_LAB_SVC_TCP, TW_LAB_SVC_UDP, TW_LAB_SVC_PING };

struct tw_lab_path {
	const struct tw_vnic *from;
	const struct tw_vnic *to;     /* NULL: all other guests */
	const struct tw_vnic *victim; /* guest whose identity is forged, or NULL */
	enum tw_lab_way way;
	enum tw_lab_service service;
	uint16_t port;
	enum tw_lab_expect expect;
	char *rule;   /* NULL: no rule decides */
	char *reason; /* name */
};

struct tw_lab_paths {
	struct tw_policy *policy;
	struct tw_lab_path *at;
	size_t n;
};

/* Reads the policy and the paths, and prints every error. Returns 0 or a negative errno. */
int tw_lab_paths_read(const char *policy_file, const char *paths_file, struct tw_lab_paths *ret);
void tw_lab_paths_done(struct tw_lab_paths *paths);

const char *tw_lab_expect_name(enum tw_lab_expect expect);

/* True if the path is tried in this family. */
bool tw_lab_path_in(const struct tw_lab_path *path, enum tw_lab_family family);
/* Returns the first address of the vNIC in the family, or NULL if it has none. */
const struct tw_addr *tw_lab_vnic_addr(const struct tw_vnic *vnic, enum tw_lab_family family);
unsigned int tw_lab_path_id(const struct tw_lab_paths *paths, const struct tw_lab_path *path,
	enum tw_lab_family family);

/* Builds the first frame of the path, as it leaves the sender. For TW_LAB_ASK: as the guest's stack
 * would send it, without a token. */
void tw_lab_path_spec(const struct tw_lab_paths *paths, const struct tw_lab_path *path,
	enum tw_lab_family family, struct tw_lab_spec *ret);

/* Describes a path for people: `tcp/8080`, `ping`, `claims db-1's address (ARP)`. `text` has `max`
 * bytes. */
void tw_lab_path_describe(const struct tw_lab_path *path, char *text, size_t max);
