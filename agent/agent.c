/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "agent/answer/answer.h"
#include "agent/ports/watch.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/notify.h"

#define NO_UPLINKS   "none"
#define REAPPLY_NS   5000000000u
#define FILES_WANTED 65536 /* maps, links, clients */
#define TICK_NS	     250000000
#define KEPT_BYTES   (32 << 20)

/* ---- the policy file ---- */

static void log_dangers(const struct tw_agent_load *load)
{
	const char *source = load->order.source;

	tw_vec_foreach (&load->applied.unprotected, row)
		tw_log(TW_LOG_WARNING, "policy %s: NOT FILTERED: %s, which was %s%s", source,
			row->port, row->workload[0] ? "the port of " : "protected", row->workload);
	tw_vec_foreach (&load->applied.dangers, danger)
		tw_log(TW_LOG_WARNING, "policy %s: %s", source, *danger);
}

static void log_load(const struct tw_agent *agent, const struct tw_agent_load *load, int result)
{
	const char *source = load->order.source;

	tw_vec_foreach (&load->diags, diag)
		tw_log(diag->severity == TW_SEV_ERROR ? TW_LOG_ERR : TW_LOG_WARNING,
			"%s:%u:%u: %s%s%s", source, diag->line, diag->column, diag->text,
			diag->hint ? "; " : "", diag->hint ? diag->hint : "");
	if (result < 0)
		tw_log(TW_LOG_ERR, "policy %s refused%s: %s%s%s", source,
			agent->inforce ? ", the old one stays" : "", load->err.text,
			load->err.hint[0] ? "; " : "", load->err.hint);
	if (result < 0)
		return;
	log_dangers(load);
	tw_log(TW_LOG_INFO,
		"policy %s is in force as number %llu: %zu rules, %zu workloads (%.1f ms)", source,
		(unsigned long long)agent->generation, tw_policy_n_rules(agent->inforce->policy),
		tw_policy_n_workloads(agent->inforce->policy),
		(double)(load->applied.compile_ns + load->applied.publish_ns) / 1e6);
}

static void tell_status(const struct tw_agent *agent)
{
	if (agent->inforce)
		tw_notify("STATUS=%zu ports, policy number %llu from %s", agent->ports.list.n,
			(unsigned long long)agent->inforce->generation, agent->inforce->source);
	else
		tw_notify("STATUS=%zu ports, no policy is in force", agent->ports.list.n);
}

int tw_agent_load(struct tw_agent *agent, struct tw_agent_load *load)
{
	int ret = tw_publish_apply(agent, &load->order, &load->diags, &load->applied, &load->err);

	if (load->order.dry_run)
		return ret;
	log_load(agent, load, ret);
	if (ret < 0)
		tw_loads_refused(&agent->loads, load->order.source, &load->diags, &load->err);
	else
		tw_loads_accepted(&agent->loads);
	tell_status(agent);
	return ret;
}

int tw_agent_load_file(struct tw_agent *agent, struct tw_agent_load *load, char **ret_text)
{
	const char *path = agent->options->policy;
	int ret;

	if (!path)
		return tw_err_set(&load->err, -EINVAL, "reload",
			"apply a file, or start the agent with --policy",
			"the agent was started without --policy");
	load->order.source = path;
	ret = tw_loads_read(path, ret_text, &load->order.len, &load->err);
	if (ret < 0) {
		tw_log(TW_LOG_ERR, "policy %s refused: %s", path, load->err.text);
		tw_loads_refused(&agent->loads, path, NULL, &load->err);
		return ret;
	}
	load->order.text = *ret_text;
	return tw_agent_load(agent, load);
}

void tw_agent_load_done(struct tw_agent_load *load)
{
	tw_diags_done(&load->diags);
	tw_applied_done(&load->applied);
}

static int load_file(struct tw_agent *agent)
{
	tw_autofree char *text = NULL;
	struct tw_agent_load load = {0};
	int ret = tw_agent_load_file(agent, &load, &text);

	tw_agent_load_done(&load);
	return ret;
}

/* Whether the text is the policy that was in force: by what the kernel says, or, after a new boot, by
 * what was written beside it. */
static bool is_believed(struct tw_agent *agent, const char *text, size_t len)
{
	uint64_t mark = agent->text_mark ? agent->text_mark : tw_store_saved_mark(agent->store);

	if (!mark)
		tw_log(TW_LOG_WARNING,
			"nothing says whether %s in the state folder is what was written",
			TW_STORE_POLICY);
	return !mark || mark == tw_loads_mark(text, len);
}

/* The policy that an earlier agent left in force; it keeps its number and its age. `given` says where
 * it is from. */
static int load_text(struct tw_agent *agent, const struct tw_saved_rules *saved,
	const struct tw_store_given *given, const char *text, size_t len)
{
	/* What was in force changes nothing; ports may have changed meanwhile. */
	struct tw_agent_load load = {.order = {.text = text,
					     .len = len,
					     .source = given->source,
					     .file_mark = given->file_mark,
					     .adopt = true,
					     .allow_unprotect = true}};
	struct tw_refused refused = agent->loads.refused;
	uint64_t generation = agent->generation;
	int ret;

	/* The file that was refused before is what a user has to mend. */
	agent->loads.refused = (struct tw_refused){0};
	agent->generation -= generation > 0;
	ret = tw_agent_load(agent, &load);
	if (ret < 0)
		agent->generation = generation;
	else if (saved->since_ns)
		agent->inforce->since_ns = saved->since_ns;
	tw_agent_load_done(&load);
	if (refused.source) {
		tw_loads_accepted(&agent->loads);
		agent->loads.refused = refused;
	}
	return ret;
}

/* Loads the policy from the state folder, unless another one was in force. */
static int load_saved(struct tw_agent *agent, const struct tw_saved_rules *saved,
	const struct tw_store_given *given)
{
	tw_autofree char *text = NULL;
	size_t len;
	int ret = tw_store_read(agent->store, TW_STORE_POLICY, &text, &len);

	if (!ret && !is_believed(agent, text, len))
		ret = -ESTALE;
	if (ret < 0 && (ret == -ESTALE || agent->text_mark))
		tw_degrade(agent, TW_DEGRADED_POLICY,
			"%s in the state folder %s; what is enforced stays as it is: apply the policy",
			TW_STORE_POLICY,
			ret == -ESTALE ? "is not the policy that was in force, but damaged or older"
			: ret == -ENOENT ? "is missing"
					 : "cannot be read");
	return ret < 0 ? ret : load_text(agent, saved, given, text, len);
}

/* The file of --policy, which has the text that the kernel enforces while the state folder does not. */
static int load_live_file(struct tw_agent *agent, const struct tw_saved_rules *saved, uint64_t mark)
{
	tw_autofree char *text = NULL;
	struct tw_store_given given = {.file_mark = mark};
	struct tw_err err = {0};
	size_t len;
	int ret = tw_loads_read(agent->options->policy, &text, &len, &err);

	snprintf(given.source, sizeof(given.source), "%s", agent->options->policy);
	return ret < 0 ? ret : load_text(agent, saved, &given, text, len);
}

/* True if what failed may pass: a full or read-only disk, too little memory, too few descriptors. */
static bool may_pass(int ret)
{
	return ret == -ENOSPC || ret == -EROFS || ret == -EDQUOT || ret == -EIO || ret == -ENOMEM ||
	       ret == -EMFILE || ret == -ENFILE;
}

/* Tries the policy file again that could not be put in force at start. */
static void reapply(struct tw_agent *agent)
{
	if (!agent->reapply_ns || tw_clock_ns() < agent->reapply_ns || agent->unstaged)
		return;
	agent->reapply_ns = 0;
	if (may_pass(load_file(agent)))
		agent->reapply_ns = tw_clock_ns() + REAPPLY_NS;
}

/* At start: the later of two decisions, which are the file that was named and what was in force before,
 * maybe by an apply since. If the file is refused, what was in force stays. */
static void first_policy(struct tw_agent *agent, const struct tw_saved_rules *saved)
{
	const char *path = agent->options->policy;
	uint64_t file = tw_loads_file_mark(&agent->loads, path);
	struct tw_store_given given;
	int ret = 0;
	bool same;

	tw_store_load_given(agent->store, &given);
	if (file && file == agent->text_mark && file != given.mark &&
		!load_live_file(agent, saved, file))
		return;
	same = file && file == given.mark;
	if (path && !same && (!file || file != given.file_mark)) {
		ret = load_file(agent);
		if (!ret)
			return;
		/* It is tried again at the next start. */
		given.file_mark = given.file_mark ? given.file_mark : 1;
	} else if (path && !same) {
		tw_log(TW_LOG_WARNING,
			"policy %s was applied after %s was last changed, and stays in force",
			given.source, path);
	}
	if (same) {
		snprintf(given.source, sizeof(given.source), "%s", path);
		given.file_mark = file;
	}
	if (load_saved(agent, saved, &given) < 0)
		tw_log(TW_LOG_WARNING,
			"no policy is in force: what is filtered stays filtered, guests that ran before are NOT FILTERED, new ports are shut; apply one");
	if (may_pass(ret))
		agent->reapply_ns = tw_clock_ns() + REAPPLY_NS;
}

static void reload(struct tw_agent *agent)
{
	tw_notify_reloading();
	if (agent->options->policy)
		load_file(agent);
	else
		tw_log(TW_LOG_INFO, "nothing to reload: started without --policy");
	tw_notify("READY=1");
}

/* ---- loop callbacks ---- */

static void on_signal(void *arg, uint32_t events)
{
	struct tw_agent *agent = arg;
	struct signalfd_siginfo info;

	if (read(agent->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		reload(agent);
		return;
	}
	tw_log(TW_LOG_INFO, "stopping; what is enforced stays enforced");
	tw_loop_stop(&agent->loop);
}

static void on_tick(void *arg, uint32_t events)
{
	struct tw_agent *agent = arg;
	uint64_t count;

	if (read(agent->tick_fd, &count, sizeof(count)) < 0)
		return;
	tw_publish_tick(agent);
	reapply(agent);
	tw_hostwork_look(agent);
	if (agent->dirty)
		tw_agent_ports_changed(agent);
	tw_leases_sync(agent);
	tw_kept_tick(agent);
	tw_sweep_tick(&agent->sweep);
	tw_server_tick(agent->server);
	tw_events_tick(agent->events);
	tw_captures_sync(agent->captures);
	tw_server_pump(agent->server);
	tw_watch_save(agent);
	tw_watch_tick(agent);
	tw_prove_tick(agent);
	tw_uplinks_tick(agent);
	tw_notify_alive();
}

/* ---- setting up, in order ---- */

static int open_signals(struct tw_agent *agent)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	agent->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (agent->signal_fd < 0)
		return -errno;
	return tw_loop_add(
		&agent->loop, &agent->signal_watch, agent->signal_fd, EPOLLIN, on_signal, agent);
}

static int open_tick(struct tw_agent *agent)
{
	const struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};

	agent->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (agent->tick_fd < 0 || timerfd_settime(agent->tick_fd, 0, &every, NULL) < 0)
		return -errno;
	return tw_loop_add(
		&agent->loop, &agent->tick_watch, agent->tick_fd, EPOLLIN, on_tick, agent);
}

/* An agent with another state folder may use the same maps, and is not to: each would undo what the other
 * does. `ret_fd` holds the lock. */
static int lock_bpffs(const char *path, bool make, int *ret_fd, struct tw_err *err)
{
	tw_autofd int fd = -1;

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return 0; /* opening the file reports what is wrong there */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return tw_err_set(err, errno == EWOULDBLOCK ? -EBUSY : -errno, path,
			"stop it first, or give this one a --bpffs of its own",
			"another agent uses these maps, with another --state-dir");
	*ret_fd = TW_TAKE_FD(fd);
	return 0;
}

static int open_kernel(struct tw_agent *agent, struct tw_err *err)
{
	const struct tw_agent_options *options = agent->options;
	const struct tw_kernel_options kernel = {
		.bpffs = options->bpffs,
		.max_conns = options->max_conns,
		.force_clsact = options->force_clsact,
	};
	const struct tw_kernel_facts *facts;
	int ret = lock_bpffs(options->bpffs, true, &agent->bpffs_fd, err);

	if (!ret)
		ret = tw_kernel_open(&kernel, &agent->kernel, err);
	if (ret < 0)
		return ret;
	facts = tw_kernel_facts(agent->kernel);
	tw_log(TW_LOG_INFO, "%s%s, %s, room for %u connections of %u bytes",
		facts->adopted ? "adopted what was in force" : "starting afresh",
		facts->kept ? ", programs too" : "", facts->tcx ? "tcx" : "clsact",
		facts->max_conns, facts->conn_bytes);
	tw_locals_init(agent);
	ret = tw_leases_init(agent);
	return ret < 0 ? tw_err_set(err, ret, "leases", NULL, "cannot map them: %s", strerror(-ret))
		       : 0;
}

static int init_tables(struct tw_agent *agent, struct tw_err *err)
{
	int ret;

	tw_slots_init(&agent->slots, tw_kernel_map_fd(agent->kernel, TW_MAP_rules));
	tw_ports_init(&agent->ports);
	tw_hostwork_init(&agent->hostwork);
	ret = tw_images_init(&agent->images, agent->kernel);
	tw_memberships_init(&agent->memberships, agent->kernel);
	if (!ret)
		ret = tw_journal_init(&agent->journal);
	if (!ret)
		ret = tw_sweep_init(&agent->sweep, agent);
	if (!ret)
		ret = tw_loop_init(&agent->loop);
	return ret < 0 ? tw_err_set(err, ret, "start", NULL, "%s", strerror(-ret)) : 0;
}

static int init_rest(struct tw_agent *agent, struct tw_err *err)
{
	const struct tw_server_options server = {.loop = &agent->loop,
		.path = agent->options->socket,
		.start = tw_answer_start,
		.context = agent};
	int ret = tw_events_new(agent, &agent->events, err);

	if (!ret)
		ret = tw_captures_new(agent, &agent->captures, err);
	if (!ret)
		ret = tw_server_new(&server, &agent->server, err);
	if (ret < 0)
		return ret;
	ret = open_signals(agent);
	if (!ret)
		ret = open_tick(agent);
	return ret < 0 ? tw_err_set(err, ret, "start", NULL, "%s", strerror(-ret)) : 0;
}

static int init(struct tw_agent *agent, struct tw_err *err)
{
	struct tw_saved_rules saved = {0};
	int ret = tw_store_open(agent->options->state_dir, &agent->store, err);

	if (!ret)
		ret = open_kernel(agent, err);
	if (!ret)
		ret = init_tables(agent, err);
	if (!ret)
		ret = tw_publish_adopt(agent, err);
	if (!ret) {
		if (tw_store_load_rules(agent->store, &agent->slots, &saved) < 0 &&
			agent->text_mark)
			tw_sweep_name_unknown(agent);
		agent->generation = saved.generation;
		tw_kept_load(agent);
		ret = tw_watch_open(agent, err);
	}
	if (!ret) {
		first_policy(agent, &saved);
		tw_watch_begin(agent);
		ret = init_rest(agent, err);
	}
	free(saved.source);
	return ret;
}

/* Frees what init() made, as far as it came. Nothing that is enforced changes. */
static void done(struct tw_agent *agent)
{
	if (agent->tick_fd >= 0)
		close(agent->tick_fd);
	if (agent->signal_fd >= 0)
		close(agent->signal_fd);
	tw_server_free(agent->server);
	tw_captures_free(agent->captures);
	tw_events_free(agent->events);
	tw_netlink_free(agent->netlink);
	tw_rtnl_free(agent->rtnl);
	tw_latch_free(agent->latch);
	tw_inforce_free(agent->inforce);
	tw_loads_done(&agent->loads);
	tw_vec_done(&agent->adopted);
	tw_macs_done(&agent->macs);
	tw_vec_done(&agent->forgotten);
	tw_uplinks_done(&agent->uplinks);
	tw_hostwork_done(&agent->hostwork);
	tw_residents_done(&agent->residents);
	tw_locals_done(&agent->locals);
	tw_gone_done(&agent->gone);
	tw_leases_done(agent);
	tw_kept_done(&agent->kept);
	tw_sweep_done(&agent->sweep);
	tw_journal_done(&agent->journal);
	tw_ports_done(&agent->ports);
	tw_images_done(&agent->images);
	tw_memberships_done(&agent->memberships);
	tw_slots_done(&agent->slots);
	tw_loop_done(&agent->loop);
	tw_kernel_close(agent->kernel);
	if (agent->bpffs_fd >= 0)
		close(agent->bpffs_fd);
	tw_store_free(agent->store);
}

static int fail(const struct tw_err *err, int code)
{
	tw_err_print(stderr, "tapwalld", err);
	return code;
}

/* An agent that is told of a change has the memory for it: what is free stays with it up to some bound,
 * and need not come from the kernel in zeroed pages again while somebody waits. */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES / 16);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

/* As many descriptors as it may have without CAP_SYS_RESOURCE, if it may not have what it wants. */
static void raise_files(void)
{
	struct rlimit files = {FILES_WANTED, FILES_WANTED};

	if (!setrlimit(RLIMIT_NOFILE, &files) || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int tw_agent_run(const struct tw_agent_options *options)
{
	struct tw_agent agent = {.options = options,
		.signal_fd = -1,
		.tick_fd = -1,
		.bpffs_fd = -1,
		.loop = {.epoll_fd = -1}};
	struct tw_err err = {0};
	int ret;

	keep_memory();
	raise_files();
	agent.started_ns = tw_clock_ns();
	if (tw_patterns_parse("--ports", options->ports, &agent.patterns, &err) < 0 ||
		(strcmp(options->uplinks, NO_UPLINKS) != 0 &&
			tw_patterns_parse(
				"--uplinks", options->uplinks, &agent.uplink_patterns, &err) < 0))
		return fail(&err, TW_EXIT_USAGE);
	ret = init(&agent, &err);
	if (ret < 0) {
		done(&agent);
		return fail(&err, tw_exit_code(ret));
	}
	tell_status(&agent);
	tw_notify("READY=1");
	ret = tw_loop_run(&agent.loop);
	tw_notify("STOPPING=1");
	agent.save_ns = 0;
	tw_watch_save(&agent);
	tw_kept_save(&agent);
	done(&agent);
	return ret < 0 ? TW_EXIT_INTERNAL : 0;
}

int tw_agent_release(const struct tw_agent_options *options)
{
	const struct tw_patterns none = {0};
	tw_auto(tw_latch) struct tw_latch *latch = NULL;
	tw_auto(tw_store) struct tw_store *store = NULL;
	struct tw_err err = {0};
	tw_autofd int bpffs_fd = -1;
	int ret = tw_store_open(options->state_dir, &store, &err);

	if (!ret)
		ret = lock_bpffs(options->bpffs, false, &bpffs_fd, &err);
	if (!ret) {
		tw_locals_release(options->bpffs);
		ret = tw_kernel_release(options->bpffs, &err);
	}
	/* Without netfilter there is nothing of ours in it. */
	if (!ret && !tw_latch_new(options->bpffs, &none, &latch, NULL) && tw_latch_exists(latch))
		ret = tw_latch_remove(latch, &err);
	if (ret < 0)
		return fail(&err, tw_exit_code(ret));
	unlink(options->socket);
	tw_store_remove(store);
	return 0;
}
