/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* cell.c: runs a command in new namespaces, so that everything it creates is removed with it.
 *
 *	cell [-p PIDFILE] COMMAND…
 *
 * What:       makes network, mount and pid namespaces with their own /proc, /sys, an empty /run and
 *             a bpffs at /sys/fs/bpf. However the command ends, the kernel removes the taps,
 *             bridges, pins, mounts and processes made inside.
 * Ends:       when the command ends, with its exit code; when cell receives INT, TERM, HUP or QUIT,
 *             or is killed; when its parent dies. A command that exits with 99 leaves its processes
 *             running: cell then exits with 0, and killing the process in PIDFILE ends them.
 * Exit codes: the command's, or 3 not permitted, 2 wrong usage, 128 + signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define EXIT_STAY	   99
#define EXIT_NOT_PERMITTED 3
#define NAME		   "tapwall-cell"

static const int end_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static volatile sig_atomic_t caught;
static volatile pid_t init_pid;

static void on_end_signal(int signal)
{
	caught = signal;
	if (init_pid > 0)
		kill(init_pid, SIGKILL);
}

static int fail(const char *what)
{
	fprintf(stderr, "cell: %s: %s\n", what, strerror(errno));
	return EXIT_NOT_PERMITTED;
}

static bool loopback_up(void)
{
	tw_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

/* A bpffs that cannot be mounted is no error here, because the agent reports it. */
static int furnish(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail("/");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return fail("/proc");
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return fail("/sys");
	if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
		return fail("/run");
	mount("bpf", "/sys/fs/bpf", "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700");
	return loopback_up() ? 0 : fail("lo");
}

/* First process of the pid namespace: runs the command and reaps orphans. */
static int init(char **command, int stay_fd)
{
	int status = 0;
	pid_t pid;
	int error;

	struct pollfd parent = {.fd = stay_fd};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&parent, 1, 0) < 0 || parent.revents & POLLERR)
		return EXIT_NOT_PERMITTED; /* the parent died before the death signal was set */
	prctl(PR_SET_NAME, NAME);
	setsid();
	error = furnish();
	if (error)
		return error;
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < sizeof(end_signals) / sizeof(end_signals[0]); i++)
			signal(end_signals[i], SIG_DFL);
		execvp(command[0], command);
		fprintf(stderr, "cell: %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		return fail("fork");
	while (wait(&status) != pid)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_STAY)
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	prctl(PR_SET_PDEATHSIG, 0);
	if (write(stay_fd, "", 1) != 1)
		return EXIT_NOT_PERMITTED;
	close(stay_fd);
	/* Closes stdout and stderr. Otherwise a reader of the output would wait until the processes
	 * left running end. */
	if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		return EXIT_NOT_PERMITTED;
	for (;;) {
		if (wait(NULL) < 0)
			pause();
	}
}

static bool write_pid(const char *path, pid_t pid)
{
	tw_autofile FILE *file = fopen(path, "we");

	return file && fprintf(file, "%d\n", (int)pid) > 0;
}

/* Waits until the command has ended. If its processes are to be left running, init() sends a byte to
 * `stay_fd`. */
static int outcome(pid_t pid, int stay_fd)
{
	int status = 0;
	char byte;
	ssize_t n;

	do {
		n = read(stay_fd, &byte, 1);
	} while (n < 0 && errno == EINTR && !caught);
	if (n == 1)
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (caught)
		return 128 + caught;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void catch_end_signals(void)
{
	struct sigaction action = {.sa_handler = on_end_signal};

	for (size_t i = 0; i < sizeof(end_signals) / sizeof(end_signals[0]); i++)
		sigaction(end_signals[i], &action, NULL);
}

int main(int argc, char **argv)
{
	const char *pid_file = NULL;
	int stay[2];
	int option;
	pid_t pid;

	while ((option = getopt(argc, argv, "+p:")) != -1) {
		if (option != 'p')
			return 2;
		pid_file = optarg;
	}
	if (optind == argc) {
		fprintf(stderr, "usage: cell [-p PIDFILE] COMMAND…\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	catch_end_signals();
	if (pipe2(stay, O_CLOEXEC) < 0 || unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) < 0)
		return fail("cannot make namespaces");
	pid = fork();
	if (pid == 0) {
		close(stay[0]);
		return init(argv + optind, stay[1]);
	}
	if (pid < 0)
		return fail("fork");
	init_pid = pid;
	if (caught)
		kill(pid, SIGKILL);
	close(stay[1]);
	if (pid_file && !write_pid(pid_file, pid)) {
		kill(pid, SIGKILL);
		return fail(pid_file);
	}
	return outcome(pid, stay[0]);
}
