/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/system.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/process.h"
#include "bench/rules.h"
#include "bench/wire.h"

static int start_bare(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	return 0;
}

/* Loads the rules into netfilter, which every bridge of the current namespace calls. */
static int start_nft(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	const char *const nft[] = {"nft", "-f", files->ruleset, NULL};
	int e;

	if (access("/proc/sys/net/bridge", F_OK))
		return tw_err_set(err, -EOPNOTSUPP, "nft", NULL, "the kernel has no br_netfilter");
	e = tw_bench_sysctl("bridge/bridge-nf-call-iptables", "1", err);
	return e < 0 ? e : tw_bench_command(nft, NULL, err);
}

/* Builds the layout of Proxmox, which OpenStack's hybrid driver resembles: each guest has a
 * firewall bridge, joined to the common bridge by a veth pair. Every bridge calls netfilter. */
static int start_nft_fwbr(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	static const char *const guests[] = {"tap-a", "tap-b", "veth-a", "veth-b"};
	char lines[512];
	int e = 0;

	for (size_t i = 0; !e && i < sizeof(guests) / sizeof(guests[0]); i++) {
		snprintf(lines, sizeof(lines),
			"link add fwbr%1$zu type bridge forward_delay 0 mcast_snooping 0 ageing_time 1000000\n"
			"link add fwln%1$zu type veth peer name fwpr%1$zu\n"
			"link set %2$s nomaster\n"
			"link set %2$s master fwbr%1$zu\n"
			"link set fwln%1$zu up master fwbr%1$zu\n"
			"link set fwpr%1$zu up master br0\n"
			"link set fwbr%1$zu up\n",
			i, guests[i]);
		e = tw_bench_ip(lines, err);
	}
	return e < 0 ? e : start_nft(system, files, err);
}

int tw_bench_split(struct tw_bench_net *net, struct tw_err *err)
{
	return tw_bench_ip(
		"link add br1 type bridge forward_delay 0 mcast_snooping 0 ageing_time 1000000\n"
		"link set tap-b nomaster\n"
		"link set veth-b nomaster\n"
		"link set tap-b master br1\n"
		"link set veth-b master br1\n"
		"link set br1 up\n",
		err);
}

/* Builds the path through a firewall VM without the VM: two additional hops, into a namespace that
 * bridges with nft and out of it. */
static int start_vm_bridge_netns(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	char lines[256];
	int e = tw_bench_split(&system->net, err);

	if (!e) {
		system->inner = tw_bench_ns_new(err);
		e = system->inner < 0 ? system->inner : tw_bench_ns_enter(system->net.ns, err);
	}
	for (int end = 0; !e && end < TW_BENCH_ENDS; end++) {
		snprintf(lines, sizeof(lines),
			"link add hop%1$d type veth peer name eth%1$d netns /proc/%2$d/fd/%3$d\n"
			"link set hop%1$d up master br%1$d\n",
			end, (int)getpid(), system->inner);
		e = tw_bench_ip(lines, err);
	}
	if (!e)
		e = tw_bench_ns_enter(system->inner, err);
	if (!e)
		e = tw_bench_ip(
			"link add br0 type bridge forward_delay 0 mcast_snooping 0 ageing_time 1000000\n"
			"link set eth0 up master br0\n"
			"link set eth1 up master br0\n"
			"link set br0 up\n",
			err);
	return e < 0 ? e : start_nft(system, files, err);
}

struct tw_bench_system tw_bench_systems[] = {
	{.name = "bare", .start = start_bare, .essential = true},
	{.name = "tapwall", .start = tw_bench_start_tapwall, .filters = true, .essential = true},
	{.name = "tapwall-vswitch", .start = tw_bench_start_tapwall_vswitch, .filters = true},
	{.name = "tapwall-slowd", .start = tw_bench_start_slow, .filters = true},
	{.name = "tapwall-ask", .start = tw_bench_start_ask, .filters = true, .in_flight = 32},
	{.name = "tapwall-ask-vm",
		.start = tw_bench_start_ask_vm,
		.filters = true,
		.in_flight = 32},
	{.name = "nft", .start = start_nft, .filters = true},
	{.name = "nft-fwbr", .start = start_nft_fwbr, .filters = true},
	{.name = "ovs", .start = tw_bench_start_ovs, .filters = true, .in_flight = 32},
	{.name = "vm-bridge-netns", .start = start_vm_bridge_netns, .filters = true},
	{.name = "vm-bridge", .start = tw_bench_start_vm, .filters = true, .in_flight = 32},
};
const size_t tw_bench_n_systems = sizeof(tw_bench_systems) / sizeof(tw_bench_systems[0]);

/* Makes data frames of the permanent connection, in both directions. */
static void make_heartbeats(struct tw_bench_system *system)
{
	for (int end = 0; end < TW_BENCH_ENDS; end++) {
		const struct tw_bench_packet beat = {
			.from = (enum tw_bench_end)end,
			.protocol = IPPROTO_TCP,
			.sport = end == TW_BENCH_A ? TW_BENCH_CLIENT_PORT : TW_BENCH_PORT_OPEN,
			.dport = end == TW_BENCH_A ? TW_BENCH_PORT_OPEN : TW_BENCH_CLIENT_PORT,
			.flags = TH_ACK | TH_PUSH,
			.seq = 1,
			.ack = 1,
			.len = 64,
		};

		tw_bench_frame_make(&system->heartbeat[end], &beat);
	}
}

int tw_bench_system_start(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	int e = tw_bench_net_new(&system->net, err);

	system->inner = -1;
	system->n_conns = 0;
	if (e < 0)
		return e;
	make_heartbeats(system);
	e = system->start(system, files, err);
	if (!e)
		e = tw_bench_wire_open(system, err);
	system->runs = !e;
	if (e < 0)
		tw_bench_system_stop(system);
	return e;
}

uint64_t tw_bench_system_workers_ns(const struct tw_bench_system *system)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < TW_BENCH_WORKERS; i++)
		if (system->workers[i])
			ns += tw_bench_cpu_ns(system->workers[i]);
	return ns;
}

void tw_bench_system_stop(struct tw_bench_system *system)
{
	system->runs = false;
	for (size_t i = 0; i < TW_BENCH_WORKERS; i++) {
		tw_bench_stop(system->workers[i]);
		system->workers[i] = 0;
	}
	tw_bench_stop(system->agent);
	tw_bench_stop(system->slowd);
	system->agent = system->slowd = 0;
	if (system->inner >= 0)
		close(system->inner);
	system->inner = -1;
	tw_bench_net_done(&system->net);
}
