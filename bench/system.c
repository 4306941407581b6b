/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "link/link.h"

#define READY_SECONDS 20
#define POLL_NS	      20000000

static int start_bare(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	return 0;
}

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

/* Proxmox's layout (OpenStack's hybrid one is much the same): a firewall bridge of its own in front
 * of each guest, joined to the common bridge by a veth pair; every bridge calls netfilter. */
static int start_nft_fwbr(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	static const char *const ip[] = {"ip", "-batch", "-", NULL};
	static const char links[] =
		"link add fwbr-a type bridge forward_delay 0 mcast_snooping 0 ageing_time 1000000\n"
		"link add fwbr-b type bridge forward_delay 0 mcast_snooping 0 ageing_time 1000000\n"
		"link add fwln-a type veth peer name fwpr-a\n"
		"link add fwln-b type veth peer name fwpr-b\n"
		"link set tap-a nomaster\n"
		"link set tap-b nomaster\n"
		"link set tap-a master fwbr-a\n"
		"link set tap-b master fwbr-b\n"
		"link set fwln-a up master fwbr-a\n"
		"link set fwln-b up master fwbr-b\n"
		"link set fwpr-a up master br0\n"
		"link set fwpr-b up master br0\n"
		"link set fwbr-a up\n"
		"link set fwbr-b up\n";
	int e = tw_bench_command(ip, links, err);

	return e < 0 ? e : start_nft(system, files, err);
}

/* How many ports the agent protects; negative while it does not answer. */
static int ports_protected(const char *socket)
{
	Tapwall__V1__StatusRequest status = TAPWALL__V1__STATUS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_link_client *client = NULL;
	Tapwall__V1__Response *response = NULL;
	int e;

	request.body_case = TAPWALL__V1__REQUEST__BODY_STATUS;
	request.status = &status;
	e = tw_link_connect(socket, &client, NULL);
	if (e < 0)
		return e;
	e = tw_link_send(client, &request, NULL);
	if (!e)
		e = tw_link_receive(client, &response, NULL);
	if (!e && response->body_case == TAPWALL__V1__RESPONSE__BODY_STATUS)
		e = (int)response->status->ports_protected;
	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
	tw_link_client_free(client);
	return e;
}

/* Waits until the agent protects both ports; tells what it said when it ends instead. */
static int wait_for_agent(
	struct tw_bench_system *system, const char *socket, const char *log, struct tw_err *err)
{
	const char *const show[] = {"cat", log, NULL};
	const struct timespec wait = {.tv_nsec = POLL_NS};

	for (int i = 0; i < (int)(READY_SECONDS * 1000000000ll / POLL_NS); i++) {
		if (ports_protected(socket) == TW_BENCH_ENDS)
			return 0;
		if (waitpid(system->agent, NULL, WNOHANG) == system->agent) {
			system->agent = 0;
			tw_bench_command(show, NULL, NULL);
			return tw_err_set(
				err, -EIO, "agent", "see its messages above", "ended at once");
		}
		nanosleep(&wait, NULL);
	}
	return tw_err_set(err, -ETIMEDOUT, "agent", NULL, "did not protect both ports in %d s",
		READY_SECONDS);
}

static int start_agent(struct tw_bench_system *system, const struct tw_bench_files *files,
	const char *forwarding, struct tw_err *err)
{
	char socket[128], bpffs[128], state[128], log[128];
	const char *const agent[] = {files->agent, "--ports", "tap-*", "--policy", files->policy,
		"--socket", socket, "--bpffs", bpffs, "--state-dir", state,
		forwarding ? "--forwarding" : NULL, forwarding, NULL};
	const char *scratch = tw_bench_scratch();

	snprintf(socket, sizeof(socket), "%s/%s.sock", scratch, system->name);
	snprintf(bpffs, sizeof(bpffs), "%s/bpf/%s", scratch, system->name);
	snprintf(state, sizeof(state), "%s/%s.state", scratch, system->name);
	snprintf(log, sizeof(log), "%s/%s.log", scratch, system->name);
	system->agent = tw_bench_start(agent, log, err);
	if (system->agent < 0)
		return (int)system->agent;
	return wait_for_agent(system, socket, log, err);
}

/* As installed, with no option but where things are. */
static int start_tapwall(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	return start_agent(system, files, NULL, err);
}

static int start_tapwall_vswitch(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	return start_agent(system, files, "vswitch", err);
}

struct tw_bench_system tw_bench_systems[] = {
	{.name = "bare", .start = start_bare},
	{.name = "tapwall", .start = start_tapwall, .filters = true},
	{.name = "tapwall-vswitch", .start = start_tapwall_vswitch, .filters = true},
	{.name = "nft", .start = start_nft, .filters = true},
	{.name = "nft-fwbr", .start = start_nft_fwbr, .filters = true},
};
const size_t tw_bench_n_systems = sizeof(tw_bench_systems) / sizeof(tw_bench_systems[0]);

int tw_bench_system_start(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	int e = tw_bench_net_new(&system->net, err);

	if (e < 0)
		return e;
	e = system->start(system, files, err);
	if (!e)
		e = tw_bench_shake_hands(&system->net, err);
	if (e < 0)
		tw_bench_system_stop(system);
	return e;
}

uint64_t tw_bench_system_agent_ns(const struct tw_bench_system *system)
{
	char path[64];
	tw_autofile FILE *file = NULL;
	uint64_t ns = 0;

	if (!system->agent)
		return 0;
	/* The first number is the time on a CPU in ns (Documentation/scheduler/sched-stats). */
	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)system->agent);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%" SCNu64, &ns) != 1)
		return 0;
	return ns;
}

void tw_bench_system_stop(struct tw_bench_system *system)
{
	if (system->agent > 0) {
		kill(system->agent, SIGTERM);
		waitpid(system->agent, NULL, 0);
		system->agent = 0;
	}
	tw_bench_net_done(&system->net);
}
