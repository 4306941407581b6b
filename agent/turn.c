/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/turn.h"

#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/ports/bypass.h"
#include "agent/ports/survey.h"
#include "agent/publish/apply.h"
#include "agent/publish/attach.h"
#include "agent/publish/bind.h"
#include "agent/publish/expiry.h"
#include "agent/publish/leases.h"
#include "agent/publish/mend.h"
#include "agent/publish/prove.h"
#include "agent/publish/publish.h"
#include "agent/publish/resume.h"
#include "agent/publish/saving.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "link/metrics.h"

#define RETRY_NS 1000000000u

/* ---- ports ---- */

static void look_at_host(struct tw_host *host)
{
	tw_bypass_tick(host);
	if (tw_hostwork_look(host))
		tw_uplinks_look(host);
	if (host->renew)
		tw_locals_renew(host);
	host->renew = false;
}

/* Reinstalls the latch after another program has deleted its table, for instance by flushing
 * netfilter. */
static void look_at_latch(struct tw_agent *agent)
{
	struct tw_host *host = &agent->host;
	struct tw_watch *watch = &agent->latch_watch;
	bool deleted = tw_latch_read(host->latch);

	agent->hostwork.next_ns = 0;
	if (!deleted || tw_latch_exists(host->latch))
		return;
	tw_log(TW_LOG_WARNING, "latch: another program deleted its table; reinstalling it");
	tw_loop_remove(&agent->loop, watch);
	tw_attach_latch(&agent->enforcement, true);
	if (host->latch)
		tw_loop_add(&agent->loop, watch, tw_latch_fd(host->latch), EPOLLIN, watch->ready,
			watch->arg);
}

/* Reads netlink. True if all changes are known. */
static bool hear(struct tw_host *host)
{
	int ret = tw_netlink_read(host->netlink);

	tw_survey_tick(host);
	if (ret == -ENOBUFS) {
		tw_log(TW_LOG_INFO, "could not keep up with netlink; reading all interfaces again");
		ret = tw_survey(host);
		tw_vec_foreach (&host->ports->list, port)
			(*port)->suspect = host->suspects = true;
	}
	if (ret < 0)
		tw_log(TW_LOG_ERR, "netlink: %s", strerror(-ret));
	return !ret;
}

/* Publishes the policy, attaches ports and lets them through the latch, as needed. */
static void bring_up(struct tw_agent *agent)
{
	struct tw_enforcement *enforcement = &agent->enforcement;
	struct tw_err err = {0};

	tw_host_about_to_change(&agent->host);
	tw_hostwork_meet(&agent->host);
	tw_bypass_look(&agent->host);
	agent->host.changed = agent->telemetry.claimed = false;
	enforcement->retry_ns = 0;
	if (tw_publish_refresh(enforcement, &err) < 0) {
		tw_log(TW_LOG_ERR, "%s: %s", err.place, err.text);
		enforcement->retry_ns = tw_clock_ns() + RETRY_NS;
	}
	tw_attach_ports(enforcement);
	/* The disk is written later, because waiting for it would keep new ports shut for
	 * longer. */
	enforcement->unsaved = true;
}

static bool is_due(uint64_t when_ns)
{
	return when_ns && tw_clock_ns() >= when_ns;
}

static void take_leases(struct tw_enforcement *enforcement)
{
	struct tw_err err = {0};

	if (!tw_leases_look(enforcement))
		return;
	if (tw_publish_refresh(enforcement, &err) < 0)
		tw_log(TW_LOG_ERR, "learned addresses are not in force: %s", err.text);
	tw_leases_rest(enforcement);
}

/* ---- the turn ---- */

/* Handles changes of the host before anything is reported to clients. */
static void turn_ports(struct tw_agent *agent, bool ticked)
{
	struct tw_host *host = &agent->host;
	struct tw_enforcement *enforcement = &agent->enforcement;
	bool listens = ticked || agent->netlink_ready, all_known = listens && hear(host);

	agent->netlink_ready = false;
	tw_prove_suspects(enforcement);
	if (ticked) {
		tw_prove_tick(enforcement);
		tw_uplinks_tick(host);
	}
	if (enforcement->attach_due)
		tw_attach_ports(enforcement);
	enforcement->attach_due = false;
	if (host->heard)
		tw_bind_tell_heard(enforcement->inforce, host->ports);
	host->heard = false;
	if (host->changed || agent->telemetry.claimed || (ticked && is_due(enforcement->retry_ns)))
		bring_up(agent);
	/* All changes of ports are known and handled, so cut-through may continue. */
	if (all_known && !host->survey_ns)
		tw_locals_renew(host);
}

static void turn_observers(struct tw_agent *agent, bool ticked)
{
	struct tw_telemetry *telemetry = &agent->telemetry;

	if (ticked) {
		tw_sweep_tick(&agent->sweep);
		tw_server_tick(agent->server);
		tw_metrics_tick(agent->metrics);
		tw_dial_tick(&agent->dial);
		tw_events_tick(telemetry->events);
		tw_logfile_tick(&agent->logfile, telemetry);
		tw_asks_tick(telemetry->asks);
	}
	if (agent->enforcement.settled)
		tw_asks_settle(telemetry->asks);
	if (ticked || agent->enforcement.settled)
		tw_captures_sync(telemetry->captures);
	agent->enforcement.settled = false;
	if (ticked || telemetry->told) {
		tw_server_pump(agent->server);
		tw_dial_pump(&agent->dial);
	}
	telemetry->told = false;
}

void tw_turn_act(void *arg)
{
	struct tw_agent *agent = arg;
	bool ticked = agent->ticked;

	agent->ticked = false;
	/* While a policy is being read, SIGHUP waits. */
	if (agent->reload && tw_apply_is_idle(&agent->enforcement)) {
		agent->reload = false;
		tw_resume_reload(&agent->enforcement);
	}
	if (agent->latch_ready)
		look_at_latch(agent);
	agent->latch_ready = false;
	if (ticked) {
		tw_mend_tick(&agent->enforcement);
		tw_publish_tick(&agent->enforcement);
		tw_resume_again(&agent->enforcement);
		tw_apply_tick(&agent->enforcement);
		tw_expiry_tick(&agent->enforcement);
		tw_quarantine_tick(&agent->enforcement);
		look_at_host(&agent->host);
	}
	tw_apply_next(&agent->enforcement);
	turn_ports(agent, ticked);
	if (ticked || agent->telemetry.leased)
		take_leases(&agent->enforcement);
	agent->telemetry.leased = false;
	turn_observers(agent, ticked);
	tw_kernel_rest(agent->host.kernel);
	if (!ticked)
		return;
	if (tw_kept_tick(&agent->enforcement))
		tw_saving_works(&agent->enforcement);
	tw_saving_state(&agent->enforcement);
	tw_notify_alive();
}

void tw_turn_begin(struct tw_agent *agent)
{
	if (!agent->enforcement.inforce)
		tw_attach_leave_running(&agent->enforcement);
	tw_uplinks_adopt(&agent->host);
	look_at_host(&agent->host);
	bring_up(agent);
	tw_uplinks_sync(&agent->host);
}
