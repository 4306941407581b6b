/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/quarantine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/publish/enforcement.h"
#include "agent/publish/publish.h"
#include "base/clean.h"
#include "base/log.h"

static uint64_t unix_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec;
}

/* ---- changes ---- */

int tw_quarantine_add(struct tw_enforcement *enforcement, const struct tw_quarantine *quarantine,
	struct tw_err *err)
{
	struct tw_quarantines *all = enforcement->quarantines;
	struct tw_quarantine *q = tw_quarantines_find(all, quarantine->workload, NULL), old = {0};
	int ret = 0;

	if (q) {
		old = *q;
		*q = *quarantine;
		memcpy(q->ports, old.ports, sizeof(q->ports));
	} else if (all->list.n >= TW_QUARANTINES_MAX) {
		return tw_err_set(err, -ENOSPC, "quarantine", "lift some",
			"%u workloads are in quarantine", TW_QUARANTINES_MAX);
	} else {
		ret = tw_vec_push(&all->list, *quarantine);
	}
	if (ret)
		return tw_err_set(err, ret, "quarantine", NULL, "out of memory");
	/* The ports are shut before the file is written, which then also has their names. */
	ret = tw_publish_refresh(enforcement, err);
	if (!ret)
		ret = tw_quarantines_save(enforcement->quarantines, enforcement->store, err);
	if (!ret) {
		tw_degraded_end(&enforcement->degraded, TW_DEGRADED_QUARANTINE);
		tw_log(TW_LOG_WARNING, "workload %s is in quarantine, by %s: %s",
			quarantine->workload, quarantine->who, quarantine->reason);
		return 0;
	}
	q = tw_quarantines_find(all, quarantine->workload, NULL);
	if (old.workload[0])
		*q = old;
	else
		*q = all->list.at[--all->list.n];
	tw_publish_refresh(enforcement, NULL);
	return ret;
}

static int lift(struct tw_enforcement *enforcement, struct tw_quarantine *q, struct tw_err *err)
{
	struct tw_quarantines *all = enforcement->quarantines;
	const struct tw_quarantine old = *q;
	int ret;

	*q = all->list.at[--all->list.n];
	ret = tw_quarantines_save(enforcement->quarantines, enforcement->store, err);
	if (!ret)
		ret = tw_publish_refresh(enforcement, err);
	if (ret)
		/* There is room for the row that was removed. */
		all->list.at[all->list.n++] = old;
	return ret;
}

int tw_quarantine_lift(struct tw_enforcement *enforcement, const char *workload, struct tw_err *err)
{
	struct tw_quarantine *q = tw_quarantines_find(enforcement->quarantines, workload, NULL);
	int ret;

	if (!q)
		return tw_err_set(err, -ENOENT, tw_cleaned(workload).text,
			"tapwall quarantine lists the workloads in quarantine",
			"the workload is not in quarantine");
	ret = lift(enforcement, q, err);
	if (!ret)
		tw_log(TW_LOG_INFO, "workload %s is no longer in quarantine", workload);
	return ret;
}

void tw_quarantine_tick(struct tw_enforcement *enforcement)
{
	struct tw_quarantines *all = enforcement->quarantines;
	uint64_t now = unix_s();

	for (size_t i = 0; i < all->list.n; i++) {
		struct tw_quarantine q = all->list.at[i];
		struct tw_err err = {0};

		if (q.unsaved)
			tw_quarantines_save(enforcement->quarantines, enforcement->store, &err);
		if (!q.until_s || now < q.until_s)
			continue;
		/* A failed lift is tried again at the next tick, and logged once a minute. */
		if (!lift(enforcement, &all->list.at[i], &err))
			tw_log(TW_LOG_INFO,
				"workload %s is no longer in quarantine: its time is over",
				q.workload);
		else if (!(now % 60))
			tw_log(TW_LOG_ERR, "workload %s stays in quarantine: %s", q.workload,
				err.text);
		return;
	}
}
