/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ovs.c: Open vSwitch as a system: its userspace datapath with connection tracking replaces the
 * bridge, and the rules are flows.
 *
 * The benchmark starts its own two daemons, with database and sockets in the scratch directory. An
 * Open vSwitch that already runs is not touched. Ports are packet sockets on the same taps and
 * veths that the other systems bridge. With `userspace-tso-enable`, frames with unfinished
 * checksums and super-frames pass unchanged, as they do in the kernel.
 */
#include "bench/system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/process.h"

#define READY_SECONDS 20

enum daemon { VSWITCHD, DATABASE };

/* Waits until a daemon has created its socket. */
static int await_socket(pid_t pid, const char *path, const char *log, struct tw_err *err)
{
	char line[300];

	for (int i = 0; i < READY_SECONDS * TW_BENCH_PAUSES_PER_S; i++) {
		if (!access(path, F_OK))
			return 0;
		if (!tw_bench_runs(pid))
			break;
		tw_bench_pause();
	}
	tw_bench_log_line(log, "EMER", line, sizeof(line));
	return tw_err_set(err, -EIO, "ovs", NULL, "a daemon does not start: %s", line);
}

static int start_daemon(struct tw_bench_system *system, enum daemon which, const char *const *argv,
	const char *socket, struct tw_err *err)
{
	char log[TW_BENCH_PATH_MAX];
	pid_t pid;

	tw_bench_scratch(log, which == DATABASE ? "ovsdb" : "vswitchd", ".log");
	unlink(socket);
	pid = tw_bench_start(argv, log, err);
	if (pid < 0)
		return (int)pid;
	system->workers[which] = pid;
	return await_socket(pid, socket, log, err);
}

static int start_database(
	struct tw_bench_system *system, const char *socket, const char *remote, struct tw_err *err)
{
	char file[TW_BENCH_PATH_MAX], control[TW_BENCH_PATH_MAX], control_option[192],
		remote_option[224];
	const char *const make[] = {
		"ovsdb-tool", "create", file, "/usr/share/openvswitch/vswitch.ovsschema", NULL};
	const char *const serve[] = {
		"ovsdb-server", file, remote_option, control_option, "--no-chdir", NULL};
	int e;

	tw_bench_scratch(file, "ovs", ".db");
	tw_bench_scratch(control, "ovsdb", ".ctl");
	snprintf(remote_option, sizeof(remote_option), "--remote=p%s", remote);
	snprintf(control_option, sizeof(control_option), "--unixctl=%s", control);
	unlink(file);
	e = tw_bench_command(make, NULL, err);
	return e ? e : start_daemon(system, DATABASE, serve, socket, err);
}

static int start_switch(
	struct tw_bench_system *system, const char *remote, char *control, struct tw_err *err)
{
	char control_option[192];
	const char *const serve[] = {"ovs-vswitchd", remote, control_option, "--no-chdir", NULL};

	tw_bench_scratch(control, "vswitchd", ".ctl");
	snprintf(control_option, sizeof(control_option), "--unixctl=%s", control);
	return start_daemon(system, VSWITCHD, serve, control, err);
}

int tw_bench_start_ovs(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	char socket[TW_BENCH_PATH_MAX], control[TW_BENCH_PATH_MAX], folder[TW_BENCH_PATH_MAX],
		remote[192], db[224], bridge[192];
	const char *const settings[] = {"ovs-vsctl", db, "--no-wait", "--", "init", "--", "set",
		"Open_vSwitch", ".", "other_config:userspace-tso-enable=true", NULL};
	const char *const ports[] = {"ovs-vsctl", db, "--", "add-br", "ovs0", "--", "set", "bridge",
		"ovs0", "datapath_type=netdev", "fail-mode=secure", "--", "add-port", "ovs0",
		"tap-a", "--", "add-port", "ovs0", "tap-b", "--", "add-port", "ovs0", "veth-a",
		"--", "add-port", "ovs0", "veth-b", NULL};
	const char *const flows[] = {
		"ovs-ofctl", "-vconsole:err", "add-flows", bridge, files->flows, NULL};
	int e;

	if (access("/usr/sbin/ovs-vswitchd", X_OK) || access("/usr/bin/ovsdb-tool", X_OK))
		return tw_err_set(
			err, -EOPNOTSUPP, "ovs", NULL, "openvswitch-switch is not installed");
	tw_bench_scratch(folder, "", "");
	folder[strlen(folder) - 1] = '\0';
	setenv("OVS_RUNDIR", folder, 1);
	tw_bench_scratch(socket, "ovsdb", ".sock");
	snprintf(remote, sizeof(remote), "unix:%s", socket);
	snprintf(db, sizeof(db), "--db=%s", remote);
	snprintf(bridge, sizeof(bridge), "unix:%s/ovs0.mgmt", folder);
	e = tw_bench_ip("link del br0\n", err);
	if (!e)
		e = start_database(system, socket, remote, err);
	if (!e)
		e = tw_bench_command(settings, NULL, err);
	if (!e)
		e = start_switch(system, remote, control, err);
	if (!e)
		e = tw_bench_command(ports, NULL, err);
	return e ? e : tw_bench_command(flows, NULL, err);
}
