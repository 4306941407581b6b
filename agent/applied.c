/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/applied.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/inforce.h"
#include "agent/plan.h"
#include "base/alloc.h"

static void add_name(struct tw_applied *applied, struct tw_name_list *list, const char *name)
{
	char *copy = tw_strdup(name);

	if (!copy || tw_vec_push(list, copy) < 0) {
		free(copy);
		applied->failed = true;
	}
}

static void on_change(void *arg, enum tw_changed what, enum tw_change change, const char *name)
{
	struct tw_applied *applied = arg;

	applied->unchanged = false;
	if (what == TW_CHANGED_RULE)
		add_name(applied, &applied->rules[change], name);
	else if (what == TW_CHANGED_WORKLOAD)
		add_name(applied, &applied->workloads[change], name);
}

int tw_applied_fill(struct tw_applied *applied, const struct tw_inforce *old,
	const struct tw_inforce *now, const struct tw_plan *plan)
{
	int ret;

	applied->unchanged = true;
	ret = tw_policy_diff(old ? old->policy : NULL, now->policy, on_change, applied);
	tw_vec_foreach (&plan->rows, row)
		if (row->changed)
			add_name(applied, &applied->ports, row->port->name);
	if (!ret && applied->failed)
		ret = -ENOMEM;
	return ret;
}

static void list_done(struct tw_name_list *list)
{
	tw_vec_foreach (list, name)
		free(*name);
	tw_vec_done(list);
}

void tw_applied_done(struct tw_applied *applied)
{
	for (size_t i = 0; i <= TW_CHANGE_CHANGED; i++) {
		list_done(&applied->rules[i]);
		list_done(&applied->workloads[i]);
	}
	list_done(&applied->ports);
}
