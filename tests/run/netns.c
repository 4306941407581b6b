/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "sim/scene.h"

static const char *const kind_names[TW_PORTS__MAX] = {
	[TW_PORTS_DUMMY] = "dummy", [TW_PORTS_TAP] = "tap", [TW_PORTS_VETH] = "veth"};

int tw_port_kind_from_name(const char *name, enum tw_port_kind *ret)
{
	for (unsigned int i = 0; i < TW_PORTS__MAX; i++) {
		if (!strcmp(kind_names[i], name)) {
			*ret = i;
			return 0;
		}
	}
	return -ENOENT;
}

const char *tw_port_kind_name(enum tw_port_kind kind)
{
	return kind_names[kind];
}

static void put_veth_peer(struct nlmsghdr *nlh, const char *name)
{
	struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	struct nlattr *peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
}

static int add_link(struct mnl_socket *socket, enum tw_port_kind kind, uint32_t ifindex)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE], name[IFNAMSIZ];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;
	struct nlattr *link;
	ssize_t len;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
	nlh->nlmsg_seq = ifindex;
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ifi_index = (int)ifindex;
	snprintf(name, sizeof(name), "port%u", ifindex);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	link = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, kind_names[kind]);
	snprintf(name, sizeof(name), "peer%u", ifindex);
	if (kind == TW_PORTS_VETH)
		put_veth_peer(nlh, name);
	mnl_attr_nest_end(nlh, link);
	if (mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (len < 0)
		return -errno;
	return mnl_cb_run(buffer, (size_t)len, ifindex, mnl_socket_get_portid(socket), NULL, NULL) <
			       0
		       ? -errno
		       : 0;
}

/* The descriptor stays open deliberately: the tap exists as long as it does. */
static int add_tap(uint32_t ifindex)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	unsigned int index = ifindex;
	tw_autofd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "port%u", ifindex);
	if (ioctl(fd, TUNSETIFINDEX, &index) || ioctl(fd, TUNSETIFF, &request))
		return -errno;
	(void)TW_TAKE_FD(fd);
	return 0;
}

int tw_netns_enter(enum tw_port_kind kind, size_t n, struct tw_err *err)
{
	struct mnl_socket *socket;
	int failed = 0;

	if (unshare(CLONE_NEWNET))
		return tw_err_set(err, -errno, NULL, NULL, "cannot make a network namespace: %s",
			strerror(errno));
	socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		failed = -errno;
	for (size_t i = 0; i < n && !failed; i++)
		failed = kind == TW_PORTS_TAP ? add_tap(tw_scene_ifindex(i))
					      : add_link(socket, kind, tw_scene_ifindex(i));
	if (socket)
		mnl_socket_close(socket);
	if (failed)
		return tw_err_set(err, failed, NULL, NULL, "cannot make a %s interface: %s",
			kind_names[kind], strerror(-failed));
	return 0;
}
