/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* match.c: finds the rule of a connection by a linear search, for the few questions that are not worth an image. */
#include "policy/model.h"

static bool cells_match(
	const struct tw_cells *cells, const struct tw_first_packet *about, uint32_t family)
{
	tw_u128 key = (tw_u128)about->proto << TW_PROTO_SHIFT | about->detail;

	for (size_t i = 0; i < cells->n; i++) {
		const struct tw_cell *cell = &cells->at[i];

		if (cell->family & family && tw_ranges_has(&cell->keys->r, key) &&
			tw_ranges_has(&cell->sports->r, about->sport))
			return true;
	}
	return false;
}

size_t tw_policy_match(const struct tw_policy *policy, uint32_t space, enum tw_dir end,
	const struct tw_first_packet *about)
{
	const struct tw_policy *view = tw_spaces_view(policy, space);
	tw_u128 from = tw_set_number(&about->from), to = tw_set_number(&about->to);
	uint32_t family = from >= TW_V4_FIRST && from <= TW_V4_LAST ? TW_FAMILY_V4 : TW_FAMILY_V6;
	size_t n = tw_policy_n_rules(policy);

	for (size_t i = 0; i < n; i++) {
		const struct tw_rule *rule = &view->rules.at[i];

		if ((end == TW_DIR_OUT ? rule->info.at_out : rule->info.at_in) &&
			tw_ranges_has(&rule->from_set->r, from) &&
			tw_ranges_has(&rule->to_set->r, to) &&
			cells_match(rule->cells, about, family))
			return i;
	}
	return n;
}
