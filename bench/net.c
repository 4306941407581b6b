/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/process.h"

/* What virtio guests accept from their tap: unfinished checksums and super-frames. */
#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

int tw_bench_sysctl(const char *name, const char *value, struct tw_err *err)
{
	char path[256];
	tw_autofd int fd = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	return 0;
}

int tw_bench_ip(const char *lines, struct tw_err *err)
{
	static const char *const ip[] = {"ip", "-batch", "-", NULL};

	return tw_bench_command(ip, lines, err);
}

int tw_bench_ns_enter(int ns, struct tw_err *err)
{
	if (setns(ns, CLONE_NEWNET) < 0)
		return tw_err_set(err, -errno, "namespaces", NULL, "%s", strerror(errno));
	return 0;
}

int tw_bench_ns_new(struct tw_err *err)
{
	tw_autofd int ns = -1;
	int e;

	if (unshare(CLONE_NEWNET) < 0)
		return tw_err_set(err, -errno, "namespaces", "run as root", "%s", strerror(errno));
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return tw_err_set(err, -errno, "namespaces", NULL, "%s", strerror(errno));
	e = tw_bench_sysctl("ipv6/conf/default/disable_ipv6", "1", err);
	/* The sysctl exists only if br_netfilter is loaded; otherwise there is nothing to turn off. */
	if (!e && !access("/proc/sys/net/bridge", F_OK))
		e = tw_bench_sysctl("bridge/bridge-nf-call-iptables", "0", err);
	return e < 0 ? e : TW_TAKE_FD(ns);
}

static int open_tap(const char *name, int *ret, struct tw_err *err)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	tw_autofd int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOFFLOAD, OFFLOADS) < 0)
		return tw_err_set(err, -errno, name, "is /dev/net/tun there?",
			"cannot make a tap: %s", strerror(errno));
	*ret = TW_TAKE_FD(fd);
	return 0;
}

/* Sets up a guest with a TCP stack: a namespace with one end of a veth pair. Neighbour entries
 * are permanent, so that only TCP is measured. The ports of closed connections can be reused at
 * once. */
static int set_up_stack(struct tw_bench_net *net, enum tw_bench_end end, struct tw_err *err)
{
	static const char *const veths[] = {
		"link add veth-a address fe:54:00:00:00:0c type veth peer name eth0 netns ",
		"link add veth-b address fe:54:00:00:00:0d type veth peer name eth0 netns ",
	};
	static const char *const guests[] = {
		"link set eth0 address 52:54:00:00:00:0c up\n"
		"addr add 10.0.0.12/24 dev eth0\n"
		"neigh add 10.0.0.22 lladdr 52:54:00:00:00:0d dev eth0 nud permanent\n",
		"link set eth0 address 52:54:00:00:00:0d up\n"
		"addr add 10.0.0.22/24 dev eth0\n"
		"neigh add 10.0.0.12 lladdr 52:54:00:00:00:0c dev eth0 nud permanent\n",
	};
	char line[160];
	int e;

	snprintf(line, sizeof(line), "%s/proc/%d/fd/%d\n", veths[end], (int)getpid(),
		net->stack[end]);
	e = tw_bench_ip(line, err);
	if (!e)
		e = tw_bench_ns_enter(net->stack[end], err);
	if (!e)
		e = tw_bench_ip(guests[end], err);
	if (!e)
		e = tw_bench_sysctl("ipv4/ip_local_port_range", "1024 65535", err);
	if (!e)
		e = tw_bench_sysctl("ipv4/tcp_max_tw_buckets", "0", err);
	return e ? e : tw_bench_ns_enter(net->ns, err);
}

static int set_up_host(struct tw_bench_net *net, struct tw_err *err)
{
	static const char *const taps[] = {[TW_BENCH_A] = "tap-a", [TW_BENCH_B] = "tap-b"};
	int e = 0;

	for (int end = 0; !e && end < TW_BENCH_ENDS; end++)
		e = open_tap(taps[end], &net->tap[end], err);
	for (int end = 0; !e && end < TW_BENCH_ENDS; end++)
		e = set_up_stack(net, end, err);
	return e ? e
		 : tw_bench_ip(
			   "link add br0 type bridge forward_delay 0 mcast_snooping 0 ageing_time 1000000\n"
			   "link set tap-a address fe:54:00:00:00:0a master br0 up\n"
			   "link set tap-b address fe:54:00:00:00:0b master br0 up\n"
			   "link set veth-a master br0 up\n"
			   "link set veth-b master br0 up\n"
			   "link set br0 up\n",
			   err);
}

int tw_bench_net_new(struct tw_bench_net *ret, struct tw_err *err)
{
	struct tw_bench_net net = TW_BENCH_NET_NONE;
	int e = 0;

	for (int end = 0; !e && end < TW_BENCH_ENDS; end++) {
		net.stack[end] = tw_bench_ns_new(err);
		e = net.stack[end] < 0 ? net.stack[end] : 0;
	}
	if (!e) {
		net.ns = tw_bench_ns_new(err);
		e = net.ns < 0 ? net.ns : set_up_host(&net, err);
	}
	if (e < 0) {
		tw_bench_net_done(&net);
		return e;
	}
	*ret = net;
	return 0;
}

void tw_bench_net_done(struct tw_bench_net *net)
{
	for (int end = 0; end < TW_BENCH_ENDS; end++) {
		if (net->tap[end] >= 0)
			close(net->tap[end]);
		if (net->stack[end] >= 0)
			close(net->stack[end]);
	}
	if (net->ns >= 0)
		close(net->ns);
	*net = TW_BENCH_NET_NONE;
}
