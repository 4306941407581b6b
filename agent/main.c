/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwalld: the agent's command line. */
#include <errno.h>
#include <stddef.h>

#include "agent/daemon.h"
#include "base/args.h"
#include "base/log.h"
#include "link/link.h"

static const char *const forwardings[] = {
	[TW_FORWARDING_VSWITCH] = "vswitch",
	[TW_FORWARDING_CUT_THROUGH] = "cut-through",
	[TW_FORWARDING_INSISTS] = "cut-through!",
	NULL,
};

#define AT(field) .offset = offsetof(struct tw_agent_options, field)

static const struct tw_arg args[] = {
	{.name = "ports",
		.type = TW_ARG_TEXT,
		AT(ports),
		.value = "PATTERNS",
		.help = "Protect the interfaces with these names; separate names by "
			"commas. A * at the end of a name matches any ending"},
	{.name = "policy",
		.type = TW_ARG_FILE,
		AT(policy),
		.help = "Read this policy, a file or a directory of files, at start, on "
			"SIGHUP and on tapwall reload. Of several absolute paths, separated by colons, exactly one "
			"may exist. At start, a policy that was put in "
			"force after the files last changed stays. Without this option, the last policy in force "
			"stays"},
	{.name = "max-connections",
		.type = TW_ARG_U32,
		AT(max_conns),
		.fallback = "262144",
		.min = 1024,
		.max = 16777216,
		.help = "Size of the connection table. A change takes effect at the "
			"next start; no connection is lost"},
	{.name = "forwarding",
		.type = TW_ARG_CHOICE,
		AT(forwarding),
		.choices = forwardings,
		.fallback = "cut-through",
		.help = "Deliver allowed frames directly to the destination port "
			"(cut-through), or always through the vSwitch. With cut-through, "
			"frames still go through the vSwitch where the host itself filters, "
			"limits or mirrors them; cut-through! delivers them directly even there"},
	{.name = "uplinks",
		.type = TW_ARG_TEXT,
		AT(uplinks),
		.value = "PATTERNS",
		.fallback = "*",
		.help = "With cut-through, also deliver frames to and from these bridge "
			"ports; same syntax as --ports. none: only between ports"},
	{.name = "hairpin",
		.type = TW_ARG_FLAG,
		AT(hairpin),
		.help = "Accept workloads' addresses as source from outside the ports "
			"and from ports without a workload. Needed if a router there sends "
			"guests' packets back. The MACs of this host's guests are still "
			"refused"},
	{.name = "socket",
		.type = TW_ARG_FILE,
		AT(socket),
		.value = "PATH",
		.fallback = TW_LINK_DEFAULT_SOCKET,
		.help = "Listen for clients at this socket"},
	{.name = "viewer-socket",
		.type = TW_ARG_FILE,
		AT(viewer_socket),
		.value = "PATH",
		.help = "Also listen at this socket, for root and the group tapwall-view. It accepts "
			"only requests that read; policies and captures are refused"},
	{.name = "slow-path",
		.type = TW_ARG_TEXT,
		AT(slow_path),
		.value = "ADDRESS",
		.help = "Connect to tapwall-slowd at this address by TLS: HOST:PORT, or vsock:CID:PORT for a "
			"virtual machine on this host. It may read what viewers may read, and set the policy. "
			"Write an IPv6 address as [ADDRESS]:PORT, with %ZONE if it is link-local. Packets "
			"never wait for the slow path"},
	{.name = "slow-path-cert",
		.type = TW_ARG_FILE,
		AT(slow_path_cert),
		.value = "PATH",
		.fallback = "/var/lib/tapwall/link/agent.pem",
		.help = "This host's certificate for the slow path, as PEM. The file is read at each "
			"connection. If it also has the key, the agent renews both"},
	{.name = "slow-path-key",
		.type = TW_ARG_FILE,
		AT(slow_path_key),
		.value = "PATH",
		.fallback = "/var/lib/tapwall/link/agent.pem",
		.help = "The key of that certificate, as PEM"},
	{.name = "slow-path-ca",
		.type = TW_ARG_FILE,
		AT(slow_path_ca),
		.value = "PATH",
		.fallback = "/var/lib/tapwall/link/ca.pem",
		.help = "Certificate of the CA that issued the slow path's certificate, as PEM"},
	{.name = "spool-size",
		.type = TW_ARG_U32,
		AT(spool_mib),
		.value = "MIB",
		.fallback = "64",
		.max = 65536,
		.help = "Keep events for the slow path until it has stored them: half of this size in memory, "
			"the rest compressed in the state directory. Beyond it, the oldest are dropped. 0: keep none"},
	{.name = "snapshot",
		.type = TW_ARG_U32,
		AT(snapshot_s),
		.value = "SECONDS",
		.fallback = "300",
		.max = 86400,
		.help = "Report live connections to the slow path at this interval. 0: only when they end"},
	{.name = "decider-socket",
		.type = TW_ARG_FILE,
		AT(decider_socket),
		.value = "PATH",
		.help = "Also listen at this socket, for root and the group tapwall-decide. It accepts "
			"requests that read, and those of deciders"},
	{.name = "metrics",
		.type = TW_ARG_TEXT,
		AT(metrics),
		.value = "ADDRESS",
		.help = "Serve figures for Prometheus at http://ADDRESS/metrics: ADDRESS:PORT, or the path of "
			"a Unix socket for root and the group tapwall-view. There is no encryption and no "
			"password; 127.0.0.1:9433 reaches only this host"},
	{.name = "log-to",
		.type = TW_ARG_FILE,
		AT(log_to),
		.value = "PATH",
		.help = "Write what tapwall log shows to this file, one JSON object per line, and keep four "
			"older files. If PATH is journald, write to systemd's journal instead. If it is "
			"syslog:ADDRESS:PORT or syslog:/PATH, write to a syslog server (RFC 5424), by UDP or a "
			"Unix datagram socket. Repeated broadcasts make one line a minute"},
	{.name = "log-size",
		.type = TW_ARG_U32,
		AT(log_mib),
		.value = "MIB",
		.fallback = "16",
		.min = 1,
		.max = 1024,
		.help = "Start a new file of --log-to at this size"},
	{.name = "ask-rate",
		.type = TW_ARG_U32,
		AT(ask_rate),
		.value = "N",
		.fallback = "5000",
		.min = 1,
		.max = 1000000,
		.help = "Ask deciders at most N questions a second about one port's packets"},
	{.name = "bpffs",
		.type = TW_ARG_FILE,
		AT(bpffs),
		.value = "PATH",
		.fallback = "/sys/fs/bpf/tapwall",
		.help = "Pin programs and maps in this directory of a BPF file system"},
	{.name = "state-dir",
		.type = TW_ARG_FILE,
		AT(state_dir),
		.value = "PATH",
		.fallback = "/var/lib/tapwall",
		.help = "Keep the state that outlives a restart in this directory"},
	{.name = "force-clsact",
		.type = TW_ARG_FLAG,
		AT(force_clsact),
		.help = "Attach with clsact even if the kernel has tcx"},
	{.name = "verbose",
		.type = TW_ARG_FLAG,
		AT(verbose),
		.letter = 'v',
		.help = "Log debug messages too"},
	{.name = "release",
		.type = TW_ARG_FLAG,
		AT(release),
		.help = "Remove everything that an earlier agent left in force, and exit"},
};

static int run(const void *values)
{
	const struct tw_agent_options *options = values;
	struct tw_err err;

	tw_log_init("tapwalld", options->verbose ? TW_LOG_DEBUG : TW_LOG_INFO);
	if (options->release)
		return tw_daemon_release(options);
	if (!options->ports) {
		tw_err_set(&err, -EINVAL, "--ports", "write for example --ports 'tap*,vnet*'",
			"is missing");
		tw_err_print(stderr, "tapwalld", &err);
		return TW_EXIT_USAGE;
	}
	return tw_daemon_run(options);
}

static const struct tw_args_command command = {
	.summary = "Judge every frame at the ports of this host's virtual machines",
	.args = args,
	.n_args = TW_ARGS_N(args),
	.values_size = sizeof(struct tw_agent_options),
	.run = run,
};

static const struct tw_args_section sections[] = {
	{"SIGNALS",
		"*SIGTERM*, *SIGINT*\n\tstop the agent; what is enforced stays enforced.\n\n"
		"*SIGHUP*\n\tread the file of *--policy* again. *tapwall reload* does this too, "
		"and prints the result.\n"},
	{"EXIT STATUS",
		"0 stopped by a signal; 1 another agent is running here, or more connections are live than *--max-connections* allows; 2 wrong usage; 3 permission denied, or the kernel lacks a feature, which is named; 5 internal error.\n"},
	{"FILES",
		"_/etc/tapwall/policy.yaml_, _/etc/tapwall/policy.d/_\n\tthe usual place of the policy: a file or, in its place, a directory of files.\n\n"
		"_/run/tapwall/agent.sock_\n\twhere *tapwall*(1) finds the agent; accessible to "
		"root and the group tapwall.\n\n"
		"_/sys/fs/bpf/tapwall/_\n\tpinned programs, links and maps.\n\n"
		"_/sys/kernel/rcu_expedited_\n\tset to 1 while programs are attached and detached, then restored; a crashed agent's successor restores it. On hosts with real-time guests, _/sys/kernel/rcu_normal_ overrides it.\n\n"
		"_/var/lib/tapwall/link/_\n\tthe certificates for the slow path.\n\n"
		"_/var/lib/tapwall/spool/_\n\tevents that the slow path has not stored yet.\n\n"
		"_/var/lib/tapwall/_\n\tthe policy in force and the agent's other state. *--release* keeps _leases.json_, the addresses that DHCP gave to guests, because the guests run on.\n"},
	{"SEE ALSO", "*tapwall*(1), *tapwall-slowd*(8)\n"},
};

static const struct tw_args_program program = {
	.name = "tapwalld",
	.man_section = 8,
	.summary = "the agent of the tapwall firewall",
	.commands = &command,
	.n_commands = 1,
	.description =
		"Finds the ports of virtual machines as they come and go, attaches its BPF programs to each, and keeps the policy in force. Everything in the kernel is pinned. If the agent stops or crashes, packets are still judged and connections still tracked, and the next agent takes over. New ports are shut until their policy is live, even while no agent runs. *--release* removes all of it.",
	.sections = sections,
	.n_sections = TW_ARGS_N(sections),
};

int main(int argc, char **argv)
{
	return tw_args_main(&program, argc, argv);
}
