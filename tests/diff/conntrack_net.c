/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/diff/conntrack_net.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PACKET_MAX 65536
#define STRAYS_MAX 16 /* limit of other packets that are read before the expected one */
#define WAIT_MS	   1000

static struct {
	int in;
	int out;
	struct mnl_socket *netlink;
	uint8_t room[PACKET_MAX];
} net = {-1, -1, NULL, {0}};

/* The DSCP is 1 + enum tw_ct_class; packets that the kernel itself sends have 0. */
static const char ruleset[] =
	"table inet asked {\n"
	"  chain forward { type filter hook forward priority 0; policy accept;\n"
	"    meta nfproto ipv4 ct state new ip dscp set 1\n"
	"    meta nfproto ipv4 ct state established ip dscp set 2\n"
	"    meta nfproto ipv4 ct state related ip dscp set 3\n"
	"    meta nfproto ipv4 ct state invalid ip dscp set 4\n"
	"    meta nfproto ipv4 ct state untracked ip dscp set 5\n"
	"    meta nfproto ipv6 ct state new ip6 dscp set 1\n"
	"    meta nfproto ipv6 ct state established ip6 dscp set 2\n"
	"    meta nfproto ipv6 ct state related ip6 dscp set 3\n"
	"    meta nfproto ipv6 ct state invalid ip6 dscp set 4\n"
	"    meta nfproto ipv6 ct state untracked ip6 dscp set 5\n"
	"  }\n}\n";

static int run_shell(const char *command, const char *input)
{
	FILE *pipe = popen(command, "w");

	if (!pipe)
		return -errno;
	fputs(input, pipe);
	return pclose(pipe) ? -EOPNOTSUPP : 0;
}

static int set(const char *name, const char *value)
{
	char path[128];
	tw_autofd int fd = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return -errno;
	return 0;
}

static int open_tun(const char *name, int *ret)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	tw_autofd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request))
		return -errno;
	*ret = TW_TAKE_FD(fd);
	return 0;
}

static int configure(void)
{
	static const struct {
		const char *name;
		const char *value;
	} settings[] = {
		{"netfilter/nf_conntrack_tcp_loose", "0"},
		{"netfilter/nf_conntrack_tcp_be_liberal", "0"},
		{"netfilter/nf_conntrack_checksum", "0"},
		{"netfilter/nf_conntrack_tcp_ignore_invalid_rst", "0"},
		{"ipv4/ip_forward", "1"},
		{"ipv6/conf/all/forwarding", "1"},
		{"ipv4/conf/all/rp_filter", "0"},
		{"ipv4/conf/asked/rp_filter", "0"},
		{"ipv4/conf/all/send_redirects", "0"},
	};
	int err;

	err = run_shell("exec ip -batch - 2>/dev/null",
		"link set asked addrgenmode none\nlink set told addrgenmode none\n"
		"link set asked up mtu 65535\nlink set told up mtu 65535\n"
		"route add 0.0.0.0/0 dev told\nroute add ::/0 dev told\n");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && !err; i++)
		err = set(settings[i].name, settings[i].value);
	return err ? err : run_shell("exec nft -f - 2>/dev/null", ruleset);
}

int tw_ct_enter(struct tw_err *err)
{
	int failed = 0;

	if (unshare(CLONE_NEWNET))
		return tw_err_set(err, -errno, NULL, NULL, "cannot make a network namespace: %s",
			strerror(errno));
	failed = open_tun("asked", &net.in);
	if (!failed)
		failed = open_tun("told", &net.out);
	if (failed)
		return tw_err_set(
			err, failed, NULL, NULL, "cannot make a tun: %s", strerror(-failed));
	net.netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!net.netlink || mnl_socket_bind(net.netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return tw_err_set(
			err, -EOPNOTSUPP, NULL, NULL, "cannot open a netlink socket to netfilter");
	if (configure())
		return tw_err_set(err, -EOPNOTSUPP, NULL, NULL,
			"cannot set up nf_conntrack or nft on this kernel");
	return 0;
}

/* True if two packets are equal except for hop limit, DSCP and IPv4 checksum. */
static bool is_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	if (a[0] >> 4 != b[0] >> 4)
		return false;
	if (a[0] >> 4 == 6)
		return !memcmp(a + 4, b + 4, 3) && !memcmp(a + 8, b + 8, len - 8);
	return !memcmp(a + 2, b + 2, 6) && !memcmp(a + 12, b + 12, len - 12);
}

static unsigned int dscp_of(const uint8_t *packet)
{
	if (packet[0] >> 4 == 6)
		return (packet[0] << 4 | packet[1] >> 4) >> 2 & 0x3f;
	return packet[1] >> 2;
}

/* Reads the next packet that comes out; returns its length, or -EAGAIN if none comes in time. It is
 * usually there when write() returns. If another CPU holds the device's queue for a packet of the
 * kernel's own, that CPU sends ours a moment later. */
static ssize_t read_packet(void)
{
	struct pollfd ready = {.fd = net.out, .events = POLLIN};
	ssize_t got = read(net.out, net.room, sizeof(net.room));

	if (got < 0 && errno == EAGAIN && poll(&ready, 1, WAIT_MS) > 0)
		got = read(net.out, net.room, sizeof(net.room));
	return got < 0 ? -errno : got;
}

int tw_ct_ask(const uint8_t *packet, size_t len, enum tw_ct_class *ret)
{
	*ret = TW_CT_LOST;
	if (len < 20 || write(net.in, packet, len) < 0)
		return errno == EINVAL || len < 20 ? 0 : -errno;
	for (int i = 0; i < STRAYS_MAX; i++) {
		ssize_t got = read_packet();
		unsigned int dscp;

		if (got < 0)
			return got == -EAGAIN ? 0 : (int)got;
		dscp = dscp_of(net.room);
		if ((size_t)got != len || !is_same(packet, net.room, len) || !dscp ||
			dscp > TW_CT_UNTRACKED + 1)
			continue;
		*ret = (enum tw_ct_class)(dscp - 1);
		return 0;
	}
	return 0;
}

static struct nlmsghdr *request(char *buffer, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *generic;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	generic = mnl_nlmsg_put_extra_header(nlh, sizeof(*generic));
	generic->nfgen_family = family;
	return nlh;
}

static void put_tuple(struct nlmsghdr *nlh, const uint8_t *packet)
{
	bool v6 = packet[0] >> 4 == 6;
	const uint8_t *ports = packet + (v6 ? 40 : (packet[0] & 15) * 4);
	struct nlattr *tuple = mnl_attr_nest_start(nlh, CTA_TUPLE_ORIG);
	struct nlattr *part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

	mnl_attr_put(nlh, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, v6 ? 16 : 4, packet + (v6 ? 8 : 12));
	mnl_attr_put(nlh, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, v6 ? 16 : 4, packet + (v6 ? 24 : 16));
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, 6);
	mnl_attr_put(nlh, CTA_PROTO_SRC_PORT, 2, ports);
	mnl_attr_put(nlh, CTA_PROTO_DST_PORT, 2, ports + 2);
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, tuple);
}

static const struct nlattr *child(const struct nlattr *parent, uint16_t type)
{
	const struct nlattr *attr;

	if (parent)
		mnl_attr_for_each_nested(
			attr, parent) if (mnl_attr_get_type(attr) == type) return attr;
	return NULL;
}

int tw_ct_tcp_state(const uint8_t *packet)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh = request(
		buffer, IPCTNL_MSG_CT_GET, 0, packet[0] >> 4 == 6 ? AF_INET6 : AF_INET);
	const struct nlattr *attr, *state = NULL;
	ssize_t len;

	put_tuple(nlh, packet);
	if (mnl_socket_sendto(net.netlink, nlh, nlh->nlmsg_len) < 0)
		return -1;
	len = mnl_socket_recvfrom(net.netlink, buffer, sizeof(buffer));
	if (len < (ssize_t)sizeof(*nlh) || nlh->nlmsg_type == NLMSG_ERROR)
		return -1;
	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == CTA_PROTOINFO)
			state = child(child(attr, CTA_PROTOINFO_TCP), CTA_PROTOINFO_TCP_STATE);
	return state ? mnl_attr_get_u8(state) : -1;
}

int tw_ct_forget(void)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh = request(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, AF_UNSPEC);
	ssize_t len;

	if (mnl_socket_sendto(net.netlink, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(net.netlink, buffer, sizeof(buffer));
	if (len < 0)
		return -errno;
	return mnl_cb_run(buffer, (size_t)len, 0, 0, NULL, NULL) < 0 ? -errno : 0;
}
