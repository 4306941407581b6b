/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* yaml.h: policy text as a tree of nodes that know their place.
 *
 * What:       the subset of YAML 1.2 that a policy may use: one document of mappings, sequences and
 *             scalars. Anchors, aliases, tags and merge keys are refused: a policy is to be read
 *             from top to bottom, and nothing in it may grow beyond what stands there.
 * Bounds:     TW_YAML_TEXT_MAX bytes, TW_YAML_NODES_MAX nodes, TW_YAML_DEPTH_MAX levels.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/arena.h"
#include "policy/policy.h"

#define TW_YAML_TEXT_MAX  ((size_t)15 * 1024 * 1024) /* fits one message of the link */
#define TW_YAML_NODES_MAX 3000000
#define TW_YAML_DEPTH_MAX 12

enum tw_node_kind {
	TW_NODE_BAD, /* was complained about already: readers pass over it in silence */
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
	struct tw_node *key;   /* of a member of a mapping: a scalar, or BAD */
	struct tw_node *first; /* members, in order */
	struct tw_node *next;
	size_t n;
};

/* Stores the root, owned by `arena`; NULL for an empty text. 0; -EINVAL with errors in `diags`, and
 * with the root if the whole tree could be built nevertheless, so that its content can be looked
 * through for more errors, else NULL; -ENOMEM. */
int tw_yaml_load(const char *text, size_t len, struct tw_arena *arena, struct tw_node **ret,
	struct tw_diags *diags);
