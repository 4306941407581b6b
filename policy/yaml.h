/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* yaml.h: reads policy text into a tree of nodes with their places.
 *
 * What:       the subset of YAML 1.2 that a policy may use: one document of mappings, sequences and
 *             scalars. Anchors, aliases, tags and merge keys are refused, so that a policy can be
 *             read from top to bottom and cannot expand.
 * Bounds:     TW_YAML_TEXT_MAX bytes, TW_YAML_NODES_MAX nodes, TW_YAML_DEPTH_MAX levels.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/arena.h"
#include "policy/policy.h"

#define TW_YAML_TEXT_MAX  ((size_t)64 << 20) /* fits one message of the link */
#define TW_YAML_NODES_MAX 6000000
#define TW_YAML_DEPTH_MAX 12

enum tw_node_kind {
	TW_NODE_BAD, /* already reported: readers skip it */
	TW_NODE_SCALAR,
	TW_NODE_SEQ,
	TW_NODE_MAP,
};

struct tw_node {
	enum tw_node_kind kind;
	unsigned int line;
	unsigned int column;
	bool plain;	       /* scalar without quotes */
	bool flow;	       /* sequence or mapping in brackets */
	const char *text;      /* scalar: NUL-terminated, no NUL within */
	struct tw_node *key;   /* key of a mapping's member: a scalar, or BAD */
	struct tw_node *first; /* members, in order */
	struct tw_node *next;
	size_t n;
};

/* Stores the root, owned by `arena`; NULL for an empty text. Returns 0, -EINVAL or -ENOMEM. With
 * -EINVAL `diags` has errors, and the root is stored if the whole tree could be built, so that
 * its content can be checked for more errors; otherwise it is NULL. */
int tw_yaml_load(const char *text, size_t len, struct tw_arena *arena, struct tw_node **ret,
	struct tw_diags *diags);

/* Adds `by` to the lines of a node and of everything in it. Returns the number of these nodes. */
size_t tw_yaml_move(struct tw_node *node, unsigned int by);
