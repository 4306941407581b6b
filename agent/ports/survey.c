/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/survey.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/netlink.h"
#include "agent/ports/ports.h"
#include "agent/ports/uplinks.h"
#include "agent/ports/watch.h"
#include "base/clock.h"
#include "base/log.h"

#define AGAIN_NS 1000000000u

/* The interfaces that a dump may have left out. */
struct unseen {
	TW_VEC(uint32_t) list;
};

static int list_unseen(const struct tw_host *host, struct unseen *ret)
{
	int err = 0;

	tw_vec_foreach (&host->ports->list, port)
		if (!(*port)->seen && !err)
			err = tw_vec_push(&ret->list, (*port)->ifindex);
	tw_vec_foreach (&host->uplinks->rows, row)
		if (!row->seen && !err)
			err = tw_vec_push(&ret->list, row->ifindex);
	/* Entries of an earlier agent without a port. */
	tw_vec_foreach (&host->adopted, adopted)
		if (!err)
			err = tw_vec_push(&ret->list, adopted->ifindex);
	return err;
}

/* Asks for each interface that was not reported, so that existing ones are reported after all. */
static int ask_unseen(struct tw_host *host)
{
	struct unseen unseen = {0};
	int ret = list_unseen(host, &unseen);

	tw_vec_foreach (&unseen.list, ifindex) {
		int there = ret ? ret : tw_netlink_ask(host->netlink, *ifindex);

		if (there == -ENODEV)
			tw_watch_gone(host, *ifindex);
		else if (there < 0 && !ret)
			ret = there;
	}
	tw_vec_done(&unseen.list);
	return ret;
}

/* Forgets interfaces that a complete dump did not report. */
static int forget_unseen(struct tw_host *host)
{
	struct unseen unseen = {0};
	int ret = list_unseen(host, &unseen);

	tw_vec_foreach (&unseen.list, ifindex)
		tw_watch_gone(host, *ifindex);
	tw_vec_done(&unseen.list);
	return ret;
}

/* True if bridges reported all their ports. The dump itself does not show whether it left one
 * out. */
static bool bridges_told(const struct tw_host *host)
{
	tw_vec_foreach (&host->ports->list, port)
		if (!strcmp((*port)->above, "bridge") && !(*port)->told)
			return false;
	return true;
}

int tw_survey(struct tw_host *host)
{
	bool again = host->survey_ns != 0;
	int ret, told;

	tw_vec_foreach (&host->ports->list, port)
		(*port)->seen = (*port)->told = false;
	tw_vec_foreach (&host->uplinks->rows, row)
		row->seen = false;
	told = tw_netlink_dump(host->netlink);
	if (told && told != -EAGAIN) {
		host->survey_ns = tw_clock_ns() + AGAIN_NS;
		return told;
	}
	ret = told ? ask_unseen(host) : forget_unseen(host);
	if (!told && !ret && bridges_told(host)) {
		if (again)
			tw_log(TW_LOG_INFO, "netlink has listed all interfaces");
		host->survey_ns = 0;
		return 0;
	}
	if (!again)
		tw_log(TW_LOG_INFO,
			"netlink: interfaces changed while they were listed; listing them again");
	host->survey_ns = tw_clock_ns() + AGAIN_NS;
	return ret;
}

void tw_survey_tick(struct tw_host *host)
{
	int ret;

	if (!host->survey_ns || tw_clock_ns() < host->survey_ns)
		return;
	ret = tw_survey(host);
	if (ret < 0)
		tw_log(TW_LOG_ERR, "netlink: %s; listing them again", strerror(-ret));
	tw_vec_foreach (&host->ports->list, port)
		(*port)->suspect = host->suspects = true;
}
