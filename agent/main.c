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
		.help = "interfaces that are ports: names, or beginnings of names followed by *, separated by commas"},
	{.name = "policy",
		.type = TW_ARG_FILE,
		AT(policy),
		.help = "policy to put in force on SIGHUP, by tapwall reload, and at start unless it is older than what was in force; without it, the one that was in force before"},
	{.name = "max-connections",
		.type = TW_ARG_U32,
		AT(max_conns),
		.fallback = "262144",
		.min = 1024,
		.max = 16777216,
		.help = "room for so many connection records; another number than before is taken up at the next start, and no connection is lost"},
	{.name = "forwarding",
		.type = TW_ARG_CHOICE,
		AT(forwarding),
		.choices = forwardings,
		.fallback = "cut-through",
		.help = "where approved frames go: straight into the port they are for, unless the host itself filters, limits or mirrors on the way (cut-through! does so even then), or all to the vSwitch"},
	{.name = "uplinks",
		.type = TW_ARG_TEXT,
		AT(uplinks),
		.value = "PATTERNS",
		.fallback = "*",
		.help = "with cut-through, the other ports of bridges that it may reach and that it may come from, as for --ports; none: only between ports"},
	{.name = "hairpin",
		.type = TW_ARG_FLAG,
		AT(hairpin),
		.help = "accept packets with workloads' addresses from beyond the ports, and from ports of no workload: a router there sends guests' packets back; the MACs of this host's guests are refused all the same"},
	{.name = "socket",
		.type = TW_ARG_FILE,
		AT(socket),
		.value = "PATH",
		.fallback = TW_LINK_DEFAULT_SOCKET,
		.help = "socket where clients connect"},
	{.name = "viewer-socket",
		.type = TW_ARG_FILE,
		AT(viewer_socket),
		.value = "PATH",
		.help = "socket for root and the group tapwall-view, which answers what shows something; it takes no policy and captures no frames"},
	{.name = "bpffs",
		.type = TW_ARG_FILE,
		AT(bpffs),
		.value = "PATH",
		.fallback = "/sys/fs/bpf/tapwall",
		.help = "folder in a BPF file system, for pins"},
	{.name = "state-dir",
		.type = TW_ARG_FILE,
		AT(state_dir),
		.value = "PATH",
		.fallback = "/var/lib/tapwall",
		.help = "what is kept over a restart"},
	{.name = "force-clsact",
		.type = TW_ARG_FLAG,
		AT(force_clsact),
		.help = "attach as on a kernel without tcx"},
	{.name = "verbose",
		.type = TW_ARG_FLAG,
		AT(verbose),
		.letter = 'v',
		.help = "tell more of what is done"},
	{.name = "release",
		.type = TW_ARG_FLAG,
		AT(release),
		.help = "take down all that an earlier agent left in force, and end"},
};

static int run(const void *values)
{
	const struct tw_agent_options *options = values;
	struct tw_err err;

	tw_log_init("tapwalld", options->verbose ? TW_LOG_DEBUG : TW_LOG_INFO);
	if (options->release)
		return tw_daemon_release(options);
	if (!options->ports) {
		tw_err_set(
			&err, -EINVAL, "--ports", "for example --ports 'tap*,vnet*'", "is missing");
		tw_err_print(stderr, "tapwalld", &err);
		return TW_EXIT_USAGE;
	}
	return tw_daemon_run(options);
}

static const struct tw_args_command command = {
	.summary = "judges every frame at the ports of this host's virtual machines",
	.args = args,
	.n_args = TW_ARGS_N(args),
	.values_size = sizeof(struct tw_agent_options),
	.run = run,
};

static const struct tw_args_section sections[] = {
	{"SIGNALS",
		"*SIGTERM*, *SIGINT*\n\tend the agent; what is enforced stays enforced.\n\n"
		"*SIGHUP*\n\treads the file of *--policy* again, as *tapwall reload* does, which also tells what came of it.\n"},
	{"EXIT STATUS",
		"0 ended as told; 1 another agent is running here, or more connections are live than *--max-connections* has room for; 2 wrong usage; 3 not permitted, or the kernel lacks something, which is named; 5 internal error.\n"},
	{"FILES",
		"_/etc/tapwall/policy.yaml_\n\tthe policy, by custom.\n\n"
		"_/run/tapwall/agent.sock_\n\twhere *tapwall*(1) finds the agent; root and the group tapwall may use it.\n\n"
		"_/sys/fs/bpf/tapwall/_\n\tpinned programs, links and maps.\n\n"
		"_/var/lib/tapwall/_\n\tthe policy in force and what belongs to it. _leases.json_, what DHCP gave to guests, stays there after *--release*, since guests run on.\n"},
	{"SEE ALSO", "*tapwall*(1)\n"},
};

static const struct tw_args_program program = {
	.name = "tapwalld",
	.man_section = 8,
	.summary = "the agent of the tapwall firewall",
	.commands = &command,
	.n_commands = 1,
	.description =
		"Finds the ports of virtual machines as they come and go, attaches the packet path to each, and keeps the policy in force. Everything in the kernel is pinned: when the agent ends, in whatever way, packets go on being judged and connections go on being tracked, and the next agent takes over what it finds. New ports are shut until their policy is live, also while no agent runs. *--release* takes all of it down.",
	.sections = sections,
	.n_sections = TW_ARGS_N(sections),
};

int main(int argc, char **argv)
{
	return tw_args_main(&program, argc, argv);
}
