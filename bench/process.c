/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A tmpfs is mounted here in a private mount namespace, so that nothing is left behind. */
#define SCRATCH "/mnt"

/* Number of checks for a sleeping process. After the last one, its CPU time is read anyway. */
#define SLEEP_TRIES 100

void tw_bench_scratch(char ret[static TW_BENCH_PATH_MAX], const char *stem, const char *suffix)
{
	snprintf(ret, TW_BENCH_PATH_MAX, SCRATCH "/%s%s", stem, suffix);
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

/* Executes the command in the child process. Never returns. */
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

bool tw_bench_runs(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

void tw_bench_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	for (int i = 0; i < 5 * TW_BENCH_PAUSES_PER_S; i++) {
		if (!tw_bench_runs(pid))
			return;
		tw_bench_pause();
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* True if a thread, given by its number in /proc/PID/task, sleeps. */
static bool sleeps(pid_t pid, const char *thread)
{
	char path[64], line[256] = "", *state;
	tw_autofile FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", (int)pid, thread);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return true;
	state = strrchr(line, ')');
	return !state || state[1] != ' ' || state[2] != 'R';
}

static bool all_sleep(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	bool result = true;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (!threads)
		return true;
	while (result && (entry = readdir(threads)))
		result = entry->d_name[0] == '.' || sleeps(pid, entry->d_name);
	closedir(threads);
	return result;
}

uint64_t tw_bench_cpu_ns(pid_t pid)
{
	const struct timespec wait = {.tv_nsec = 200000};
	struct timespec t;
	clockid_t clock;

	for (int i = 0; i < SLEEP_TRIES && !all_sleep(pid); i++)
		nanosleep(&wait, NULL);
	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool tw_bench_log_line(const char *log, const char *what, char *ret, size_t max)
{
	tw_autofile FILE *file = fopen(log, "re");
	char line[512];
	bool found = false;

	snprintf(ret, max, "%s", "");
	while (!found && file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\r\n")] = '\0';
		found = strstr(line, what);
		if (found || line[0])
			snprintf(ret, max, "%s", line);
	}
	return found;
}

void tw_bench_pause(void)
{
	const struct timespec wait = {.tv_nsec = 1000000000 / TW_BENCH_PAUSES_PER_S};

	nanosleep(&wait, NULL);
}
