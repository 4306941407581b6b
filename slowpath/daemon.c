/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/notify.h"
#include "link/metrics.h"
#include "slowpath/answer.h"
#include "slowpath/export/export.h"
#include "slowpath/metrics.h"
#include "slowpath/slow.h"

#define TICK_NS 250000000
#define DAY_US	86400000000u

/* ---- the loop ---- */

static void on_signal(void *arg, uint32_t events)
{
	struct tw_slow *slow = arg;
	struct signalfd_siginfo info;

	if (read(slow->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	tw_log(TW_LOG_INFO, "stopping; agents keep filtering");
	tw_loop_stop(&slow->loop);
}

static void on_tick(void *arg, uint32_t events)
{
	struct tw_slow *slow = arg;
	uint64_t count;

	slow->ticked = read(slow->tick_fd, &count, sizeof(count)) == sizeof(count);
}

static void on_told(void *arg)
{
	struct tw_slow *slow = arg;

	slow->told = true;
}

static void act(void *arg)
{
	struct tw_slow *slow = arg;

	if (slow->ticked) {
		if (tw_revoked_look(&slow->revoked))
			tw_agents_revoke(slow->agents);
		if (tw_own_tick(&slow->own))
			tw_agents_set_identity(slow->agents, slow->own.identity);
		tw_tokens_look(&slow->enroll.tokens);
		tw_agents_tick(slow->agents);
		tw_targets_tick(slow->targets);
		tw_ledger_tick(slow->ledger);
		tw_spread_tick(slow->spread);
		tw_feed_tick(slow->feed, slow->agents);
		tw_server_tick(slow->server);
		tw_metrics_tick(slow->metrics);
		tw_notify_alive();
	}
	slow->ticked = false;
	if (slow->told) {
		slow->told = false;
		tw_server_pump(slow->server);
		tw_agents_pump(slow->agents);
	}
}

/* ---- setting up, in order ---- */

static int open_signals(struct tw_slow *slow)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	slow->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (slow->signal_fd < 0)
		return -errno;
	return tw_loop_add(
		&slow->loop, &slow->signal_watch, slow->signal_fd, EPOLLIN, on_signal, slow);
}

static int open_tick(struct tw_slow *slow)
{
	const struct itimerspec every = {{0, TICK_NS}, {0, TICK_NS}};

	slow->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (slow->tick_fd < 0 || timerfd_settime(slow->tick_fd, 0, &every, NULL) < 0)
		return -errno;
	return tw_loop_add(&slow->loop, &slow->tick_watch, slow->tick_fd, EPOLLIN, on_tick, slow);
}

static int open_agents(struct tw_slow *slow, struct tw_err *err)
{
	const struct tw_slow_options *options = slow->options;
	const struct tw_identity_files files = {options->cert, options->key, options->ca};
	struct tw_agents_setup agents = {.loop = &slow->loop,
		.listen = options->listen,
		.told = on_told,
		.answer = tw_slow_answer,
		.arg = slow};
	int code = tw_own_init(&slow->own, &files, options->state_dir, err);

	if (code < 0)
		return code;
	code = tw_revoked_init(&slow->revoked, options->state_dir);
	if (code < 0)
		return tw_err_set(err, code, "--state-dir", "use a shorter path", "%s is too long",
			options->state_dir);
	slow->own.identity->is_revoked = tw_revoked_has;
	slow->own.identity->arg = &slow->revoked;
	code = tw_enroll_init(&slow->enroll, options->state_dir, options->life_s, &slow->revoked);
	if (code < 0)
		return tw_err_set(err, code, "--state-dir", "use a shorter path", "%s is too long",
			options->state_dir);
	slow->own.identity->is_enrolling = tw_enroll_is_open;
	slow->own.identity->enrolling_arg = &slow->enroll;
	agents.enroll = &slow->enroll;
	agents.identity = slow->own.identity;
	return tw_agents_new(&agents, &slow->agents, err);
}

static void close_policies(struct tw_slow *slow)
{
	tw_spread_free(slow->spread);
	tw_ledger_free(slow->ledger);
	tw_targets_free(slow->targets);
	tw_policies_free(slow->policies);
	slow->spread = NULL;
	slow->ledger = NULL;
	slow->targets = NULL;
	slow->policies = NULL;
}

/* Opens the store of policies. If that fails, tapwall-slowd runs without it, and agents keep their
 * policies. */
static void open_policies(struct tw_slow *slow)
{
	const struct tw_policies_limits limits = {TW_POLICIES_KEPT, TW_POLICIES_BYTES_MAX};
	struct tw_targets_setup setup = {.agents = slow->agents, .told = on_told, .arg = slow};
	struct tw_spread_setup spread = {.agents = slow->agents, .told = on_told, .arg = slow};
	struct tw_err *err = &slow->policies_err;
	char path[4096];
	int code = 0;

	if (snprintf(path, sizeof(path), "%s/policies.db", slow->options->state_dir) >=
		(int)sizeof(path))
		code = tw_err_set(err, -ENAMETOOLONG, "--state-dir", NULL, "is too long");
	if (!code)
		code = tw_policies_open(path, &limits, &slow->policies, err);
	setup.policies = slow->policies;
	if (!code)
		code = tw_targets_new(&setup, &slow->targets, err);
	if (!code)
		code = tw_ledger_open(slow->policies, &slow->ledger, err);
	spread.ledger = slow->ledger;
	if (!code)
		code = tw_spread_new(&spread, &slow->spread);
	if (!code)
		return;
	close_policies(slow);
	if (!err->code)
		tw_err_set(err, code, "start", NULL, "out of memory");
	tw_log(TW_LOG_ERR,
		"%s: %s; no policy can be pushed, and no workload be put into quarantine%s%s",
		err->place, err->text, err->hint[0] ? ": " : "", err->hint);
}

/* Opens the history. If that fails, tapwall-slowd runs without it, and agents keep their events
 * for a while. */
static int open_history(struct tw_slow *slow, struct tw_err *err)
{
	const struct tw_slow_options *options = slow->options;
	const struct tw_history_limits limits = {.bytes_max = (uint64_t)options->history_mib << 20,
		.age_max_us = options->history_days * DAY_US};
	const struct tw_store_access access = {
		.login = options->history_login, .ca = options->history_ca};
	struct tw_feed_setup feed = {
		.loop = &slow->loop, .path = slow->history, .access = access, .limits = limits};
	struct tw_search_setup search = {.loop = &slow->loop,
		.access = access,
		.limits = limits,
		.told = on_told,
		.arg = slow};
	struct tw_err *why = &slow->history_err;
	int code;

	tw_export_add_sinks(slow->export, feed.sinks, &feed.n_sinks);
	code = tw_feed_new(&feed, &slow->feed, why);
	if (code < 0) {
		tw_log(TW_LOG_ERR, "%s: %s; nothing is recorded%s%s", why->place, why->text,
			why->hint[0] ? ": " : "", why->hint);
		feed.path = slow->history = NULL;
		code = tw_feed_new(&feed, &slow->feed, err);
	}
	search.path = slow->history;
	search.why = why;
	search.feed = slow->feed;
	return code < 0 ? code : tw_search_new(&search, &slow->search, err);
}

static int init(struct tw_slow *slow, struct tw_err *err)
{
	const struct tw_server_options server = {.loop = &slow->loop,
		.listeners = {{.at = {slow->options->socket, "tapwall", NULL},
				      .role = TW_ROLE_OPERATOR,
				      .option = "--socket"},
			{.at = {slow->options->viewer_socket, "tapwall-view", NULL},
				.role = TW_ROLE_VIEWER,
				.option = "--viewer-socket"},
			{.at = {slow->options->decider_socket, "tapwall-decide", NULL},
				.role = TW_ROLE_DECIDER,
				.option = "--decider-socket"}},
		.start = tw_slow_answer,
		.context = slow};
	const struct tw_metrics_options metrics = {.loop = &slow->loop,
		.address = slow->options->metrics,
		.write = tw_slow_metrics,
		.context = slow};
	int code = tw_loop_init(&slow->loop, act, slow);

	if (!code)
		code = open_signals(slow);
	if (!code)
		code = open_tick(slow);
	if (code < 0)
		return tw_err_set(err, code, "start", NULL, "%s", strerror(-code));
	code = tw_export_new(slow->options, &slow->export, err);
	if (!code)
		code = open_history(slow, err);
	if (!code)
		code = open_agents(slow, err);
	if (code < 0)
		return code;
	open_policies(slow);
	code = tw_server_new(&server, &slow->server, err);
	return !code && metrics.address ? tw_metrics_new(&metrics, &slow->metrics, err) : code;
}

static void done(struct tw_slow *slow)
{
	tw_metrics_free(slow->metrics);
	tw_server_free(slow->server);
	tw_search_free(slow->search);
	tw_agents_free(slow->agents);
	close_policies(slow);
	tw_feed_free(slow->feed);
	tw_export_free(slow->export);
	tw_own_done(&slow->own);
	tw_enroll_done(&slow->enroll);
	tw_revoked_done(&slow->revoked);
	if (slow->tick_fd >= 0)
		close(slow->tick_fd);
	if (slow->signal_fd >= 0)
		close(slow->signal_fd);
	tw_loop_done(&slow->loop);
}

int tw_slow_run(const struct tw_slow_options *options)
{
	struct tw_slow slow = {.options = options,
		.signal_fd = -1,
		.tick_fd = -1,
		.loop = {.epoll_fd = -1},
		.started_ns = tw_clock_ns()};
	struct tw_err err = {0};
	tw_auto_buf struct tw_buf path = {0};
	int code;

	tw_buf_addf(&path, "%s/history.db", options->state_dir);
	if (!options->no_history)
		slow.history = options->history ? options->history : path.data;
	code = path.failed ? -ENOMEM : init(&slow, &err);
	if (!code) {
		tw_log(TW_LOG_INFO, "listening for agents at %s", options->listen);
		tw_notify("READY=1");
		code = tw_loop_run(&slow.loop);
		tw_notify("STOPPING=1");
		if (code < 0)
			tw_err_set(&err, code, "loop", NULL, "%s", strerror(-code));
	}
	done(&slow);
	if (!code)
		return TW_EXIT_OK;
	tw_err_print(stderr, "tapwall-slowd", &err);
	return (int)tw_exit_code(code);
}
