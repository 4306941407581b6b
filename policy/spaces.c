/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* spaces.c: address spaces, `network: NAME`: sets of workloads whose addresses are unique only within
 * the set.
 *
 * How:        rules match addresses, so what a rule means depends on the address space of the port.
 *             The policy is resolved once for each space. A view is a copy of the policy with the
 *             same numbers for everything. It shares the memory of what does not differ.
 * Bounds:     TW_POLICY_SPACES_MAX named spaces; TW_POLICY_VIEWED_MAX rules in all views.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "policy/diag.h"
#include "policy/model.h"

size_t tw_spaces_n(const struct tw_policy *policy)
{
	return policy->views ? policy->space_names.all.n + 1 : 1;
}

const struct tw_policy *tw_spaces_view(const struct tw_policy *policy, uint32_t space)
{
	return policy->views ? policy->views[space] : policy;
}

/* Takes the addresses of all vNICs of other spaces away. Marks their workloads in `changed`. */
static void keep_space(struct tw_policy *view, uint32_t space, bool *changed)
{
	for (size_t w = 0; w < view->workloads.n; w++)
		for (size_t i = 0; i < view->workloads.at[w].n_nics; i++) {
			struct tw_nic *nic = &view->nics.at[view->workloads.at[w].first_nic + i];
			struct tw_vnic *vnic = &nic->pub;

			if (vnic->space == space)
				continue;
			nic->n_written = vnic->n_prefixes = vnic->n_learned = 0;
			vnic->any = vnic->dhcp = vnic->slaac = vnic->transit = false;
			changed[w] = true;
		}
	tw_vec_foreach (&view->rules, rule)
		if (rule->space && rule->space != space) {
			rule->info.disabled = true;
			rule->info.at_out = rule->info.at_in = false;
		}
}

static int make_view(
	struct tw_policy *policy, uint32_t space, struct tw_policy **ret, struct tw_diags *diags)
{
	tw_auto(tw_policy) struct tw_policy *view = NULL;
	tw_autofree bool *changed = tw_alloc_array(policy->workloads.n, sizeof(*changed));
	int err = changed ? tw_policy_copy(policy, true, &view) : -ENOMEM;

	if (!err)
		err = tw_policy_copy_rules(view, policy);
	if (err)
		return err;
	view->is_view = true;
	view->view_of = space;
	keep_space(view, space, changed);
	err = tw_policy_index(view);
	if (!err)
		err = tw_policy_resolve_again(view, policy, changed, diags);
	if (!err)
		*ret = TW_TAKE_PTR(view);
	return err;
}

int tw_spaces_make(struct tw_policy *policy, struct tw_diags *diags)
{
	size_t n = policy->space_names.all.n + 1;
	int err = 0;

	if (n == 1)
		return 0;
	if (n * policy->rules.n > TW_POLICY_VIEWED_MAX) {
		err = tw_diags_add(diags, TW_SEV_ERROR, 0, 0, "use fewer networks or fewer rules",
			"the policy is too large: %zu rules for each of %zu networks",
			policy->rules.n - 1, n - 1);
		return err ? err : -EINVAL;
	}
	policy->views = tw_alloc_array(n, sizeof(struct tw_policy *));
	if (!policy->views)
		return -ENOMEM;
	for (uint32_t space = 0; space < n && !err; space++)
		err = make_view(policy, space, &policy->views[space], diags);
	return err;
}

void tw_spaces_done(struct tw_policy *policy)
{
	for (size_t i = 0; policy->views && i <= policy->space_names.all.n; i++)
		tw_policy_free(policy->views[i]);
	free(policy->views);
	policy->views = NULL;
}
