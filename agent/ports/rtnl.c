/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/alloc.h"

#define ANSWER_SECONDS 1
#define MESSAGE_BYTES  16384

struct tw_rtnl {
	struct mnl_socket *sock;
	unsigned int seq;
	char message[MESSAGE_BYTES]; /* the request, then its answer */
};

int tw_rtnl_open(struct tw_rtnl **ret)
{
	const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	tw_auto(tw_rtnl) struct tw_rtnl *rtnl = tw_alloc(sizeof(*rtnl));

	if (!rtnl)
		return -ENOMEM;
	rtnl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!rtnl->sock || mnl_socket_bind(rtnl->sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
		setsockopt(mnl_socket_get_fd(rtnl->sock), SOL_SOCKET, SO_RCVTIMEO, &limit,
			sizeof(limit)) < 0)
		return -errno;
	*ret = TW_TAKE_PTR(rtnl);
	return 0;
}

void tw_rtnl_free(struct tw_rtnl *rtnl)
{
	if (rtnl && rtnl->sock)
		mnl_socket_close(rtnl->sock);
	free(rtnl);
}

static struct nlmsghdr *begin(struct tw_rtnl *rtnl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(rtnl->message);

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	header->nlmsg_seq = ++rtnl->seq;
	return header;
}

/* Sends the request of begin() and reads up to its acknowledgement. */
static int finish(
	struct tw_rtnl *rtnl, const struct nlmsghdr *header, mnl_cb_t on_answer, void *arg)
{
	unsigned int portid = mnl_socket_get_portid(rtnl->sock);
	int ret;

	if (mnl_socket_sendto(rtnl->sock, header, header->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t len = mnl_socket_recvfrom(rtnl->sock, rtnl->message, MESSAGE_BYTES);

		if (len < 0)
			return -errno;
		ret = mnl_cb_run(rtnl->message, (size_t)len, rtnl->seq, portid, on_answer, arg);
	} while (ret > MNL_CB_STOP);
	return ret < 0 ? -errno : 0;
}

static int on_group(const struct nlmsghdr *header, void *arg)
{
	uint32_t *group = arg;
	const struct nlattr *attr;

	mnl_attr_for_each (attr, header, sizeof(struct ifinfomsg))
		if (mnl_attr_get_type(attr) == IFLA_GROUP &&
			mnl_attr_validate(attr, MNL_TYPE_U32) >= 0)
			*group = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static struct nlmsghdr *begin_link(struct tw_rtnl *rtnl, uint16_t type, uint32_t ifindex)
{
	struct nlmsghdr *header = begin(rtnl, type, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

	info->ifi_index = (int)ifindex;
	return header;
}

int tw_rtnl_get_group(struct tw_rtnl *rtnl, uint32_t ifindex, uint32_t *ret)
{
	const struct nlmsghdr *header = begin_link(rtnl, RTM_GETLINK, ifindex);
	uint32_t group = 0;
	int err = finish(rtnl, header, on_group, &group);

	if (!err)
		*ret = group;
	return err;
}

/* With programs in several modes, keeps the id of one of them. */
static int on_xdp(const struct nlmsghdr *header, void *arg)
{
	uint32_t *id = arg;
	const struct nlattr *attr, *inner;

	mnl_attr_for_each (attr, header, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attr) != IFLA_XDP)
			continue;
		mnl_attr_for_each_nested(inner, attr)
		{
			unsigned int type = mnl_attr_get_type(inner);

			if ((type == IFLA_XDP_PROG_ID || type == IFLA_XDP_DRV_PROG_ID ||
				    type == IFLA_XDP_SKB_PROG_ID || type == IFLA_XDP_HW_PROG_ID) &&
				mnl_attr_validate(inner, MNL_TYPE_U32) >= 0)
				*id = mnl_attr_get_u32(inner);
		}
	}
	return MNL_CB_OK;
}

int tw_rtnl_get_xdp(struct tw_rtnl *rtnl, uint32_t ifindex, uint32_t *ret)
{
	const struct nlmsghdr *header = begin_link(rtnl, RTM_GETLINK, ifindex);
	uint32_t id = 0;
	int err = finish(rtnl, header, on_xdp, &id);

	if (!err)
		*ret = id;
	return err;
}

int tw_rtnl_set_group(struct tw_rtnl *rtnl, uint32_t ifindex, uint32_t group)
{
	struct nlmsghdr *header = begin_link(rtnl, RTM_SETLINK, ifindex);

	mnl_attr_put_u32(header, IFLA_GROUP, group);
	return finish(rtnl, header, NULL, NULL);
}

static int change_fdb(struct tw_rtnl *rtnl, uint16_t type, uint16_t flags, uint32_t ifindex,
	const uint8_t mac[6], uint16_t vlan)
{
	struct nlmsghdr *header = begin(rtnl, type, flags);
	struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(header, sizeof(*neighbour));

	neighbour->ndm_family = AF_BRIDGE;
	neighbour->ndm_ifindex = (int)ifindex;
	neighbour->ndm_state = NUD_REACHABLE;
	neighbour->ndm_flags = NTF_MASTER | NTF_EXT_LEARNED;
	mnl_attr_put(header, NDA_LLADDR, 6, mac);
	if (vlan)
		mnl_attr_put_u16(header, NDA_VLAN, vlan);
	return finish(rtnl, header, NULL, NULL);
}

static int on_fdb(const struct nlmsghdr *header, void *arg)
{
	const struct ndmsg *neighbour = mnl_nlmsg_get_payload(header);
	uint32_t *ifindex = arg;

	if (mnl_nlmsg_get_payload_len(header) >= sizeof(*neighbour) && neighbour->ndm_ifindex > 0)
		*ifindex = (uint32_t)neighbour->ndm_ifindex;
	return MNL_CB_OK;
}

int tw_rtnl_find_fdb(struct tw_rtnl *rtnl, uint32_t bridge, const uint8_t mac[6], uint16_t vlan,
	uint32_t *ret_ifindex)
{
	struct nlmsghdr *header = begin(rtnl, RTM_GETNEIGH, 0);
	struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(header, sizeof(*neighbour));
	uint32_t ifindex = 0;
	int ret;

	neighbour->ndm_family = AF_BRIDGE;
	mnl_attr_put(header, NDA_LLADDR, 6, mac);
	mnl_attr_put_u32(header, NDA_MASTER, bridge);
	if (vlan)
		mnl_attr_put_u16(header, NDA_VLAN, vlan);
	ret = finish(rtnl, header, on_fdb, &ifindex);
	if (!ret)
		*ret_ifindex = ifindex;
	return ret;
}

int tw_rtnl_add_fdb(struct tw_rtnl *rtnl, uint32_t ifindex, const uint8_t mac[6], uint16_t vlan)
{
	return change_fdb(rtnl, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, mac, vlan);
}

int tw_rtnl_remove_fdb(struct tw_rtnl *rtnl, uint32_t ifindex, const uint8_t mac[6], uint16_t vlan)
{
	return change_fdb(rtnl, RTM_DELNEIGH, 0, ifindex, mac, vlan);
}
