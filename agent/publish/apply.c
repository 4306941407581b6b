/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/apply.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/confirm.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/saving.h"
#include "agent/publish/tripwire.h"
#include "agent/state/inforce.h"
#include "agent/state/policy_file.h"
#include "agent/state/slots.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/worker.h"
#include "policy/files.h"

#define LARGE	    ((size_t)1 << 20) /* bytes of a text whose reading is logged */
#define PREPARE_MAX 3		      /* times a policy is prepared */
#define END_MS	    1000	      /* time to wait for the thread when the agent stops */

static void log_dangers(const struct tw_apply *apply)
{
	const char *source = apply->order.source;

	tw_vec_foreach (&apply->applied.unprotected, row)
		tw_log(TW_LOG_WARNING, "policy %s: NOT FILTERED: %s, which was %s%s", source,
			row->port, row->workload[0] ? "the port of " : "protected", row->workload);
	tw_vec_foreach (&apply->applied.dangers, danger)
		tw_log(TW_LOG_WARNING, "policy %s: %s", source, *danger);
}

static void log_diags(const struct tw_apply *apply)
{
	const char *source = apply->order.source;

	tw_vec_foreach (&apply->diags, diag)
		tw_log(diag->severity == TW_SEV_ERROR ? TW_LOG_ERR : TW_LOG_WARNING,
			"%s%s%s:%u:%u: %s%s%s", source, diag->file ? tw_folder_slash(source) : "",
			diag->file ? diag->file : "", diag->file ? diag->file_line : diag->line,
			diag->column, diag->text, diag->hint ? "; " : "",
			diag->hint ? diag->hint : "");
}

static void log_success(const struct tw_enforcement *enforcement, const struct tw_apply *apply)
{
	log_dangers(apply);
	tw_log(TW_LOG_INFO,
		"policy %s is in force as number %llu: %zu rules, %zu workloads (%.1f ms)",
		apply->order.source, (unsigned long long)enforcement->generation,
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

/* ---- the steps of an order ---- */

static void begin(struct tw_enforcement *enforcement, struct tw_apply *apply)
{
	/* A file that changes from now on is newer than the policy. */
	if (!apply->order.file_mark)
		apply->order.file_mark = tw_policy_file_mark(
			enforcement->policy_file, enforcement->host->options->policy);
	tw_draft_begin(&apply->draft, enforcement);
}

/* Runs in any thread. Without memory, diagnostics keep their lines in the joined text. */
static void read_policy(struct tw_apply *apply)
{
	tw_draft_read(&apply->draft, &apply->order, &apply->diags, &apply->applied);
	tw_files_place(apply->order.text, apply->order.len, &apply->diags);
}

/* Notes the host's state for a policy that was read. */
static void begin_preparing(struct tw_enforcement *enforcement, struct tw_apply *apply)
{
	int ret;

	tw_prepare_done(&apply->prepared);
	ret = tw_prepare_begin(&apply->prepared, enforcement, apply->draft.inforce);
	if (ret < 0)
		apply->draft.code = ret;
}

static void refuse(struct tw_enforcement *enforcement, struct tw_apply *apply)
{
	tw_files_place(apply->order.text, apply->order.len, &apply->diags);
	if (apply->order.dry_run)
		return;
	log_diags(apply);
	tw_log(TW_LOG_ERR, "policy %s refused%s: %s%s%s", apply->order.source,
		enforcement->inforce ? ", the old one stays" : "", apply->err.text,
		apply->err.hint[0] ? "; " : "", apply->err.hint);
	tw_policy_file_refused(
		enforcement->policy_file, apply->order.source, &apply->diags, &apply->err);
}

static void settle_return(
	struct tw_enforcement *enforcement, const struct tw_apply *apply, int result)
{
	const struct tw_inforce *from = apply->draft.old;

	if (result < 0)
		tw_confirm_retry(enforcement->confirm);
	else
		tw_confirm_note_return(enforcement, from ? from->source : "that was applied");
}

/* Puts the policy that was read in force, and reports that. */
static int put_in_force(struct tw_enforcement *enforcement, struct tw_apply *apply)
{
	const struct tw_apply_order *order = &apply->order;
	int ret = 0;

	if (order->confirm_s && !order->dry_run)
		ret = tw_confirm_begin(enforcement, &apply->err);
	if (!ret && order->confirm_s && !order->dry_run)
		ret = tw_tripwire_set(enforcement, order->tripwire, &apply->err);
	if (!ret) {
		ret = tw_publish_apply(enforcement, order, &apply->draft, &apply->prepared,
			&apply->diags, &apply->applied, &apply->err);
		if (!order->dry_run && !order->adopt)
			settle(enforcement, order, ret);
	}
	if (ret < 0)
		refuse(enforcement, apply);
	if (!ret && !order->dry_run) {
		log_success(enforcement, apply);
		tw_policy_file_accepted(enforcement->policy_file);
	}
	if (!order->dry_run)
		tw_apply_tell(enforcement);
	if (order->returns)
		settle_return(enforcement, apply, ret);
	return ret;
}

/* Runs in any thread. Also frees the policy that was in force before, which takes long if it was large. */
static int look_for_warnings(struct tw_apply *apply)
{
	int ret = tw_draft_check(&apply->draft, &apply->diags);

	tw_prepare_done(&apply->prepared);
	tw_draft_done(&apply->draft);
	tw_files_place(apply->order.text, apply->order.len, &apply->diags);
	return ret;
}

static void log_warnings(const struct tw_apply *apply, int result)
{
	if (result < 0)
		tw_log(TW_LOG_WARNING,
			"policy: out of memory while looking for rules that never match");
	if (!apply->order.dry_run)
		log_diags(apply);
}

int tw_apply_now(struct tw_enforcement *enforcement, struct tw_apply *apply)
{
	int ret;

	begin(enforcement, apply);
	read_policy(apply);
	if (!apply->draft.code)
		begin_preparing(enforcement, apply);
	if (!apply->draft.code)
		tw_prepare_run(&apply->prepared, apply->draft.inforce);
	ret = put_in_force(enforcement, apply);
	if (!ret && !apply->order.dry_run)
		tw_saving_keep(enforcement, &apply->order.by, 0, &apply->diags);
	if (!ret)
		log_warnings(apply, look_for_warnings(apply));
	return ret;
}

int tw_apply_read_file(struct tw_enforcement *enforcement, struct tw_apply *apply, char **ret_text)
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
	apply->order.file_mark = tw_policy_text_mark(*ret_text, apply->order.len);
	return 0;
}

void tw_apply_done(struct tw_apply *apply)
{
	tw_prepare_done(&apply->prepared);
	tw_draft_done(&apply->draft);
	tw_diags_done(&apply->diags);
	tw_applied_done(&apply->applied);
	/* Gives the kernel back the memory that reading a large text took. */
	if (apply->order.len >= LARGE)
		malloc_trim(0);
}

/* ---- orders, and the thread that reads them ---- */

struct tw_apply_job {
	struct tw_work work; /* first, so that the thread finds the job */
	struct tw_apply_job *next;
	struct tw_enforcement *enforcement; /* the thread does not touch it */
	struct tw_apply apply;		    /* its order points to text and strings */
	char *text;			    /* as it came; NULL: the policy was read */
	struct tw_shared_text *shared;	    /* the text that the policy has; NULL: none yet */
	char *source;
	char *author;
	char *comment;
	enum tw_apply_step step;
	uint64_t since_ns;	 /* when it was ordered */
	unsigned int n_prepared; /* times it was prepared */
	int code;		 /* result of saving or checking */
	tw_apply_ended *ended;	 /* NULL: none, or its client has left */
	void *arg;
};

struct tw_applies {
	struct tw_loop *loop;
	struct tw_watch watch;
	struct tw_worker *worker;
	struct tw_apply_job *running; /* NULL: none */
	struct tw_apply_job *waiting, **last;
	size_t n;     /* orders, with the running one */
	size_t bytes; /* of their texts */
};

static void job_free(struct tw_apply_job *job)
{
	if (!job)
		return;
	tw_apply_done(&job->apply);
	free(job->text);
	tw_shared_text_free(job->shared);
	free(job->source);
	free(job->author);
	free(job->comment);
	free(job);
}

/* Frees the text as it came, because the policy that was read has a copy. */
static void drop_text(struct tw_apply_job *job)
{
	const struct tw_inforce *read = job->apply.draft.inforce;

	if (!read)
		return;
	job->shared = tw_shared_text_ref(read->text);
	job->apply.order.text = job->shared->bytes;
	free(job->text);
	job->text = NULL;
}

static void do_step(struct tw_work *work)
{
	struct tw_apply_job *job = (struct tw_apply_job *)work;

	if (job->step == TW_APPLY_READING) {
		read_policy(&job->apply);
		drop_text(job);
	} else if (job->step == TW_APPLY_PREPARING) {
		tw_prepare_run(&job->apply.prepared, job->apply.draft.inforce);
	} else if (job->step == TW_APPLY_SAVING) {
		job->code = tw_store_sync(job->apply.staged);
	} else {
		job->code = look_for_warnings(&job->apply);
	}
}

static void submit(struct tw_apply_job *job, enum tw_apply_step step)
{
	job->step = step;
	tw_worker_submit(job->enforcement->applies->worker, &job->work);
}

static void end_job(struct tw_apply_job *job, int result)
{
	struct tw_applies *applies = job->enforcement->applies;

	applies->running = NULL;
	applies->n--;
	applies->bytes -= job->apply.order.len;
	if (job->ended)
		job->ended(job->arg, &job->apply, result);
	job_free(job);
}

/* True if a policy that was read is to be prepared, or prepared again because the host has changed meanwhile. If it
 * changes all the time, the loop makes the rest. */
static bool must_prepare(struct tw_apply_job *job)
{
	struct tw_apply *apply = &job->apply;

	if (apply->draft.code < 0)
		return false;
	if (job->step == TW_APPLY_READING)
		return true;
	return !apply->prepared.code && job->n_prepared < PREPARE_MAX &&
	       !tw_prepare_is_current(&apply->prepared, job->enforcement, apply->draft.inforce);
}

/* Prepares the policy, or puts it in force. */
static void go_on(struct tw_apply_job *job)
{
	struct tw_enforcement *enforcement = job->enforcement;
	int ret;

	if (job->apply.order.returns && !enforcement->confirm->pending) {
		tw_slots_release(enforcement->slots);
		end_job(job, -ECANCELED);
		return;
	}
	if (must_prepare(job)) {
		begin_preparing(enforcement, &job->apply);
		if (!job->apply.draft.code) {
			job->n_prepared++;
			submit(job, TW_APPLY_PREPARING);
			return;
		}
	}
	ret = put_in_force(enforcement, &job->apply);
	if (ret < 0) {
		end_job(job, ret);
	} else if (job->apply.order.dry_run) {
		submit(job, TW_APPLY_CHECKING);
	} else {
		tw_store_open_staged(enforcement->store, job->apply.staged);
		submit(job, TW_APPLY_SAVING);
	}
}

static void end_step(struct tw_apply_job *job)
{
	switch (job->step) {
	case TW_APPLY_SAVING:
		tw_saving_keep(
			job->enforcement, &job->apply.order.by, job->code, &job->apply.diags);
		submit(job, TW_APPLY_CHECKING);
		return;
	case TW_APPLY_CHECKING:
		log_warnings(&job->apply, job->code);
		end_job(job, 0);
		return;
	default:
		go_on(job);
	}
}

static void on_step(void *arg, uint32_t events)
{
	struct tw_applies *applies = arg;
	struct tw_work *work;

	while ((work = tw_worker_take(applies->worker)))
		end_step((struct tw_apply_job *)work);
}

int tw_apply_new(struct tw_loop *loop, struct tw_enforcement *enforcement, struct tw_applies **ret)
{
	struct tw_applies *applies = tw_alloc(sizeof(*applies));
	int code;

	if (!applies)
		return -ENOMEM;
	applies->loop = loop;
	applies->last = &applies->waiting;
	applies->watch.fd = -1;
	code = tw_worker_new(&applies->worker);
	if (!code)
		code = tw_loop_add(loop, &applies->watch, tw_worker_fd(applies->worker), EPOLLIN,
			on_step, applies);
	if (code < 0) {
		tw_apply_free(applies);
		return code;
	}
	*ret = applies;
	return 0;
}

void tw_apply_free(struct tw_applies *applies)
{
	struct tw_apply_job *job, *next;

	if (!applies)
		return;
	tw_loop_remove(applies->loop, &applies->watch);
	for (job = applies->waiting; job; job = next) {
		next = job->next;
		job_free(job);
	}
	if (!tw_worker_stop(applies->worker, END_MS))
		return;
	job_free(applies->running);
	tw_worker_free(applies->worker);
	free(applies);
}

static int copy_order(struct tw_apply_job *job, const struct tw_apply_order *order)
{
	struct tw_apply_order *copy = &job->apply.order;

	*copy = *order;
	copy->text = job->text = tw_strndup(order->text, order->len);
	copy->source = job->source = tw_strdup(order->source);
	if (order->by.author)
		copy->by.author = job->author = tw_strdup(order->by.author);
	if (order->by.comment)
		copy->by.comment = job->comment = tw_strdup(order->by.comment);
	return !job->text || !job->source || (order->by.author && !job->author) ||
			       (order->by.comment && !job->comment)
		       ? -ENOMEM
		       : 0;
}

static int new_job(struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	tw_apply_ended *ended, void *arg, struct tw_apply_job **ret)
{
	struct tw_apply_job *job = tw_alloc(sizeof(*job));

	if (!job || copy_order(job, order) < 0) {
		job_free(job);
		return -ENOMEM;
	}
	job->work.run = do_step;
	job->since_ns = tw_clock_ns();
	job->enforcement = enforcement;
	job->ended = ended;
	job->arg = arg;
	*ret = job;
	return 0;
}

int tw_apply_add(struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	tw_apply_ended *ended, void *arg, struct tw_apply_job **ret, struct tw_err *err)
{
	struct tw_applies *applies = enforcement->applies;

	if (applies->n >= TW_APPLY_ORDERS || applies->bytes + order->len > TW_APPLY_BYTES)
		return tw_err_set(err, -EBUSY, order->source, "try again in a few seconds",
			"%zu other policies are being read", applies->n);
	if (new_job(enforcement, order, ended, arg, ret) < 0)
		return tw_err_set(err, -ENOMEM, order->source, NULL, "out of memory");
	applies->n++;
	applies->bytes += order->len;
	*applies->last = *ret;
	applies->last = &(*ret)->next;
	return 0;
}

void tw_apply_forget(struct tw_apply_job *job)
{
	if (job)
		job->ended = NULL;
}

static void begin_job(struct tw_apply_job *job)
{
	const struct tw_apply_order *order = &job->apply.order;

	if (order->len >= LARGE)
		tw_log(TW_LOG_INFO, "policy %s: reading its %zu KiB", order->source,
			order->len >> 10);
	job->enforcement->applies->running = job;
	begin(job->enforcement, &job->apply);
	submit(job, TW_APPLY_READING);
}

int tw_apply_begin(struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	tw_apply_ended *ended, void *arg)
{
	struct tw_applies *applies = enforcement->applies;
	struct tw_apply_job *job;
	int ret = new_job(enforcement, order, ended, arg, &job);

	if (ret < 0) {
		tw_log(TW_LOG_ERR, "policy %s: out of memory", order->source);
		return ret;
	}
	if (!applies) {
		ret = tw_apply_now(enforcement, &job->apply);
		job_free(job);
		return ret;
	}
	applies->n++;
	applies->bytes += order->len;
	begin_job(job);
	return 0;
}

bool tw_apply_is_idle(const struct tw_enforcement *enforcement)
{
	return !enforcement->applies || !enforcement->applies->running;
}

static struct tw_apply_progress progress_of(const struct tw_apply_job *job)
{
	return (struct tw_apply_progress){&job->apply.order, job->step, job->since_ns};
}

size_t tw_apply_list(
	const struct tw_enforcement *enforcement, struct tw_apply_progress *ret, size_t max)
{
	const struct tw_applies *applies = enforcement->applies;
	size_t n = 0;

	if (applies && applies->running && max)
		ret[n++] = progress_of(applies->running);
	for (const struct tw_apply_job *job = applies ? applies->waiting : NULL; job && n < max;
		job = job->next)
		ret[n++] = progress_of(job);
	return n;
}

const char *tw_apply_step_name(enum tw_apply_step step)
{
	static const char *const names[] = {[TW_APPLY_WAITING] = "waiting",
		[TW_APPLY_READING] = "reading",
		[TW_APPLY_PREPARING] = "preparing",
		[TW_APPLY_SAVING] = "saving",
		[TW_APPLY_CHECKING] = "checking"};

	return names[step];
}

/* ---- the return to the last confirmed policy ---- */

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

static void return_if_over(struct tw_enforcement *enforcement)
{
	struct tw_confirm *confirm = enforcement->confirm;
	char why[TW_CONFIRM_WHY_MAX];
	struct tw_apply_order order = {.by = {.comment = why},
		.source = confirm->source,
		.file_mark = confirm->file_mark,
		.adopt = true,
		.returns = true,
		.allow_unprotect = true};

	if (!tw_apply_is_idle(enforcement) || !tw_confirm_is_over(confirm))
		return;
	tw_confirm_why(confirm, why);
	order.text = confirm->text->bytes;
	order.len = confirm->text->len;
	if (tw_apply_begin(enforcement, &order, NULL, NULL) < 0)
		tw_confirm_retry(confirm);
}

void tw_apply_tick(struct tw_enforcement *enforcement)
{
	look_at_tripwire(enforcement);
	return_if_over(enforcement);
}

void tw_apply_next(struct tw_enforcement *enforcement)
{
	struct tw_applies *applies = enforcement->applies;
	struct tw_apply_job *job;

	return_if_over(enforcement);
	job = applies->waiting;
	if (applies->running || !job)
		return;
	applies->waiting = job->next;
	if (!applies->waiting)
		applies->last = &applies->waiting;
	begin_job(job);
}
