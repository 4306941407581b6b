/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/saving.h"

#include <string.h>

#include "agent/ports/host.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/kept.h"
#include "agent/state/images.h"
#include "agent/state/inforce.h"
#include "agent/state/present.h"
#include "agent/state/saved.h"
#include "agent/state/staged.h"
#include "agent/state/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "policy/diag.h"

#define RETRY_NS 1000000000u

void tw_saving_works(struct tw_enforcement *enforcement)
{
	if (!enforcement->unstaged && !enforcement->unkept && !enforcement->save_ns &&
		!enforcement->kept->failed)
		tw_degraded_end(&enforcement->degraded, TW_DEGRADED_STORE);
}

void tw_saving_state(struct tw_enforcement *enforcement)
{
	struct tw_err err = {0};
	int ret = 0;

	if (!enforcement->unsaved && !enforcement->images->changed)
		return;
	if (tw_clock_ns() < enforcement->save_ns)
		return;
	if (enforcement->unsaved)
		ret = tw_saved_write_ports(enforcement->store, enforcement->host->ports, &err);
	if (!ret)
		enforcement->unsaved = false;
	if (!ret && enforcement->images->changed)
		ret = tw_saved_write_images(enforcement->store, enforcement->images, &err);
	if (!ret)
		enforcement->images->changed = false;
	enforcement->save_ns = ret < 0 ? tw_clock_ns() + RETRY_NS : 0;
	if (ret < 0)
		tw_degraded_begin(
			&enforcement->degraded, TW_DEGRADED_STORE, "%s: %s", err.place, err.text);
	else
		tw_saving_works(enforcement);
}

static int keep_files(struct tw_enforcement *enforcement, int sync_code, struct tw_err *err)
{
	if (sync_code < 0)
		return tw_err_set(err, sync_code, "state",
			"free disk space, or choose another --state-dir",
			"cannot write the policy to disk: %s", strerror(-sync_code));
	return tw_store_keep(enforcement->store, err);
}

/* Waits until the files of the policy in force are on disk. After a failure this is retried. */
static void keep(struct tw_enforcement *enforcement, int sync_code, struct tw_diags *diags)
{
	struct tw_err err = {0};
	bool failed = !enforcement->unstaged && keep_files(enforcement, sync_code, &err) < 0;

	enforcement->keeping = false;
	/* Nothing was staged. */
	if (enforcement->unstaged)
		return;
	if (failed)
		tw_degraded_begin(&enforcement->degraded, TW_DEGRADED_STORE,
			"the policy in force is not saved, and an agent that starts now would not know it: %s; %s",
			err.text, err.hint);
	if (failed && diags)
		tw_diags_add(diags, TW_SEV_WARNING, 0, 0, err.hint,
			"the policy is in force, but not saved: %s", err.text);
	if (!failed && enforcement->unkept)
		tw_log(TW_LOG_INFO, "the policy in force is saved now");
	/* If the note cannot be written, it is tried again with the next policy. */
	if (!failed)
		tw_present_note(enforcement->store, TW_STORE_POLICY, 1, NULL);
	enforcement->unkept = failed;
	tw_saving_works(enforcement);
}

/* True if policy.yaml has the text in force. */
static bool is_linkable(const struct tw_enforcement *enforcement)
{
	return !enforcement->unstaged && !enforcement->unkept && !enforcement->keeping;
}

/* Keeps the policy in force for `tapwall rollback`. After a failure this is retried. */
static void keep_version(
	struct tw_enforcement *enforcement, const struct tw_authorship *by, struct tw_diags *diags)
{
	struct tw_err err = {0};

	if (tw_versions_add(enforcement->versions, enforcement->store, enforcement->inforce, by,
		    is_linkable(enforcement), &err) < 0)
		tw_diags_add(diags, TW_SEV_WARNING, 0, 0, err.hint,
			"the policy is in force, but not in the list of tapwall policy --history: %s",
			err.text);
}

int tw_saving_stage(struct tw_enforcement *enforcement, const struct tw_inforce *inforce,
	uint32_t epoch, bool adopt, struct tw_err *err)
{
	struct tw_err why = {0};
	int ret = tw_staged_write(enforcement->store, enforcement->slots, inforce, epoch, &why);

	enforcement->unstaged = ret < 0 && adopt;
	if (enforcement->unstaged) {
		enforcement->restage_ns = tw_clock_ns() + RETRY_NS;
		tw_degraded_begin(
			&enforcement->degraded, TW_DEGRADED_STORE, "%s: %s", why.place, why.text);
		return 0;
	}
	if (ret < 0 && err)
		*err = why;
	return ret;
}

static void restage(struct tw_enforcement *enforcement)
{
	struct tw_err err = {0};

	if (tw_clock_ns() < enforcement->restage_ns)
		return;
	enforcement->restage_ns = tw_clock_ns() + RETRY_NS;
	if (tw_staged_write(enforcement->store, enforcement->slots, enforcement->inforce,
		    enforcement->host->epoch, &err) < 0)
		return;
	enforcement->unstaged = false;
	keep(enforcement, 0, NULL);
}

void tw_saving_keep(struct tw_enforcement *enforcement, const struct tw_authorship *by,
	int sync_code, struct tw_diags *diags)
{
	keep(enforcement, sync_code, diags);
	keep_version(enforcement, by, diags);
}

void tw_saving_retry(struct tw_enforcement *enforcement)
{
	if (enforcement->unkept)
		keep(enforcement, 0, NULL);
}

void tw_saving_tick(struct tw_enforcement *enforcement)
{
	tw_saving_retry(enforcement);
	if (enforcement->unstaged && enforcement->inforce)
		restage(enforcement);
	tw_versions_tick(enforcement->versions, enforcement->store, enforcement->inforce,
		is_linkable(enforcement));
}

void tw_saving_end(struct tw_enforcement *enforcement)
{
	if (enforcement->keeping)
		keep(enforcement, 0, NULL);
}
