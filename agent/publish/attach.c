/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/attach.h"

#include <errno.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/latch.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/prove.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "fastpath/kernel/load.h"

#define RETRY_NS 1000000000u

static void retry_at(struct tw_enforcement *enforcement, uint64_t when)
{
	if (!enforcement->retry_ns || when < enforcement->retry_ns)
		enforcement->retry_ns = when;
}

static void retry_later(struct tw_enforcement *enforcement)
{
	retry_at(enforcement, tw_clock_ns() + RETRY_NS);
}

/* ---- the latch ---- */

static bool is_passing(const struct tw_agent_port *port, bool attached_only)
{
	return port->attached || port->left || !attached_only;
}

void tw_attach_latch(struct tw_enforcement *enforcement, bool attached_only)
{
	struct tw_host *host = enforcement->host;
	TW_VEC(uint32_t) live = {0};
	struct tw_err err = {0};
	int ret = 0;

	tw_vec_foreach (&host->ports->list, port)
		if (!ret && is_passing(*port, attached_only))
			ret = tw_vec_push(&live, (*port)->ifindex);
	if (!ret)
		ret = tw_latch_install(host->latch, live.at, live.n, &err);
	tw_vec_done(&live);
	if (ret < 0) {
		tw_log(TW_LOG_WARNING, "latch: %s; a new port is open until netlink reports it",
			err.text);
		tw_latch_free(host->latch);
		host->latch = NULL;
	}
	tw_vec_foreach (&host->ports->list, port)
		(*port)->let = host->latch && is_passing(*port, attached_only);
}

/* Lets through all attached ports that the latch still holds. */
static void let_through(struct tw_enforcement *enforcement)
{
	struct tw_host *host = enforcement->host;
	TW_VEC(uint32_t) live = {0};
	struct tw_err err = {0};
	int ret = 0;

	if (!host->latch)
		return;
	tw_vec_foreach (&host->ports->list, port)
		if (!ret && (*port)->attached && !(*port)->let)
			ret = tw_vec_push(&live, (*port)->ifindex);
	if (!ret)
		ret = tw_latch_let(host->latch, live.at, live.n, &err);
	tw_vec_done(&live);
	if (ret < 0) {
		tw_log(TW_LOG_ERR, "latch: new ports stay shut: %s", err.text);
		retry_later(enforcement);
		return;
	}
	/* The attached interface may have been replaced by another one without programs. */
	tw_vec_foreach (&host->ports->list, port) {
		bool fresh = (*port)->attached && !(*port)->let;

		(*port)->let = (*port)->attached || (*port)->left;
		if (fresh && !tw_prove_port(enforcement, *port))
			retry_later(enforcement);
	}
}

/* ---- ports up and down ---- */

static void tell_attached(const struct tw_agent_port *port)
{
	if (port->bypassed) /* logged by bypass.c */
		return;
	if (port->state == TW_PORT_PROTECTED && port->vnic)
		tw_log(TW_LOG_INFO, "%s: protects %s", port->name, port->vnic->workload);
	else if (port->open)
		tw_log(TW_LOG_WARNING, "%s: NOT FILTERED: belongs to no workload", port->name);
	else
		tw_log(TW_LOG_INFO, "%s: %s", port->name,
			port->state == TW_PORT_PROTECTED   ? "protected as it was before"
			: port->state == TW_PORT_UNCLAIMED ? "is shut: belongs to no workload"
							   : "is shut");
}

static void stay_shut(
	struct tw_enforcement *enforcement, struct tw_agent_port *port, const struct tw_err *err)
{
	struct tw_host *host = enforcement->host;
	char trouble[sizeof(port->trouble)];

	snprintf(trouble, sizeof(trouble), "%.*s", (int)sizeof(trouble) - 1, err->text);
	/* An error that persists is logged once, not at each attempt. */
	if (strcmp(port->trouble, trouble) != 0)
		tw_log(TW_LOG_ERR, "%s: cannot be attached, %s: %s%s%s", port->name,
			tw_latch_covers(host->latch, port->above) ? "stays shut"
								  : "is NOT FILTERED",
			err->text, err->hint[0] ? "; " : "", err->hint);
	snprintf(port->trouble, sizeof(port->trouble), "%s", trouble);
	if (host->latch)
		tw_latch_shut(host->latch, &port->ifindex, 1);
	port->let = false;
	retry_later(enforcement);
}

static void attach(struct tw_enforcement *enforcement, struct tw_agent_port *port)
{
	struct tw_host *host = enforcement->host;
	struct tw_err err = {0};
	bool make;
	int ret;

	if (port->attached || port->left)
		return;
	tw_notify_alive();
	/* Without the latch, an unattached port would be open. That is worse than making a qdisc
	 * while the host configures the port, which can make the host's own command fail. */
	make = tw_clock_ns() >= port->quiet_ns || !tw_latch_covers(host->latch, port->above);
	ret = tw_kernel_attach(host->kernel, port->ifindex, make, &err);
	/* Removed meanwhile; netlink will report it. */
	if (ret == -ENODEV)
		return;
	if (ret == -EAGAIN && !make) {
		retry_at(enforcement, port->quiet_ns);
		return;
	}
	if (ret < 0) {
		stay_shut(enforcement, port, &err);
		return;
	}
	port->attached = true;
	port->trouble[0] = '\0';
	tell_attached(port);
}

void tw_attach_ports(struct tw_enforcement *enforcement)
{
	struct tw_host *host = enforcement->host;
	tw_vec_foreach (&host->ports->list, port)
		attach(enforcement, *port);
	/* The forgotten interfaces are shut before any port is let through, because the same
	 * interface may have become a port again. */
	if (host->latch)
		tw_latch_shut(host->latch, host->forgotten.at, host->forgotten.n);
	host->forgotten.n = 0;
	let_through(enforcement);
}

void tw_attach_leave_running(struct tw_enforcement *enforcement)
{
	struct tw_host *host = enforcement->host;
	tw_vec_foreach (&host->ports->list, at) {
		struct tw_agent_port *port = *at;

		if (port->has_entry[host->epoch & 1] ||
			tw_kernel_is_attached(host->kernel, port->ifindex) ||
			(enforcement->latched && !tw_latch_lets(host->latch, port->ifindex)))
			continue;
		port->left = true;
		snprintf(port->trouble, sizeof(port->trouble),
			"no policy is in force, and it ran before");
		tw_log(TW_LOG_WARNING,
			"%s: NOT FILTERED: stays as it was until a policy is in force", port->name);
	}
}

void tw_attach_left(struct tw_enforcement *enforcement)
{
	bool any = false;

	tw_vec_foreach (&enforcement->host->ports->list, port) {
		any |= (*port)->left;
		(*port)->trouble[0] = (*port)->left ? '\0' : (*port)->trouble[0];
		(*port)->left = false;
	}
	if (any)
		tw_attach_ports(enforcement);
}
