/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Hidden below a tmpfs of our own mount namespace, so that nothing is left behind. */
#define SCRATCH "/mnt"

const char *tw_bench_scratch(void)
{
	return SCRATCH;
}

int tw_bench_isolate(struct tw_err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return tw_err_set(err, -errno, "namespaces", "run as root", "%s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("tmpfs", SCRATCH, "tmpfs", 0, "mode=755") < 0 ||
		mkdir(SCRATCH "/bpf", 0700) < 0 ||
		mount("bpffs", SCRATCH "/bpf", "bpf", 0, NULL) < 0)
		return tw_err_set(err, -errno, SCRATCH, NULL, "cannot mount: %s", strerror(errno));
	return 0;
}

static int open_tap(const char *name, int *ret)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	tw_autofd int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return -errno;
	*ret = TW_TAKE_FD(fd);
	return 0;
}

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

static int set_up(struct tw_bench_net *net, struct tw_err *err)
{
	static const char *const ip[] = {"ip", "-batch", "-", NULL};
	static const char *const names[] = {[TW_BENCH_A] = "tap-a", [TW_BENCH_B] = "tap-b"};
	static const char links[] =
		"link add br0 type bridge forward_delay 0 mcast_snooping 0 ageing_time 1000000\n"
		"link set tap-a address fe:54:00:00:00:0a master br0\n"
		"link set tap-b address fe:54:00:00:00:0b master br0\n"
		"link set br0 up\n"
		"link set tap-a up\n"
		"link set tap-b up\n";
	int e;

	e = tw_bench_sysctl("ipv6/conf/default/disable_ipv6", "1", err);
	if (e < 0)
		return e;
	for (int end = 0; end < TW_BENCH_ENDS; end++) {
		e = open_tap(names[end], &net->tap[end]);
		if (e < 0)
			return tw_err_set(err, e, names[end], "is /dev/net/tun there?",
				"cannot make a tap: %s", strerror(-e));
	}
	/* Absent without br_netfilter, which then cannot cost anything either. */
	if (!access("/proc/sys/net/bridge", F_OK)) {
		e = tw_bench_sysctl("bridge/bridge-nf-call-iptables", "0", err);
		if (e < 0)
			return e;
	}
	return tw_bench_command(ip, links, err);
}

int tw_bench_net_new(struct tw_bench_net *ret, struct tw_err *err)
{
	struct tw_bench_net net = {.ns = -1, .tap = {-1, -1}};
	int e;

	if (unshare(CLONE_NEWNET) < 0)
		return tw_err_set(err, -errno, "namespaces", "run as root", "%s", strerror(errno));
	net.ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	e = net.ns < 0 ? tw_err_set(err, -errno, "namespaces", NULL, "%s", strerror(errno))
		       : set_up(&net, err);
	if (e < 0) {
		tw_bench_net_done(&net);
		return e;
	}
	*ret = net;
	return 0;
}

void tw_bench_net_done(struct tw_bench_net *net)
{
	for (int end = 0; end < TW_BENCH_ENDS; end++)
		if (net->tap[end] >= 0)
			close(net->tap[end]);
	if (net->ns >= 0)
		close(net->ns);
	*net = (struct tw_bench_net){.ns = -1, .tap = {-1, -1}};
}

int tw_bench_net_enter(const struct tw_bench_net *net, struct tw_err *err)
{
	if (setns(net->ns, CLONE_NEWNET) < 0)
		return tw_err_set(err, -errno, "namespaces", NULL, "%s", strerror(errno));
	return 0;
}

/* In the child: never returns. */
static void become(const char *const *argv, int in, int out)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in >= 0)
		dup2(in, STDIN_FILENO);
	if (out >= 0) {
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int tw_bench_command(const char *const *argv, const char *input, struct tw_err *err)
{
	char path[] = SCRATCH "/input.XXXXXX";
	tw_autofd int in = mkostemp(path, O_CLOEXEC);
	int status;
	pid_t pid;

	if (in < 0)
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	unlink(path);
	if (input && (write(in, input, strlen(input)) < 0 || lseek(in, 0, SEEK_SET) < 0))
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return tw_err_set(err, -errno, argv[0], NULL, "%s", strerror(errno));
	if (!pid)
		become(argv, in, -1);
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return tw_err_set(err, -EIO, argv[0], "see its message above", "failed");
	return 0;
}

pid_t tw_bench_start(const char *const *argv, const char *log, struct tw_err *err)
{
	tw_autofd int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	tw_autofd int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (out < 0 || in < 0)
		return tw_err_set(err, -errno, log, NULL, "%s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return tw_err_set(err, -errno, argv[0], NULL, "%s", strerror(errno));
	if (!pid)
		become(argv, in, out);
	return pid;
}
