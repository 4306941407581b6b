/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/quarantine.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/ports/host.h"
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

/* ---- transactions ---- */

/* Puts the old list back. The file may already have the new one, so the number is kept, and the next
 * tick writes the file again. */
static void restore_list(struct tw_quarantines *all, struct tw_quarantines *old)
{
	old->number = all->number;
	old->unsaved = true;
	tw_quarantines_done(all);
	*all = *old;
	*old = (struct tw_quarantines){0};
}

/* Puts the list, which opens no port, in force, and stores it. The ports are shut first, so that the
 * file has their names. If that fails, restores `old`. If only the file cannot be written, restores
 * `old` unless `keep` is true: then the next tick writes the file. Takes `old` over. */
static int shut_ports(struct tw_enforcement *enforcement, struct tw_quarantines *old, bool keep,
	struct tw_err *err)
{
	struct tw_quarantines *all = enforcement->quarantines;
	int ret = tw_publish_refresh(enforcement, err);

	if (ret)
		keep = false;
	else
		ret = tw_quarantines_save(all, enforcement->store, err);
	if (ret && !keep) {
		restore_list(all, old);
		tw_publish_refresh(enforcement, NULL);
	}
	tw_quarantines_done(old);
	return ret;
}

/* Stores the list, which may open ports, and puts it in force. The file is written first, so that no
 * port opens if that fails. Restores `old` on failure. Takes `old` over. */
static int open_ports(
	struct tw_enforcement *enforcement, struct tw_quarantines *old, struct tw_err *err)
{
	struct tw_quarantines *all = enforcement->quarantines;
	int ret = tw_quarantines_save(all, enforcement->store, err);

	if (!ret)
		ret = tw_publish_refresh(enforcement, err);
	if (ret)
		restore_list(all, old);
	tw_quarantines_done(old);
	return ret;
}

static int no_memory(struct tw_err *err)
{
	return tw_err_set(err, -ENOMEM, "quarantine", NULL, "out of memory");
}

/* Adds a row, or replaces the one of its workload and kind. */
static int put_row(struct tw_quarantines *all, const struct tw_quarantine *row, struct tw_err *err)
{
	struct tw_quarantine *q = tw_quarantines_row(all, row->workload, row->change);

	if (q) {
		struct tw_quarantine old = *q;

		*q = *row;
		memcpy(q->ports, old.ports, sizeof(q->ports));
		return 0;
	}
	if (tw_quarantines_count(all, row->change) >= TW_QUARANTINES_MAX)
		return tw_err_set(err, -ENOSPC, "quarantine", "lift some",
			"%u workloads are in quarantine", TW_QUARANTINES_MAX);
	return tw_vec_push(&all->list, *row) ? no_memory(err) : 0;
}

/* ---- changes of this host ---- */

int tw_quarantine_add(struct tw_enforcement *enforcement, const struct tw_quarantine *quarantine,
	struct tw_err *err)
{
	struct tw_quarantines old;
	int ret;

	if (tw_quarantines_copy(enforcement->quarantines, &old))
		return no_memory(err);
	ret = put_row(enforcement->quarantines, quarantine, err);
	if (ret) {
		tw_quarantines_done(&old);
		return ret;
	}
	ret = shut_ports(enforcement, &old, false, err);
	if (ret)
		return ret;
	tw_degraded_end(&enforcement->degraded, TW_DEGRADED_QUARANTINE);
	tw_log(TW_LOG_WARNING, "workload %s is in quarantine, by %s: %s", quarantine->workload,
		quarantine->who, quarantine->reason);
	return 0;
}

/* Drops the rows that stand for a lost list and whose port `row` has, too. */
static void drop_lost(struct tw_quarantines *all, const struct tw_quarantine *row)
{
	for (size_t i = all->list.n; i-- > 0;) {
		struct tw_quarantine *q = &all->list.at[i];

		for (size_t k = 0; k < TW_QUARANTINE_PORTS && q->lost; k++)
			if (row->ports[k][0] && !strcmp(row->ports[k], q->ports[0])) {
				tw_quarantines_drop(all, q);
				break;
			}
	}
}

int tw_quarantine_lift(struct tw_enforcement *enforcement, const char *workload, const char *who,
	struct tw_err *err)
{
	struct tw_quarantines *all = enforcement->quarantines, old;
	struct tw_quarantine *here = tw_quarantines_row(all, workload, false);
	struct tw_quarantine *slow = tw_quarantines_row(all, workload, true);
	int ret;

	if (slow && slow->ended_s)
		slow = NULL;
	if (!here && !slow)
		return tw_err_set(err, -ENOENT, tw_cleaned(workload).text,
			"tapwall quarantine lists the workloads in quarantine",
			"the workload is not in quarantine");
	if (tw_quarantines_copy(all, &old))
		return no_memory(err);
	if (slow) {
		slow->ended_s = unix_s();
		snprintf(slow->ended_by, sizeof(slow->ended_by), "%s", who);
		all->n_ended++;
	}
	if (here) {
		const struct tw_quarantine copy = *here;

		tw_quarantines_drop(all, here);
		drop_lost(all, &copy);
	}
	ret = open_ports(enforcement, &old, err);
	if (!ret)
		tw_log(TW_LOG_WARNING, "workload %s is no longer in quarantine, by %s%s", workload,
			who, slow ? "; the slow path still wants it" : "");
	return ret;
}

/* ---- changes of the slow path ---- */

/* Returns the row that a change is about; NULL if it is newer than the change, or there is none. */
static struct tw_quarantine *find_older(
	const struct tw_quarantines *all, const struct tw_quarantine_change *change)
{
	struct tw_quarantine *q = tw_quarantines_row(all, change->row.workload, true);

	return q && q->change < change->row.change ? q : NULL;
}

static int begin_all(struct tw_enforcement *enforcement, const struct tw_quarantine_change *changes,
	size_t n, struct tw_err *err)
{
	struct tw_quarantines *all = enforcement->quarantines, old;
	bool changed = all->unsaved;
	int ret = 0;

	if (tw_quarantines_copy(all, &old))
		return no_memory(err);
	for (size_t i = 0; i < n && !ret; i++) {
		const struct tw_quarantine *row = &changes[i].row;

		if (changes[i].lift || (row->until_s && row->until_s <= unix_s()) ||
			(tw_quarantines_row(all, row->workload, true) &&
				!find_older(all, &changes[i])))
			continue;
		ret = put_row(all, row, err);
		changed = true;
		if (!ret)
			tw_log(TW_LOG_WARNING,
				"workload %s is in quarantine, through the slow path by %s: %s",
				row->workload, row->who, row->reason);
	}
	if (!ret && changed)
		return shut_ports(enforcement, &old, true, err);
	if (ret)
		restore_list(all, &old);
	tw_quarantines_done(&old);
	return ret;
}

static int end_all(struct tw_enforcement *enforcement, const struct tw_quarantine_change *changes,
	size_t n, struct tw_err *err)
{
	struct tw_quarantines *all = enforcement->quarantines, old;
	bool changed = false;
	int ret = 0;

	if (tw_quarantines_copy(all, &old))
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		struct tw_quarantine *q = changes[i].lift ? find_older(all, &changes[i]) : NULL;

		if (!q)
			continue;
		tw_log(TW_LOG_INFO, "the slow path has lifted its quarantine of workload %s",
			q->workload);
		tw_quarantines_drop(all, q);
		changed = true;
	}
	if (changed)
		ret = open_ports(enforcement, &old, err);
	else
		tw_quarantines_done(&old);
	return ret;
}

int tw_quarantine_change(struct tw_enforcement *enforcement,
	const struct tw_quarantine_change *changes, size_t n, struct tw_err *err)
{
	int ret = begin_all(enforcement, changes, n, err);

	return ret ? ret : end_all(enforcement, changes, n, err);
}

/* ---- time ---- */

/* Lifts all rows whose time is over. A failed lift is tried again at the next tick, and logged once a
 * minute. */
static void end_overdue(struct tw_enforcement *enforcement, uint64_t now)
{
	struct tw_quarantines *all = enforcement->quarantines, old;
	struct tw_err err = {0};

	if (tw_quarantines_copy(all, &old))
		return;
	for (size_t i = all->list.n; i-- > 0;)
		if (all->list.at[i].until_s && now >= all->list.at[i].until_s)
			tw_quarantines_drop(all, &all->list.at[i]);
	if (open_ports(enforcement, &old, &err)) {
		if (!(now % 60))
			tw_log(TW_LOG_ERR, "workloads stay in quarantine after their time: %s",
				err.text);
		return;
	}
	tw_log(TW_LOG_INFO, "quarantines have expired; %zu remain", all->list.n);
}

void tw_quarantine_load(struct tw_enforcement *enforcement)
{
	struct tw_quarantines *all = enforcement->quarantines;
	const char *wrong = tw_quarantines_load(all, enforcement->store);
	char name[IFNAMSIZ];

	if (!wrong)
		return;
	tw_vec_foreach (&enforcement->host->adopted, adopted)
		if (adopted->entry.flags & TW_PORT_F_QUARANTINED &&
			if_indextoname(adopted->ifindex, name) &&
			tw_quarantines_keep_port(all, name))
			tw_log(TW_LOG_ERR, "out of memory: port %s is NOT in quarantine", name);
	all->unsaved |= all->list.n > 0;
	tw_degraded_begin(&enforcement->degraded, TW_DEGRADED_QUARANTINE,
		"%s in the state directory %s: ports that are in quarantine stay so; repeat tapwall quarantine for other workloads",
		TW_STORE_QUARANTINE, wrong);
}

void tw_quarantine_tick(struct tw_enforcement *enforcement)
{
	struct tw_quarantines *all = enforcement->quarantines;
	uint64_t now = unix_s();
	bool unsaved = all->unsaved, overdue = false;

	tw_vec_foreach (&all->list, q) {
		unsaved |= q->unsaved;
		overdue |= q->until_s && now >= q->until_s;
	}
	if (unsaved)
		tw_quarantines_save(all, enforcement->store, NULL);
	if (overdue)
		end_overdue(enforcement, now);
}
