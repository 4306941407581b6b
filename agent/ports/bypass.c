/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/bypass.h"

#include <linux/if_ether.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "base/clock.h"
#include "base/log.h"

/* The device that the userspace datapath creates first, and keeps. */
#define USERSPACE_DATAPATH "ovs-netdev"
#define PACKET_SOCKETS	   "/proc/self/net/packet"
#define CHECK_NS	   2000000000ull

/* Marks the port that a line of PACKET_SOCKETS is about, if the socket reads all its frames. */
static void mark(const struct tw_host *host, const char *line)
{
	struct tw_agent_port *port;
	unsigned int type, proto, ifindex;

	/* sk RefCnt Type Proto Iface … */
	if (sscanf(line, "%*s %*s %u %x %u", &type, &proto, &ifindex) != 3 || type != SOCK_RAW ||
		proto != ETH_P_ALL)
		return;
	port = tw_ports_find(host->ports, ifindex);
	if (port && !port->above[0])
		port->read_first = true;
}

void tw_bypass_look(struct tw_host *host)
{
	FILE *file = if_nametoindex(USERSPACE_DATAPATH) ? fopen(PACKET_SOCKETS, "re") : NULL;
	char line[256];

	tw_vec_foreach (&host->ports->list, port)
		(*port)->read_first = false;
	while (file && fgets(line, sizeof(line), file))
		mark(host, line);
	if (file)
		fclose(file);
	tw_vec_foreach (&host->ports->list, at) {
		struct tw_agent_port *port = *at;

		if (port->read_first == port->bypassed)
			continue;
		port->bypassed = port->read_first;
		if (port->bypassed)
			tw_log(TW_LOG_ERR, "%s: NOT FILTERED: %s", port->name, TW_BYPASS_WHY);
		else
			tw_log(TW_LOG_INFO, "%s: Open vSwitch no longer reads its frames",
				port->name);
	}
}

void tw_bypass_tick(struct tw_host *host)
{
	uint64_t now = tw_clock_ns();

	if (now < host->bypass_ns)
		return;
	host->bypass_ns = now + CHECK_NS;
	tw_bypass_look(host);
}
