/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/apply.h"

#include <errno.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/confirm.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/tripwire.h"
#include "agent/state/inforce.h"
#include "agent/state/policy_file.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/notify.h"
#include "policy/files.h"

static void log_dangers(const struct tw_apply *apply)
{
	const char *source = apply->order.source;

	tw_vec_foreach (&apply->applied.unprotected, row)
		tw_log(TW_LOG_WARNING, "policy %s: NOT FILTERED: %s, which was %s%s", source,
			row->port, row->workload[0] ? "the port of " : "protected", row->workload);
	tw_vec_foreach (&apply->applied.dangers, danger)
		tw_log(TW_LOG_WARNING, "policy %s: %s", source, *danger);
}

static void log_outcome(
	const struct tw_enforcement *enforcement, const struct tw_apply *apply, int result)
{
	const char *source = apply->order.source;

	tw_vec_foreach (&apply->diags, diag)
		tw_log(diag->severity == TW_SEV_ERROR ? TW_LOG_ERR : TW_LOG_WARNING,
			"%s%s%s:%u:%u: %s%s%s", source, diag->file ? tw_folder_slash(source) : "",
			diag->file ? diag->file : "", diag->file ? diag->file_line : diag->line,
			diag->column, diag->text, diag->hint ? "; " : "",
			diag->hint ? diag->hint : "");
	if (result < 0)
		tw_log(TW_LOG_ERR, "policy %s refused%s: %s%s%s", source,
			enforcement->inforce ? ", the old one stays" : "", apply->err.text,
			apply->err.hint[0] ? "; " : "", apply->err.hint);
	if (result < 0)
		return;
	log_dangers(apply);
	tw_log(TW_LOG_INFO,
		"policy %s is in force as number %llu: %zu rules, %zu workloads (%.1f ms)", source,
		(unsigned long long)enforcement->generation,
		tw_policy_n_rules(enforcement->inforce->policy),
		tw_policy_n_workloads(enforcement->inforce->policy),
		(double)(apply->applied.compile_ns + apply->applied.publish_ns) / 1e6);
}

void tw_apply_tell(const struct tw_enforcement *enforcement)
{
	if (enforcement->inforce)
		tw_notify("STATUS=%zu ports, policy number %llu from %s",
			enforcement->host->ports->list.n,
			(unsigned long long)enforcement->inforce->generation,
			enforcement->inforce->source);
	else
		tw_notify("STATUS=%zu ports, no policy is in force",
			enforcement->host->ports->list.n);
}

/* Called after an apply with its result. */
static void settle(
	struct tw_enforcement *enforcement, const struct tw_apply_order *order, int result)
{
	tw_confirm_settle(enforcement, order->confirm_s, result);
	if (!enforcement->confirm->pending)
		tw_tripwire_unset(enforcement->tripwire);
	else if (!result)
		tw_tripwire_begin(enforcement);
}

int tw_apply_policy(struct tw_enforcement *enforcement, struct tw_apply *apply)
{
	const struct tw_apply_order *order = &apply->order;
	int ret = 0;

	if (order->confirm_s && !order->dry_run)
		ret = tw_confirm_begin(enforcement, &apply->err);
	if (!ret && order->confirm_s && !order->dry_run)
		ret = tw_tripwire_set(enforcement, order->tripwire, &apply->err);
	if (!ret) {
		ret = tw_publish_apply(
			enforcement, order, &apply->diags, &apply->applied, &apply->err);
		if (!order->dry_run && !order->adopt)
			settle(enforcement, order, ret);
	}
	/* Without memory, diagnostics keep their lines in the joined text. */
	tw_files_place(order->text, order->len, &apply->diags);
	if (order->dry_run)
		return ret;
	log_outcome(enforcement, apply, ret);
	if (ret < 0)
		tw_policy_file_refused(
			enforcement->policy_file, apply->order.source, &apply->diags, &apply->err);
	else
		tw_policy_file_accepted(enforcement->policy_file);
	tw_apply_tell(enforcement);
	return ret;
}

int tw_apply_file(struct tw_enforcement *enforcement, struct tw_apply *apply, char **ret_text)
{
	const char *paths = enforcement->host->options->policy, *path;
	bool in_file; /* the error is about a file of the directory `path` */
	int ret;

	if (!paths)
		return tw_err_set(&apply->err, -EINVAL, "reload",
			"apply a file, or start the agent with --policy",
			"the agent was started without --policy");
	ret = tw_policy_file_find(enforcement->policy_file, paths, &path, &apply->err);
	apply->order.source = path;
	if (!ret)
		ret = tw_policy_file_read(path, ret_text, &apply->order.len, &apply->err);
	if (ret < 0) {
		in_file = strcmp(apply->err.place, path) != 0;
		tw_log(TW_LOG_ERR, "policy %s refused: %s%s%s", path,
			in_file ? apply->err.place : "", in_file ? ": " : "", apply->err.text);
		tw_policy_file_refused(enforcement->policy_file, path, NULL, &apply->err);
		return ret;
	}
	apply->order.text = *ret_text;
	return tw_apply_policy(enforcement, apply);
}

void tw_apply_done(struct tw_apply *apply)
{
	tw_diags_done(&apply->diags);
	tw_applied_done(&apply->applied);
}

static void look_at_tripwire(struct tw_enforcement *enforcement)
{
	struct tw_confirm *confirm = enforcement->confirm;
	char why[TW_CONFIRM_WHY_MAX];

	if (!confirm->pending)
		tw_tripwire_unset(enforcement->tripwire);
	else if (!confirm->tripped[0] && tw_tripwire_tick(enforcement)) {
		tw_tripwire_text(enforcement->tripwire, why, sizeof(why));
		tw_confirm_trip(confirm, why);
	}
}

void tw_apply_tick(struct tw_enforcement *enforcement)
{
	struct tw_confirm *confirm = enforcement->confirm;
	char why[TW_CONFIRM_WHY_MAX];
	struct tw_apply apply = {.order = {.text = confirm->text,
					 .by = {.comment = why},
					 .len = confirm->len,
					 .source = confirm->source,
					 .file_mark = confirm->file_mark,
					 .adopt = true,
					 .allow_unprotect = true}};
	tw_autofree char *from = NULL;

	look_at_tripwire(enforcement);
	if (!tw_confirm_is_over(confirm))
		return;
	tw_confirm_why(confirm, why);
	if (enforcement->inforce)
		from = tw_strdup(enforcement->inforce->source);
	if (tw_apply_policy(enforcement, &apply) < 0)
		tw_confirm_retry(confirm);
	else
		tw_confirm_note_return(enforcement, from ? from : "that was applied");
	tw_apply_done(&apply);
}
