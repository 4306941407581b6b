/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "agent/agent.h"
#include "agent/ports/entries.h"
#include "agent/ports/survey.h"
#include "agent/ports/watch.h"
#include "agent/publish/apply.h"
#include "agent/publish/attach.h"
#include "agent/publish/publish.h"
#include "agent/publish/quarantine.h"
#include "agent/publish/resume.h"
#include "agent/publish/saving.h"
#include "agent/state/present.h"
#include "agent/state/saved.h"
#include "agent/state/staged.h"
#include "agent/turn.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/notify.h"
#include "link/metrics.h"

#define NO_UPLINKS    "none"
#define FILES_WANTED  65536 /* descriptors for maps, links and clients */
#define TICK_NS	      250000000
#define KEPT_BYTES    (32 << 20)
#define EXPEDITE_NOTE "rcu_expedited"

/* ---- loop callbacks ---- */

static void on_signal(void *arg, uint32_t events)
{
	struct tw_agent *agent = arg;
	struct signalfd_siginfo info;

	if (read(agent->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP) {
		agent->reload = true;
		return;
	}
	tw_log(TW_LOG_INFO, "stopping; the policy stays in force");
	tw_loop_stop(&agent->loop);
}

static void on_tick(void *arg, uint32_t events)
{
	struct tw_agent *agent = arg;
	uint64_t count;

	agent->ticked = read(agent->tick_fd, &count, sizeof(count)) == sizeof(count);
}

static void on_netlink(void *arg, uint32_t events)
{
	struct tw_agent *agent = arg;

	agent->netlink_ready = true;
}

static void on_latch(void *arg, uint32_t events)
{
	struct tw_agent *agent = arg;

	agent->latch_ready = true;
}

static void on_change(void *arg)
{
	tw_events_settle(arg);
}

/* ---- setting up, in order ---- */

/* Connects the struct of each directory to its modules' states and to the struct of the next
 * directory. */
static void connect_rooms(struct tw_agent *agent)
{
	agent->host.options = agent->options;
	agent->host.patterns = &agent->patterns;
	agent->host.uplink_patterns = &agent->uplink_patterns;
	agent->host.ports = &agent->ports;
	agent->host.uplinks = &agent->uplinks;
	agent->host.hostwork = &agent->hostwork;
	agent->host.locals = &agent->locals;
	agent->host.residents = &agent->residents;
	agent->host.gone = &agent->gone;
	agent->host.about_to_change = on_change;
	agent->host.arg = &agent->telemetry;

	agent->enforcement.host = &agent->host;
	agent->enforcement.slots = &agent->slots;
	agent->enforcement.images = &agent->images;
	agent->enforcement.memberships = &agent->memberships;
	agent->enforcement.macs = &agent->macs;
	agent->enforcement.policy_file = &agent->policy_file;
	agent->enforcement.confirm = &agent->confirm;
	agent->enforcement.tripwire = &agent->tripwire;
	agent->enforcement.quarantines = &agent->quarantines;
	agent->enforcement.versions = &agent->versions;
	agent->enforcement.leases = &agent->leases;
	agent->enforcement.kept = &agent->kept;

	agent->telemetry.host = &agent->host;
	agent->telemetry.enforcement = &agent->enforcement;
	agent->telemetry.loop = &agent->loop;
	agent->telemetry.journal = &agent->journal;
	agent->telemetry.sweep = &agent->sweep;

	agent->answers.host = &agent->host;
	agent->answers.enforcement = &agent->enforcement;
	agent->answers.telemetry = &agent->telemetry;
	agent->answers.dial = &agent->dial;
	agent->answers.started_ns = tw_clock_ns();
	agent->answers.server = &agent->server;
}

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

/* Locks the BPF directory, because two agents on the same maps would undo each other's work. The
 * lock of the state directory does not prevent that, as their state directories may differ.
 * `ret_fd` holds the lock. */
static int lock_bpffs(const char *path, bool make, int *ret_fd, struct tw_err *err)
{
	tw_autofd int fd = -1;

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return 0; /* opening the file reports the error */
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

/* Writes the path of tw_expedite.note to `path`, and returns it, or NULL if it is too long. */
static const char *expedite_note(const struct tw_store *store, char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%s/" EXPEDITE_NOTE, tw_store_path(store));

	return len < PATH_MAX ? path : NULL;
}

static int open_kernel(struct tw_agent *agent, struct tw_err *err)
{
	const struct tw_agent_options *options = agent->options;
	char note[PATH_MAX];
	const struct tw_kernel_options kernel = {
		.bpffs = options->bpffs,
		.max_conns = options->max_conns,
		.force_clsact = options->force_clsact,
		.expedite_note = expedite_note(agent->enforcement.store, note),
	};
	const struct tw_kernel_facts *facts;
	int ret = lock_bpffs(options->bpffs, true, &agent->bpffs_fd, err);

	if (!ret)
		ret = tw_kernel_open(&kernel, &agent->host.kernel, err);
	if (ret < 0)
		return ret;
	facts = tw_kernel_facts(agent->host.kernel);
	tw_log(TW_LOG_INFO, "%s%s, %s, table of %u connections of %u bytes each",
		facts->adopted ? "adopted what was in force" : "starting afresh",
		facts->kept ? ", programs too" : "", facts->tcx ? "tcx" : "clsact",
		facts->max_conns, facts->conn_bytes);
	tw_locals_init(&agent->host);
	ret = tw_lease_map_init(&agent->enforcement);
	return ret < 0 ? tw_err_set(err, ret, "leases", NULL, "cannot map them: %s", strerror(-ret))
		       : 0;
}

static int init_tables(struct tw_agent *agent, struct tw_err *err)
{
	int ret;

	tw_slots_init(&agent->slots, agent->host.kernel);
	tw_ports_init(&agent->ports);
	tw_hostwork_init(&agent->hostwork);
	ret = tw_images_init(&agent->images, agent->host.kernel);
	tw_memberships_init(&agent->memberships, agent->host.kernel);
	if (!ret)
		ret = tw_journal_init(&agent->journal);
	if (!ret && tw_logfile_init(&agent->logfile, agent->options->log_to,
			    agent->options->log_mib, &agent->telemetry, err) < 0)
		return -EINVAL;
	if (!ret)
		ret = tw_sweep_init(&agent->sweep, &agent->telemetry);
	if (!ret)
		ret = tw_loop_init(&agent->loop, tw_turn_act, agent);
	return ret < 0 ? tw_err_set(err, ret, "start", NULL, "%s", strerror(-ret)) : 0;
}

/* Adds the descriptors of netlink and of the latch's monitor to the loop. */
static int follow_host(struct tw_agent *agent)
{
	const struct tw_host *host = &agent->host;
	int ret = tw_loop_add(&agent->loop, &agent->netlink_watch, tw_netlink_fd(host->netlink),
		EPOLLIN, on_netlink, agent);

	if (!ret && host->latch && tw_latch_fd(host->latch) >= 0)
		ret = tw_loop_add(&agent->loop, &agent->latch_watch, tw_latch_fd(host->latch),
			EPOLLIN, on_latch, agent);
	return ret;
}

static int init_dial(struct tw_agent *agent, struct tw_err *err)
{
	const struct tw_agent_options *options = agent->options;
	const struct tw_dial_setup setup = {.loop = &agent->loop,
		.address = options->slow_path,
		.files = {options->slow_path_cert, options->slow_path_key, options->slow_path_ca},
		.start = tw_answer_start,
		.context = &agent->answers};

	return tw_dial_init(&agent->dial, &setup, err);
}

static void on_spool(void *arg, uint32_t events)
{
	struct tw_agent *agent = arg;

	agent->telemetry.told |= tw_spool_turn(agent->telemetry.spool);
}

/* Without a slow path, no events are kept. Events that an earlier agent kept stay until a slow path
 * is configured. */
static int init_spool(struct tw_agent *agent)
{
	struct tw_spool_options spool = {.bytes_max = (uint64_t)agent->options->spool_mib << 20,
		.names = &agent->journal.names};
	int ret;

	agent->spool_watch.fd = -1;
	if (!agent->options->slow_path || !agent->options->spool_mib)
		return 0;
	if (asprintf(&agent->spool_dir, "%s/" TW_SPOOL_DIR, agent->options->state_dir) < 0) {
		agent->spool_dir = NULL;
		return -ENOMEM;
	}
	spool.dir = agent->spool_dir;
	ret = tw_spool_new(&spool, &agent->telemetry.spool);
	if (!ret && tw_spool_fd(agent->telemetry.spool) >= 0)
		ret = tw_loop_add(&agent->loop, &agent->spool_watch,
			tw_spool_fd(agent->telemetry.spool), EPOLLIN, on_spool, agent);
	return ret;
}

/* Without --metrics, nothing is served. */
static int init_metrics(struct tw_agent *agent, struct tw_err *err)
{
	const struct tw_metrics_options options = {.loop = &agent->loop,
		.address = agent->options->metrics,
		.write = tw_answer_metrics,
		.context = &agent->answers};

	return options.address ? tw_metrics_new(&options, &agent->metrics, err) : 0;
}

static int init_rest(struct tw_agent *agent, struct tw_err *err)
{
	const struct tw_server_options server = {.loop = &agent->loop,
		.listeners = {{.at = {agent->options->socket, "tapwall"},
				      .role = TW_ROLE_OPERATOR,
				      .option = "--socket"},
			{.at = {agent->options->decider_socket, "tapwall-decide"},
				.role = TW_ROLE_DECIDER,
				.option = "--decider-socket"},
			{.at = {agent->options->viewer_socket, "tapwall-view"},
				.role = TW_ROLE_VIEWER,
				.option = "--viewer-socket"}},
		.start = tw_answer_start,
		.context = &agent->answers};
	int ret = init_spool(agent);

	if (ret < 0)
		return tw_err_set(err, ret, "spool", NULL, "%s", strerror(-ret));
	ret = tw_events_new(&agent->telemetry, &agent->telemetry.events, err);
	if (!ret)
		ret = tw_captures_new(&agent->telemetry, &agent->telemetry.captures, err);
	if (!ret)
		ret = tw_asks_new(&agent->telemetry, &agent->telemetry.asks, err);
	if (!ret) {
		ret = tw_apply_new(&agent->loop, &agent->enforcement, &agent->enforcement.applies);
		if (ret < 0)
			tw_err_set(err, ret, "start", NULL, "cannot start a thread: %s",
				strerror(-ret));
	}
	if (!ret)
		ret = tw_server_new(&server, &agent->server, err);
	if (!ret)
		ret = init_dial(agent, err);
	if (!ret)
		ret = init_metrics(agent, err);
	if (ret < 0)
		return ret;
	ret = follow_host(agent);
	if (!ret)
		ret = open_signals(agent);
	if (!ret)
		ret = open_tick(agent);
	return ret < 0 ? tw_err_set(err, ret, "start", NULL, "%s", strerror(-ret)) : 0;
}

/* Finds the existing ports. Attaches nothing yet, so that a policy can be published first. */
static int open_host(struct tw_agent *agent, struct tw_err *err)
{
	struct tw_host *host = &agent->host;
	int ret;

	tw_saved_read_ports(
		agent->enforcement.store, host->ports, &host->saved_ports, &host->n_saved_ports);
	if (tw_latch_new(agent->options->bpffs, host->patterns, &host->latch, err) < 0)
		tw_log(TW_LOG_WARNING, "latch: %s", err->text);
	ret = tw_rtnl_open(&host->rtnl);
	if (!ret)
		ret = tw_watch_open(host);
	if (!ret) {
		host->before = true;
		ret = tw_survey(host);
		host->before = false;
	}
	if (ret < 0)
		return tw_err_set(err, ret, "netlink", NULL, "%s", strerror(-ret));
	/* A latch of an earlier agent stays in place until all ports are attached. If there is
	 * none, a new one lets existing ports through, as they were open until now, and shuts only
	 * new ports. */
	agent->enforcement.latched = host->latch && tw_latch_exists(host->latch);
	if (host->latch && !agent->enforcement.latched)
		tw_attach_latch(&agent->enforcement, false);
	return 0;
}

/* Completes a change of the table's size once every port has this agent's programs. */
static void settle_table(const struct tw_host *host)
{
	const struct tw_kernel_facts *facts = tw_kernel_facts(host->kernel);
	struct tw_err err = {0};

	if (tw_kernel_settle(host->kernel, &err) < 0) {
		tw_log(TW_LOG_ERR, "%s: %s; will be tried again at the next start", err.place,
			err.text);
		return;
	}
	if (facts->resized_from)
		tw_log(TW_LOG_INFO,
			"connection table resized to %u connections, from %u; %u connections kept",
			facts->max_conns, facts->resized_from, facts->taken_over);
	if (facts->not_taken_over)
		tw_log(TW_LOG_WARNING,
			"%u connections opened during the resize did not fit into the new table",
			facts->not_taken_over);
}

/* Attaches the existing ports, and drops an earlier agent's entries of all others. */
static void begin(struct tw_agent *agent)
{
	struct tw_host *host = &agent->host;
	char name[IFNAMSIZ];

	tw_turn_begin(agent);
	settle_table(host);
	tw_locals_renew(host);
	tw_entries_forget_adopted(host);
	tw_publish_collect(&agent->enforcement);
	tw_vec_foreach (&host->ports->networks, row)
		row->gone = !if_indextoname(row->ifindex, name);
	free(host->saved_ports);
	host->saved_ports = NULL;
	host->n_saved_ports = 0;
	if (host->latch)
		tw_attach_latch(&agent->enforcement, true);
	tw_kernel_rest(host->kernel);
}

static int init(struct tw_agent *agent, struct tw_err *err)
{
	struct tw_saved_rules saved = {0};
	int ret = tw_store_open(agent->options->state_dir, &agent->enforcement.store, err);

	if (!ret)
		ret = open_kernel(agent, err);
	if (!ret)
		ret = init_tables(agent, err);
	if (!ret)
		ret = tw_publish_adopt(&agent->enforcement, err);
	if (!ret) {
		if (tw_staged_load_rules(agent->enforcement.store, &agent->slots, &saved) < 0 &&
			agent->enforcement.found.text)
			tw_sweep_name_unknown(&agent->telemetry);
		/* The generation that the kernel enforces counts, even if rules.json is missing or
		 * has another one. */
		if (agent->enforcement.found.text) {
			saved.generation = agent->enforcement.found.number;
			saved.since_ns = agent->enforcement.found.since_ns;
		}
		tw_versions_load(&agent->versions, agent->enforcement.store);
		/* After a reboot, the numbers of policies continue. */
		agent->enforcement.generation = saved.generation
							? saved.generation
							: tw_versions_last(&agent->versions);
		tw_kept_load(&agent->enforcement);
		tw_quarantine_load(&agent->enforcement);
		ret = open_host(agent, err);
	}
	if (!ret) {
		tw_confirm_load(&agent->enforcement);
		tw_resume_policy(&agent->enforcement, &saved);
		tw_apply_tick(&agent->enforcement);
		begin(agent);
		ret = init_rest(agent, err);
	}
	free(saved.source);
	return ret;
}

/* Frees everything that was set up so far. Nothing that is enforced changes. */
static void done(struct tw_agent *agent)
{
	if (agent->tick_fd >= 0)
		close(agent->tick_fd);
	if (agent->signal_fd >= 0)
		close(agent->signal_fd);
	tw_logfile_tick(&agent->logfile, &agent->telemetry);
	tw_logfile_done(&agent->logfile);
	tw_dial_done(&agent->dial);
	tw_metrics_free(agent->metrics);
	tw_server_free(agent->server);
	tw_apply_free(agent->enforcement.applies);
	tw_captures_free(agent->telemetry.captures);
	tw_asks_free(agent->telemetry.asks);
	tw_events_free(agent->telemetry.events);
	tw_loop_remove(&agent->loop, &agent->spool_watch);
	tw_spool_free(agent->telemetry.spool);
	free(agent->spool_dir);
	tw_netlink_free(agent->host.netlink);
	tw_rtnl_free(agent->host.rtnl);
	tw_latch_free(agent->host.latch);
	tw_inforce_free(agent->enforcement.inforce);
	tw_policy_file_done(&agent->policy_file);
	tw_confirm_done(&agent->confirm);
	tw_tripwire_unset(&agent->tripwire);
	tw_quarantines_done(&agent->quarantines);
	tw_versions_done(&agent->versions);
	tw_vec_done(&agent->host.adopted);
	tw_macs_done(&agent->macs);
	tw_vec_done(&agent->host.forgotten);
	tw_uplinks_done(&agent->uplinks);
	tw_hostwork_done(&agent->hostwork);
	tw_residents_done(&agent->residents);
	tw_locals_done(&agent->locals);
	tw_gone_done(&agent->gone);
	tw_lease_map_done(&agent->enforcement);
	tw_kept_done(&agent->kept);
	tw_sweep_done(&agent->sweep);
	tw_journal_done(&agent->journal);
	tw_ports_done(&agent->ports);
	tw_images_done(&agent->images);
	tw_memberships_done(&agent->memberships);
	tw_slots_done(&agent->slots);
	tw_loop_done(&agent->loop);
	tw_kernel_close(agent->host.kernel);
	if (agent->bpffs_fd >= 0)
		close(agent->bpffs_fd);
	tw_store_free(agent->enforcement.store);
}

static int fail(const struct tw_err *err, int code)
{
	tw_err_print(stderr, "tapwalld", err);
	return code;
}

/* Keeps some freed memory in the process, so that handling a change does not wait for the kernel to
 * zero new pages. */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES / 16);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

/* Raises the limit of open files to FILES_WANTED or, without CAP_SYS_RESOURCE, to the hard
 * limit. */
static void raise_files(void)
{
	struct rlimit files = {FILES_WANTED, FILES_WANTED};

	if (!setrlimit(RLIMIT_NOFILE, &files) || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int tw_daemon_run(const struct tw_agent_options *options)
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
	connect_rooms(&agent);
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
	tw_apply_tell(&agent.enforcement);
	tw_notify("READY=1");
	ret = tw_loop_run(&agent.loop);
	tw_notify("STOPPING=1");
	tw_saving_end(&agent.enforcement);
	agent.enforcement.save_ns = 0;
	tw_saving_state(&agent.enforcement);
	tw_kept_save(&agent.enforcement);
	done(&agent);
	return ret < 0 ? TW_EXIT_INTERNAL : 0;
}

int tw_daemon_release(const struct tw_agent_options *options)
{
	const struct tw_patterns none = {0};
	tw_auto(tw_latch) struct tw_latch *latch = NULL;
	tw_auto(tw_store) struct tw_store *store = NULL;
	struct tw_err err = {0};
	tw_autofd int bpffs_fd = -1;
	char note[PATH_MAX], *spool_dir;
	int ret = tw_store_open(options->state_dir, &store, &err);

	if (!ret)
		ret = lock_bpffs(options->bpffs, false, &bpffs_fd, &err);
	if (!ret) {
		tw_locals_release(options->bpffs);
		ret = tw_kernel_release(options->bpffs, expedite_note(store, note), &err);
	}
	/* Without netfilter there is no latch to remove. */
	if (!ret && !tw_latch_new(options->bpffs, &none, &latch, NULL) && tw_latch_exists(latch))
		ret = tw_latch_remove(latch, &err);
	if (ret < 0)
		return fail(&err, tw_exit_code(ret));
	unlink(options->socket);
	if (asprintf(&spool_dir, "%s/" TW_SPOOL_DIR, options->state_dir) >= 0) {
		tw_spool_remove(spool_dir);
		free(spool_dir);
	}
	tw_present_note(store, TW_STORE_POLICY, 0, NULL);
	tw_present_note(store, TW_STORE_CONFIRM, 0, NULL);
	tw_store_remove(store);
	return 0;
}
