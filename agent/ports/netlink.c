/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/alloc.h"

#define RECEIVE_BYTES (4 << 20) /* holds a burst of a few thousand new interfaces */
#define DUMP_TRIES    5
#define DUMP_SECONDS  10

struct tw_netlink {
	struct mnl_socket *events;
	struct mnl_socket *dumps; /* kept open, so that a dump needs no new descriptor */
	struct tw_netlink_handler handler;
	unsigned int seq;
	bool interrupted; /* a message of the current dump had NLM_F_DUMP_INTR */
	/* Holds one datagram. Dumps fill 32 KiB, or more for a large entry: a port in all VLANs,
	 * with every other one untagged, takes 33 KB. */
	char message[131072];
};

/* Copies a name from the kernel, cut to the buffer. */
static void copy_text(char *to, size_t max, const struct nlattr *attr)
{
	size_t len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	if (len >= max)
		len = max - 1;
	memcpy(to, mnl_attr_get_payload(attr), len);
	to[len] = '\0';
}

static uint32_t read_u32(const struct nlattr *attr)
{
	uint32_t value = 0;

	if (mnl_attr_get_payload_len(attr) >= sizeof(value))
		memcpy(&value, mnl_attr_get_payload(attr), sizeof(value));
	return value;
}

/* Reads a bridge's attributes of its port. */
static void read_bridge_port(const struct nlattr *info, struct tw_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_payload_len(attr) < 1)
			continue;
		if (mnl_attr_get_type(attr) == IFLA_BRPORT_STATE) {
			link->has_bridge_port = true;
			link->bridge_state = mnl_attr_get_u8(attr);
		} else if (mnl_attr_get_type(attr) == IFLA_BRPORT_ISOLATED) {
			link->isolated = mnl_attr_get_u8(attr) != 0;
		}
	}
}

static void read_info(const struct nlattr *info, struct tw_link *link)
{
	const struct nlattr *attr, *inner;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			copy_text(link->kind, sizeof(link->kind), attr);
		if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_KIND)
			copy_text(link->above, sizeof(link->above), attr);
		if (mnl_attr_get_type(attr) != IFLA_INFO_DATA || strcmp(link->kind, "bridge") != 0)
			continue;
		mnl_attr_for_each_nested(inner, attr)
		{
			if (mnl_attr_get_type(inner) != IFLA_BR_VLAN_FILTERING ||
				mnl_attr_get_payload_len(inner) < 1)
				continue;
			link->has_filtering = true;
			link->filtering = mnl_attr_get_u8(inner) != 0;
		}
	}
}

/* Reads the VLANs of a bridge port. Only the one for untagged frames matters. */
static void read_vlans(const struct nlattr *spec, struct tw_link *link)
{
	const struct nlattr *attr;

	link->has_pvid = true;
	mnl_attr_for_each_nested(attr, spec)
	{
		struct bridge_vlan_info vlan;

		if (mnl_attr_get_type(attr) != IFLA_BRIDGE_VLAN_INFO ||
			mnl_attr_get_payload_len(attr) < sizeof(vlan))
			continue;
		memcpy(&vlan, mnl_attr_get_payload(attr), sizeof(vlan));
		if (!(vlan.flags & BRIDGE_VLAN_INFO_PVID))
			continue;
		link->pvid = vlan.vid;
		link->pvid_untagged = vlan.flags & BRIDGE_VLAN_INFO_UNTAGGED;
	}
}

static void read_attr(const struct nlattr *attr, bool bridge_view, struct tw_link *link)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		copy_text(link->name, sizeof(link->name), attr);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(link->mac)) {
			memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
			link->has_mac = true;
		}
		break;
	case IFLA_MASTER:
		link->master = read_u32(attr);
		break;
	case IFLA_MTU:
		link->mtu = read_u32(attr);
		break;
	case IFLA_PROTINFO:
		if (bridge_view && mnl_attr_get_payload_len(attr) >= MNL_ATTR_HDRLEN)
			read_bridge_port(attr, link);
		break;
	case IFLA_LINKINFO:
		read_info(attr, link);
		break;
	case IFLA_AF_SPEC:
		if (bridge_view)
			read_vlans(attr, link);
		break;
	}
}

/* Handles a change of a bridge's forwarding database: a MAC was learned or forgotten. */
static int on_neighbour(const struct nlmsghdr *header, const struct tw_netlink *netlink)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(header);
	const uint8_t *mac = NULL;
	const struct nlattr *attr;
	uint32_t bridge = 0;

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*info) || info->ndm_family != AF_BRIDGE ||
		info->ndm_ifindex <= 0)
		return MNL_CB_OK;
	mnl_attr_for_each (attr, header, sizeof(*info)) {
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
			mac = mnl_attr_get_payload(attr);
		else if (mnl_attr_get_type(attr) == NDA_MASTER)
			bridge = read_u32(attr);
	}
	if (mac && bridge && header->nlmsg_type == RTM_DELNEIGH)
		netlink->handler.forgotten(netlink->handler.arg, mac, (uint32_t)info->ndm_ifindex);
	else if (mac && bridge && header->nlmsg_type == RTM_NEWNEIGH)
		netlink->handler.learned(
			netlink->handler.arg, mac, bridge, (uint32_t)info->ndm_ifindex);
	return MNL_CB_OK;
}

static int on_tc(const struct nlmsghdr *header, const struct tw_netlink *netlink)
{
	const struct tcmsg *info = mnl_nlmsg_get_payload(header);
	uint16_t type = header->nlmsg_type;

	if (mnl_nlmsg_get_payload_len(header) >= sizeof(*info) && info->tcm_ifindex > 0)
		netlink->handler.hooks(netlink->handler.arg, (uint32_t)info->tcm_ifindex,
			type == RTM_DELQDISC || type == RTM_DELTFILTER);
	return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *header, void *arg)
{
	const struct tw_netlink *netlink = arg;
	const struct tw_netlink_handler *handler = &netlink->handler;
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
	struct tw_link link = {0};
	const struct nlattr *attr;
	bool bridge_view;

	switch (header->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		break;
	case RTM_NEWQDISC:
	case RTM_DELQDISC:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER:
		return on_tc(header, netlink);
	default:
		return on_neighbour(header, netlink);
	}
	if (mnl_nlmsg_get_payload_len(header) < sizeof(*info) || info->ifi_index <= 0)
		return MNL_CB_OK;
	bridge_view = info->ifi_family == AF_BRIDGE;
	link.ifindex = (uint32_t)info->ifi_index;
	link.loopback = info->ifi_flags & IFF_LOOPBACK;
	mnl_attr_for_each (attr, header, sizeof(*info))
		read_attr(attr, bridge_view, &link);
	/* A bridge also sends RTM_DELLINK if a port leaves it, although the interface still
	 * exists. */
	if (header->nlmsg_type == RTM_DELLINK && !bridge_view)
		handler->gone(handler->arg, link.ifindex);
	else if (header->nlmsg_type == RTM_NEWLINK && !bridge_view)
		handler->changed(handler->arg, &link);
	else if (header->nlmsg_type == RTM_NEWLINK && (link.has_pvid || link.has_bridge_port))
		handler->port(handler->arg, &link);
	return MNL_CB_OK;
}

static struct mnl_socket *open_socket(unsigned int groups, int flags)
{
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);

	if (sock && mnl_socket_bind(sock, groups, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(sock);
		sock = NULL;
	}
	return sock;
}

/* Opens a new socket, because the rest of an aborted answer would be read as the next one. */
static int open_dumps(struct tw_netlink *netlink)
{
	const struct timeval limit = {.tv_sec = DUMP_SECONDS};

	netlink->dumps = open_socket(0, 0);
	if (!netlink->dumps)
		return -errno;
	setsockopt(
		mnl_socket_get_fd(netlink->dumps), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return 0;
}

static int reopen_dumps(struct tw_netlink *netlink)
{
	if (netlink->dumps)
		mnl_socket_close(netlink->dumps);
	return open_dumps(netlink);
}

int tw_netlink_open(const struct tw_netlink_handler *handler, struct tw_netlink **ret)
{
	struct tw_netlink *netlink = tw_alloc(sizeof(*netlink));
	const int bytes = RECEIVE_BYTES;

	if (!netlink)
		return -ENOMEM;
	netlink->handler = *handler;
	netlink->events = open_socket(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_TC, SOCK_NONBLOCK);
	if (!netlink->events || open_dumps(netlink) < 0) {
		int err = -errno;

		tw_netlink_free(netlink);
		return err;
	}
	/* If the buffer cannot be enlarged, it overflows more often, and more dumps are needed. */
	setsockopt(mnl_socket_get_fd(netlink->events), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		sizeof(bytes));
	*ret = netlink;
	return 0;
}

void tw_netlink_free(struct tw_netlink *netlink)
{
	if (netlink && netlink->events)
		mnl_socket_close(netlink->events);
	if (netlink && netlink->dumps)
		mnl_socket_close(netlink->dumps);
	free(netlink);
}

int tw_netlink_fd(const struct tw_netlink *netlink)
{
	return mnl_socket_get_fd(netlink->events);
}

/* Clears NLM_F_DUMP_INTR in all messages, so that libmnl delivers them. True if one had it. */
static bool clear_interrupted(struct nlmsghdr *header, int len)
{
	bool interrupted = false;

	for (; mnl_nlmsg_ok(header, len); header = mnl_nlmsg_next(header, &len)) {
		interrupted |= (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		header->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
	}
	return interrupted;
}

static int receive(struct tw_netlink *netlink, struct mnl_socket *sock, unsigned int seq)
{
	ssize_t len = mnl_socket_recvfrom(sock, netlink->message, sizeof(netlink->message));
	int ret;

	if (len < 0)
		return -errno;
	netlink->interrupted |= clear_interrupted((struct nlmsghdr *)netlink->message, (int)len);
	ret = mnl_cb_run(netlink->message, (size_t)len, seq, seq ? mnl_socket_get_portid(sock) : 0,
		on_message, netlink);
	return ret < 0 ? -errno : ret;
}

int tw_netlink_read(struct tw_netlink *netlink)
{
	/* Bounded, so that an endless stream of new interfaces does not block the loop. */
	for (int i = 0; i < 256; i++) {
		int ret = receive(netlink, netlink->events, 0);

		if (ret == -EAGAIN || ret == -EWOULDBLOCK)
			return 0;
		/* A message that does not fit is lost, as if the socket's buffer had been full. */
		if (ret == -ENOSPC)
			return -ENOBUFS;
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
	return 0;
}

/* Sends a request and passes every message of its answer to the handler. */
static int converse(struct tw_netlink *netlink, struct nlmsghdr *request)
{
	unsigned int seq = ++netlink->seq;
	int ret;

	request->nlmsg_seq = seq;
	if (mnl_socket_sendto(netlink->dumps, request, request->nlmsg_len) < 0)
		return -errno;
	do
		ret = receive(netlink, netlink->dumps, seq);
	while (ret > 0 || ret == -EINTR);
	return ret;
}

/* Requests all interfaces, or all learned MACs, of `family`. The header of both requests starts
 * with the family. */
static int dump_family(struct tw_netlink *netlink, uint16_t type, uint8_t family)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(netlink->message);
	struct ifinfomsg *info;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifi_family = family;
	if (type == RTM_GETLINK && family == AF_BRIDGE)
		mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
	return converse(netlink, request);
}

int tw_netlink_dump(struct tw_netlink *netlink)
{
	int ret = netlink->dumps ? 0 : open_dumps(netlink);

	netlink->interrupted = true;
	for (int i = 0; i < DUMP_TRIES && !ret && netlink->interrupted; i++) {
		netlink->interrupted = false;
		ret = dump_family(netlink, RTM_GETLINK, AF_UNSPEC);
		if (!ret)
			ret = dump_family(netlink, RTM_GETLINK, AF_BRIDGE);
		if (!ret)
			ret = dump_family(netlink, RTM_GETNEIGH, AF_BRIDGE);
	}
	if (ret < 0) {
		reopen_dumps(netlink);
		/* On a timeout the partial answer is not used. */
		return ret == -EAGAIN ? -ETIMEDOUT : ret;
	}
	return netlink->interrupted ? -EAGAIN : 0;
}

int tw_netlink_ask(struct tw_netlink *netlink, uint32_t ifindex)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(netlink->message);
	struct ifinfomsg *info;
	int ret = netlink->dumps ? 0 : open_dumps(netlink);

	if (ret < 0)
		return ret;
	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifi_index = (int)ifindex;
	ret = converse(netlink, request);
	if (ret < 0 && ret != -ENODEV)
		reopen_dumps(netlink);
	return ret;
}
