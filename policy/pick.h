/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* pick.h: picks the rules that can concern a view or a port, as bits by their index in
 * c->rules[dir].all.
 *
 * Callers:    layout.c, after tw_named_enter() for the port.
 */
#pragma once

#include "policy/compiler.h"

void tw_pick_clear(const struct tw_rules_at *rules, uint64_t *picked);
/* Returns the next picked rule from index *i on and moves *i past it; NULL at the end. */
const struct tw_rule_at *tw_pick_next(
	const struct tw_rules_at *rules, const uint64_t *picked, size_t *i);
/* Picks the rules whose local addresses contain a class, as they are at every port. */
void tw_pick_class(
	const struct tw_compiler *c, enum tw_dir dir, int f, uint32_t class, uint64_t *picked);
/* Picks at least the rules that can be in a view. */
void tw_pick_for_view(struct tw_compiler *c, enum tw_dir dir, const struct tw_layout_view *view);
/* Completes `near`, the rules that concern the port. `by_class`: it already has those of each class. */
void tw_pick_near(const struct tw_compiler *c, enum tw_dir dir, const struct tw_ranges *concern,
	bool by_class);
/* Returns the address families in which both ends of a rule have addresses, at the port. */
uint32_t tw_pick_families(const struct tw_compiler *c, enum tw_dir dir, size_t index);
