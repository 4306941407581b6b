/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* join.h: loads the files of a joined text (files.h) as one tree.
 *
 * How:        each file is one YAML document. The members of a section are those of the files, in
 *             order. `version` may be repeated; any other key, and each name, exists once.
 */
#pragma once

#include "policy/policy.h"
#include "policy/yaml.h"

/* Reads a text, joined or not, as tw_yaml_load() does, and stores its files in the policy. */
int tw_join_load(const char *text, size_t len, struct tw_policy *policy, struct tw_arena *arena,
	struct tw_node **ret, struct tw_diags *diags);
