/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/applied.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/plan.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "fastpath/abi/names.h"

#define DANGER_MAX    256
#define REFUSED_NAMES 4 /* maximum number of port names in an error */

static void add_name(struct tw_applied *applied, struct tw_name_list *list, const char *name)
{
	char *copy = tw_strdup(name);

	if (!copy || tw_vec_push(list, copy) < 0) {
		free(copy);
		applied->failed = true;
	}
}

struct changes {
	struct tw_applied *applied;
	const struct tw_policy *old; /* NULL: none */
	const struct tw_policy *now;
};

/* ---- what weakens protection ---- */

static void add_danger(struct tw_applied *applied, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_danger(struct tw_applied *applied, const char *format, ...)
{
	char text[DANGER_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add_name(applied, &applied->dangers, text);
}

static const struct tw_rule_info *default_of(const struct tw_policy *policy)
{
	return tw_policy_rule(policy, tw_policy_n_rules(policy));
}

/* The guard checks that a workload's vNICs omit. */
struct unguarded {
	size_t n_any;
	size_t n_no_mac;
};

static struct unguarded unguarded(const struct tw_policy *policy, const char *workload)
{
	const struct tw_vnic *first = tw_policy_find_workload(policy, workload);
	struct unguarded ret = {0};

	for (size_t i = first ? first->index : SIZE_MAX; i < tw_policy_n_vnics(policy); i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(policy, i);

		if (strcmp(vnic->workload, workload) != 0)
			break;
		ret.n_any += vnic->any;
		ret.n_no_mac += !vnic->has_mac;
	}
	return ret;
}

/* True if a workload's rules are not enforced. */
static bool is_observed(const struct tw_policy *policy, const char *workload)
{
	const struct tw_vnic *vnic = policy ? tw_policy_find_workload(policy, workload) : NULL;

	return vnic && vnic->observed;
}

static void find_mode_danger(const struct changes *changes, const char *workload)
{
	bool was = is_observed(changes->old, workload), is = is_observed(changes->now, workload);

	/* A change of options.mode is reported once, not for each workload. */
	if (was == is || (was == (changes->old && tw_policy_observes(changes->old)) &&
				 is == tw_policy_observes(changes->now)))
		return;
	if (is)
		add_danger(changes->applied,
			"workload %s: mode: observe: rules and default deny nothing", workload);
	else if (was)
		add_danger(changes->applied,
			"workload %s: mode: enforce: what the policy does not allow is denied from now on, also in live connections",
			workload);
}

static bool is_liberal(const struct tw_policy *policy, const char *workload)
{
	const struct tw_vnic *vnic = policy ? tw_policy_find_workload(policy, workload) : NULL;

	return vnic && vnic->liberal;
}

/* As find_mode_danger(), for `tcp`. */
static void find_tcp_danger(const struct changes *changes, const char *workload)
{
	bool was = is_liberal(changes->old, workload), is = is_liberal(changes->now, workload);
	bool existed = changes->old && tw_policy_find_workload(changes->old, workload);

	/* A change of options.tcp is reported once, not for each workload. */
	if (was || !is ||
		(tw_policy_liberal(changes->now) && !(existed && tw_policy_liberal(changes->old))))
		return;
	add_danger(changes->applied,
		"workload %s: tcp: liberal: segments that fit no connection pass, if rules allow one",
		workload);
}

static void find_workload_dangers(const struct changes *changes, const char *workload)
{
	struct unguarded was = unguarded(changes->old, workload);
	struct unguarded is = unguarded(changes->now, workload);

	if (is.n_any > was.n_any)
		add_danger(changes->applied,
			"workload %s: addresses: any: its guest may send from any address",
			workload);
	if (is.n_no_mac > was.n_no_mac)
		add_danger(changes->applied, "workload %s: no mac: its guest may send from any MAC",
			workload);
}

static void find_mode_dangers(const struct changes *changes)
{
	bool was = changes->old && tw_policy_observes(changes->old);
	bool is = tw_policy_observes(changes->now);

	if (is && !was)
		add_danger(changes->applied,
			"mode: enforce -> observe: rules and default deny nothing");
	if (tw_policy_liberal(changes->now) && !(changes->old && tw_policy_liberal(changes->old)))
		add_danger(changes->applied,
			"tcp: strict -> liberal: segments that fit no connection pass, if rules allow one");
	if (was && !is)
		add_danger(changes->applied,
			"mode: observe -> enforce: what the policy does not allow is denied from now on, also in live connections");
}

static void find_option_dangers(const struct changes *changes)
{
	const struct tw_policy *old = changes->old, *now = changes->now;

	if (default_of(now)->action == TW_V_ALLOW && default_of(old)->action != TW_V_ALLOW)
		add_danger(changes->applied, "default: %s -> allow: frames that match no rule pass",
			tw_verdict_name(default_of(old)->action));
	if (tw_policy_unclaimed(now) == TW_UNCLAIMED_IGNORE &&
		tw_policy_unclaimed(old) == TW_UNCLAIMED_DENY)
		add_danger(changes->applied,
			"unclaimed: deny -> ignore: ports without a workload are NOT FILTERED");
	if (tw_policy_ask_allows(now) && !tw_policy_ask_allows(old))
		add_danger(changes->applied,
			"ask: on-timeout: deny -> allow: connections pass if their question has no answer in time");
	if (tw_policy_bind(now) == TW_BIND_FIRST_SENDER &&
		tw_policy_bind(old) != TW_BIND_FIRST_SENDER)
		add_danger(changes->applied,
			"bind: first-sender: a guest can choose its workload by its MAC");
}

/* ---- ports ---- */

/* True if frames are judged at this port now, or if it is shut because of a conflict. */
static bool was_filtered(const struct tw_enforcement *enforcement, const struct tw_agent_port *port)
{
	const struct tw_port *live = &port->entry[enforcement->host->epoch & 1];

	if (port->binding.conflict)
		return true;
	return port->has_entry[enforcement->host->epoch & 1] && live->image &&
	       !(live->flags & TW_PORT_F_UNCLAIMED);
}

static void add_unprotected(struct tw_applied *applied, const struct tw_agent_port *port)
{
	const struct tw_vnic *vnic = port->vnic ? port->vnic : port->binding.about;
	struct tw_unprotected row = {tw_strdup(port->name), tw_strdup(vnic ? vnic->workload : "")};

	if (row.port && row.workload && !tw_vec_push(&applied->unprotected, row))
		return;
	free(row.port);
	free(row.workload);
	applied->failed = true;
}

int tw_applied_list_ports(struct tw_applied *applied, const struct tw_enforcement *enforcement,
	const struct tw_plan *plan)
{
	tw_vec_foreach (&plan->rows, row) {
		if (row->changed)
			add_name(applied, &applied->ports, row->port->name);
		if (!(row->entry.flags & TW_PORT_F_OPEN))
			continue;
		add_name(applied, &applied->open, row->port->name);
		if (was_filtered(enforcement, row->port))
			add_unprotected(applied, row->port);
	}
	return applied->failed ? -ENOMEM : 0;
}

int tw_applied_refuse(const struct tw_applied *applied, const char *source, struct tw_err *err)
{
	size_t n = applied->unprotected.n;
	char names[256];
	int len = 0;

	for (size_t i = 0; i < n && i < REFUSED_NAMES; i++) {
		const struct tw_unprotected *row = &applied->unprotected.at[i];

		len += snprintf(names + len, sizeof(names) - (size_t)len, "%s%s%s%.40s%s",
			i ? ", " : "", row->port, row->workload[0] ? " (" : "", row->workload,
			row->workload[0] ? ")" : "");
	}
	if (n > REFUSED_NAMES)
		snprintf(names + len, sizeof(names) - (size_t)len, ", and %zu more",
			n - REFUSED_NAMES);
	return tw_err_set(err, -ECANCELED, source,
		"correct the workload's port or mac; if the port is to be open, apply it with --allow-unprotect",
		"%zu protected port%s would be NOT FILTERED, because no workload has %s: %s", n,
		n == 1 ? "" : "s", n == 1 ? "it" : "them", names);
}

/* ---- all changes ---- */

static void on_change(void *arg, enum tw_changed what, enum tw_change change, const char *name)
{
	struct changes *changes = arg;
	struct tw_applied *applied = changes->applied;

	applied->unchanged = false;
	if (what == TW_CHANGED_RULE)
		add_name(applied, &applied->rules[change], name);
	else if (what == TW_CHANGED_WORKLOAD)
		add_name(applied, &applied->workloads[change], name);
	if (what == TW_CHANGED_WORKLOAD && change == TW_CHANGE_CHANGED && changes->old)
		find_workload_dangers(changes, name);
	if (what == TW_CHANGED_WORKLOAD && change != TW_CHANGE_REMOVED) {
		find_mode_danger(changes, name);
		find_tcp_danger(changes, name);
	}
}

/* Compares the policies as they are written, because learned addresses are no change. */
int tw_applied_compare(
	struct tw_applied *applied, const struct tw_inforce *old, const struct tw_inforce *now)
{
	struct changes changes = {applied, old ? old->written : NULL, now->written};
	int ret;

	applied->unchanged = true;
	find_mode_dangers(&changes);
	if (changes.old)
		find_option_dangers(&changes);
	ret = tw_policy_diff(changes.old, changes.now, on_change, &changes);
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
	list_done(&applied->open);
	list_done(&applied->dangers);
	tw_vec_foreach (&applied->unprotected, row) {
		free(row->port);
		free(row->workload);
	}
	tw_vec_done(&applied->unprotected);
}
