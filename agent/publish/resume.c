/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/resume.h"

#include <errno.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/publish/apply.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "agent/state/policy_file.h"
#include "agent/state/present.h"
#include "agent/state/staged.h"
#include "agent/state/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"

#define REAPPLY_NS 5000000000u

static int apply_file(struct tw_enforcement *enforcement)
{
	tw_autofree char *text = NULL;
	struct tw_apply apply = {0};
	int ret = tw_apply_read_file(enforcement, &apply, &text);

	if (!ret)
		ret = tw_apply_now(enforcement, &apply);
	tw_apply_done(&apply);
	return ret;
}

/* Begins to apply the file. If the file cannot be read, `ended` is called, too. */
static void begin_file(struct tw_enforcement *enforcement, tw_apply_ended *ended)
{
	tw_autofree char *text = NULL;
	struct tw_apply apply = {0};
	int ret = tw_apply_read_file(enforcement, &apply, &text);

	if (!ret)
		ret = tw_apply_begin(enforcement, &apply.order, ended, enforcement);
	if (ret < 0)
		ended(enforcement, &apply, ret);
	tw_apply_done(&apply);
}

/* True if the text is that of the policy that was in force. This is checked with the kernel's mark
 * or, after a reboot, with the mark in rules.json. */
static bool is_believed(struct tw_enforcement *enforcement, const char *text, size_t len)
{
	uint64_t mark = enforcement->found.text ? enforcement->found.text
						: tw_staged_mark(enforcement->store);

	if (!mark)
		tw_log(TW_LOG_WARNING,
			"cannot verify that %s in the state directory is unchanged: there is no checksum",
			TW_STORE_POLICY);
	return !mark || mark == tw_policy_text_mark(text, len);
}

/* Loads the policy of an earlier agent, which keeps its generation and its age. `given` has its
 * origin. */
static int load_text(struct tw_enforcement *enforcement, const struct tw_saved_rules *saved,
	const struct tw_saved_given *given, const char *text, size_t len)
{
	/* An unchanged policy changes nothing, but ports may have changed meanwhile. */
	struct tw_apply apply = {.order = {.text = text,
					 .len = len,
					 .source = given->source,
					 .file_mark = given->file_mark,
					 .since_ns = saved->since_ns,
					 .adopt = true,
					 .allow_unprotect = true}};
	struct tw_refused refused = enforcement->policy_file->refused;
	uint64_t generation = enforcement->generation;
	int ret;

	/* The refusal of the --policy file is kept, because the user must correct that file. */
	enforcement->policy_file->refused = (struct tw_refused){0};
	enforcement->generation -= generation > 0;
	ret = tw_apply_now(enforcement, &apply);
	if (ret < 0)
		enforcement->generation = generation;
	tw_apply_done(&apply);
	if (refused.source) {
		tw_policy_file_accepted(enforcement->policy_file);
		enforcement->policy_file->refused = refused;
	}
	return ret;
}

/* Loads the policy from the state directory, unless another one was in force. */
static int load_saved(struct tw_enforcement *enforcement, const struct tw_saved_rules *saved,
	const struct tw_saved_given *given)
{
	tw_autofree char *text = NULL;
	size_t len;
	int ret = tw_store_read(enforcement->store, TW_STORE_POLICY, &text, &len);

	if (!ret && !is_believed(enforcement, text, len))
		ret = -ESTALE;
	if (ret < 0 && (ret == -ESTALE || enforcement->found.text ||
			       tw_present_number(enforcement->store, TW_STORE_POLICY)))
		tw_degraded_begin(&enforcement->degraded, TW_DEGRADED_POLICY,
			"%s in the state directory %s; the enforced policy stays: apply the policy again",
			TW_STORE_POLICY,
			ret == -ESTALE	 ? "is damaged, or older than the policy in force"
			: ret == -ENOENT ? "is missing"
					 : "cannot be read");
	return ret < 0 ? ret : load_text(enforcement, saved, given, text, len);
}

/* Loads the file of --policy if it has the text that the kernel enforces and the state directory
 * has another. */
static int load_live_file(
	struct tw_enforcement *enforcement, const struct tw_saved_rules *saved, uint64_t mark)
{
	tw_autofree char *text = NULL;
	struct tw_saved_given given = {.file_mark = mark};
	struct tw_err err = {0};
	const char *path;
	size_t len;
	int ret = tw_policy_file_find(
		enforcement->policy_file, enforcement->host->options->policy, &path, &err);

	if (!ret)
		ret = tw_policy_file_read(path, &text, &len, &err);
	snprintf(given.source, sizeof(given.source), "%s", path);
	return ret < 0 ? ret : load_text(enforcement, saved, &given, text, len);
}

/* True if the failure may be temporary: a full or read-only disk, too little memory, too few
 * descriptors, files that change while they are read. */
static bool may_pass(int ret)
{
	return ret == -EAGAIN || ret == -ENOSPC || ret == -EROFS || ret == -EDQUOT || ret == -EIO ||
	       ret == -ENOMEM || ret == -EMFILE || ret == -ENFILE;
}

/* Returns the name of a lost file that told which policy was in force, or NULL. */
static const char *find_lost(const struct tw_enforcement *enforcement)
{
	if (!tw_present_number(enforcement->store, TW_STORE_POLICY))
		return NULL;
	if (!tw_store_has(enforcement->store, TW_STORE_POLICY))
		return TW_STORE_POLICY;
	return tw_store_has(enforcement->store, TW_STORE_RULES) ? NULL : TW_STORE_RULES;
}

static void on_applied_again(void *arg, struct tw_apply *apply, int result)
{
	struct tw_enforcement *enforcement = arg;

	if (may_pass(result))
		enforcement->reapply_ns = tw_clock_ns() + REAPPLY_NS;
}

void tw_resume_again(struct tw_enforcement *enforcement)
{
	if (!enforcement->reapply_ns || tw_clock_ns() < enforcement->reapply_ns ||
		enforcement->unstaged || !tw_apply_is_idle(enforcement))
		return;
	enforcement->reapply_ns = 0;
	begin_file(enforcement, on_applied_again);
}

void tw_resume_policy(struct tw_enforcement *enforcement, const struct tw_saved_rules *saved)
{
	const char *paths = enforcement->host->options->policy, *path = NULL;
	uint64_t file = tw_policy_file_mark(enforcement->policy_file, paths);
	const char *lost = find_lost(enforcement);
	struct tw_saved_given given;
	int ret = 0;
	bool same;

	if (paths)
		tw_policy_file_find(enforcement->policy_file, paths, &path, NULL);
	tw_staged_load_given(enforcement->store, &given);
	if (file && file == enforcement->found.text && file != given.mark &&
		!load_live_file(enforcement, saved, file))
		return;
	same = file && file == given.mark;
	if (path && !same && (!file || file != given.file_mark)) {
		ret = apply_file(enforcement);
		if (!ret) {
			if (lost)
				tw_degraded_begin(&enforcement->degraded, TW_DEGRADED_POLICY,
					"%s in the state directory was missing: %s is in force now, and may be older than the policy before; apply one",
					lost, path);
			return;
		}
		/* A mark that differs from the file's makes the next start try the file again. */
		given.file_mark = given.file_mark ? given.file_mark : 1;
	} else if (path && !same) {
		tw_log(TW_LOG_WARNING,
			"policy %s was applied after %s last changed, and stays in force",
			given.source, path);
	}
	if (same) {
		snprintf(given.source, sizeof(given.source), "%s", path);
		given.file_mark = file;
	}
	if (load_saved(enforcement, saved, &given) < 0)
		tw_log(TW_LOG_WARNING,
			"no policy is in force: filtered ports stay filtered, guests that ran before are NOT FILTERED, new ports are shut; apply one");
	if (may_pass(ret))
		enforcement->reapply_ns = tw_clock_ns() + REAPPLY_NS;
}

static void on_reloaded(void *arg, struct tw_apply *apply, int result)
{
	tw_notify("READY=1");
}

void tw_resume_reload(struct tw_enforcement *enforcement)
{
	tw_notify_reloading();
	if (enforcement->host->options->policy) {
		begin_file(enforcement, on_reloaded);
		return;
	}
	tw_log(TW_LOG_INFO, "nothing to reload: started without --policy");
	tw_notify("READY=1");
}
