/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask_vm.c: the system `tapwall-ask-vm`: as `tapwall-ask`, but the decider runs beside tapwall-slowd in the
 * service VM. A question crosses TLS, the VM's network card and tapwall-slowd, which also keeps the history.
 *
 * The machine boots the image of `make appliance`, on its private bridge with its filter. The agent's
 * certificate comes out of the machine, and the decider gets into it, by `tapwall-appliance exec`.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/agent.h"
#include "bench/system.h"

#define ADDRESS	      "[fe80::1%br-tapwall]:7433"
#define READY_SECONDS 120
#define SCRIPT_MAX    (12 * TW_BENCH_PATH_MAX)
#define WINDOW	      "256" /* unanswered questions at once */

/* Paths of one machine. */
struct machine {
	const struct tw_bench_files *files;
	char folder[TW_BENCH_PATH_MAX];
	char log[TW_BENCH_PATH_MAX];
	char cert[TW_BENCH_PATH_MAX];
	char ca[TW_BENCH_PATH_MAX];
};

static int run_script(const char *script, struct tw_err *err)
{
	const char *const argv[] = {"sh", "-c", script, NULL};

	return tw_bench_command(argv, NULL, err);
}

/* Makes the data disk, the bridge, the tap and its filter. */
static int prepare(const struct machine *machine, struct tw_err *err)
{
	char script[SCRIPT_MAX];

	snprintf(script, sizeof(script), "rm -rf %1$s && %2$s -d %1$s -s 256M create && %2$s up",
		machine->folder, machine->files->appliance);
	return run_script(script, err);
}

static int boot(struct tw_bench_system *system, const struct machine *machine, struct tw_err *err)
{
	const struct tw_bench_files *files = machine->files;
	bool kvm = !strcmp(files->vm_accel, "kvm");
	char kernel[2 * TW_BENCH_PATH_MAX], initrd[2 * TW_BENCH_PATH_MAX],
		drive[2 * TW_BENCH_PATH_MAX], channel[2 * TW_BENCH_PATH_MAX], append[400];
	const char *const qemu[] = {"qemu-system-x86_64", "-name", "tapwall-bench-slow", "-accel",
		files->vm_accel, "-machine", "pc,usb=off,vmport=off,hpet=off", "-cpu",
		kvm ? "host" : "qemu64,+rdrand", "-m", "128", "-smp", "1", "-nodefaults",
		"-no-user-config", "-display", "none", "-no-reboot", "-kernel", kernel, "-initrd",
		initrd, "-append", append, "-serial", "stdio", "-chardev", channel, "-serial",
		"chardev:command", "-drive", drive, "-netdev",
		"tap,id=bridge,ifname=tw-slow,script=no,downscript=no,vhost=off", "-device",
		"virtio-net-pci,netdev=bridge,mac=52:54:00:74:77:01,romfile=", NULL};
	pid_t pid;

	snprintf(kernel, sizeof(kernel), "%s/vmlinuz", files->appliance_image);
	snprintf(initrd, sizeof(initrd), "%s/initrd", files->appliance_image);
	snprintf(drive, sizeof(drive), "file=%s/data.img,if=virtio,format=raw", machine->folder);
	snprintf(channel, sizeof(channel),
		"socket,id=command,path=%s/command.sock,server=on,wait=off", machine->folder);
	snprintf(append, sizeof(append),
		"console=ttyS0 quiet panic=-1 random.trust_cpu=on no_timer_check mitigations=off nokaslr tsc=reliable%s%s",
		files->vm_khz ? " tsc_early_khz=" : "", files->vm_khz ? files->vm_khz : "");
	pid = tw_bench_start(qemu, machine->log, err);
	if (pid < 0)
		return (int)pid;
	system->workers[1] = pid;
	return 0;
}

/* Waits until tapwall-slowd listens, and gets certificates from it. */
static int get_certificates(const struct machine *machine, struct tw_err *err)
{
	char script[SCRIPT_MAX];

	snprintf(script, sizeof(script),
		"t='%s -d %s -i %s -w %d'; umask 077; $t wait && "
		"$t exec tapwall-slowd --issue host >%s && "
		"$t exec cat /var/lib/tapwall-slowd/ca.pem >%s",
		machine->files->appliance, machine->folder, machine->files->appliance_image,
		READY_SECONDS, machine->cert, machine->ca);
	return run_script(script, err);
}

/* Starts the decider in the machine. */
static int start_decider(const struct machine *machine, struct tw_err *err)
{
	char script[SCRIPT_MAX];

	snprintf(script, sizeof(script),
		"d=%s; t=\"%s -d $d -i %s -w %d\"; "
		"strip -o $d/decider %s && $t exec -i 'cat >/run/decider' <$d/decider && "
		"$t exec 'chmod 700 /run/decider; /run/decider /run/tapwall-slowd/slowd.sock " WINDOW
		" host >/run/decider.log 2>&1 & true' && "
		"$t exec 'n=0; until [ -s /run/decider.log ] || [ $n -gt 200 ]; do n=$((n + 1)); sleep 0.1; done; "
		"grep -q ready /run/decider.log'",
		machine->folder, machine->files->appliance, machine->files->appliance_image,
		READY_SECONDS, machine->files->decider);
	return run_script(script, err);
}

/* Waits until a decider at the agent's slow path has subscribed. */
static int await_decider(const struct tw_bench_agent *agent, struct tw_err *err)
{
	for (int i = 0; i < READY_SECONDS * TW_BENCH_PAUSES_PER_S; i++) {
		if (tw_bench_agent_deciders(agent) > 0)
			return 0;
		tw_bench_pause();
	}
	return tw_err_set(err, -ETIMEDOUT, agent->name, NULL,
		"the decider in the service VM did not subscribe in %d s", READY_SECONDS);
}

static int await_link(const struct tw_bench_agent *agent, struct tw_err *err)
{
	for (int i = 0; i < READY_SECONDS * TW_BENCH_PAUSES_PER_S; i++) {
		if (tw_bench_agent_is_linked(agent))
			return 0;
		tw_bench_pause();
	}
	return tw_err_set(err, -ETIMEDOUT, agent->name, NULL,
		"the agent did not connect to the service VM in %d s", READY_SECONDS);
}

static int check_files(const struct tw_bench_files *files, struct tw_err *err)
{
	if (!files->appliance || !files->appliance_image)
		return tw_err_set(err, -EOPNOTSUPP, "tapwall-ask-vm", NULL,
			"there is no service VM: %s",
			files->appliance_why ? files->appliance_why : "none was given");
	if (!files->vm_accel)
		return tw_err_set(err, -EOPNOTSUPP, "tapwall-ask-vm", NULL,
			"there is no virtual machine: %s",
			files->vm_why ? files->vm_why : "none was given");
	if (!files->decider || !files->ask_policy)
		return tw_err_set(err, -EOPNOTSUPP, "tapwall-ask-vm", NULL,
			"neither --decider nor --ask-policy was given");
	if (files->n_rules)
		return tw_err_set(err, -EOPNOTSUPP, "tapwall-ask-vm", NULL,
			"the decider decides, not a list of rules");
	return 0;
}

int tw_bench_start_ask_vm(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	struct machine machine = {.files = files};
	struct tw_bench_agent agent = {.program = files->agent,
		.name = system->name,
		.ports = "tap-*,veth-*",
		.policy = files->ask_policy,
		.ask_rate = "1000000",
		.slow_path = ADDRESS,
		.slow_path_cert = machine.cert,
		.slow_path_ca = machine.ca,
		.n_ports = TW_BENCH_N_PORTS};
	int e = check_files(files, err);

	if (e)
		return e;
	tw_bench_scratch(machine.folder, "slow-vm", "");
	tw_bench_scratch(machine.log, "slow-vm", ".log");
	tw_bench_scratch(machine.cert, "slow-vm", ".pem");
	tw_bench_scratch(machine.ca, "slow-vm", "-ca.pem");
	e = prepare(&machine, err);
	if (!e)
		e = boot(system, &machine, err);
	if (!e)
		e = get_certificates(&machine, err);
	if (!e)
		e = tw_bench_agent_start(&agent, err);
	system->workers[0] = agent.pid;
	if (!e)
		e = await_link(&agent, err);
	if (!e)
		e = start_decider(&machine, err);
	return e ? e : await_decider(&agent, err);
}
